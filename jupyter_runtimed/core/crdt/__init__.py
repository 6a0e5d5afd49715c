"""Automerge: its binary format, written and read by us, and the engine behind one door."""

from jupyter_runtimed.core.crdt.ahead import AheadReplica
from jupyter_runtimed.core.crdt.change_reader import ChangeInfo, read_change, read_chunk
from jupyter_runtimed.core.crdt.change_writer import HEAD, LIST, MAP, TEXT, ChangeBuilder, OpId
from jupyter_runtimed.core.crdt.chunks import chunk_hash, split_chunks
from jupyter_runtimed.core.crdt.cold import cold_replica
from jupyter_runtimed.core.crdt.columns import Uint
from jupyter_runtimed.core.crdt.document_reader import read_document
from jupyter_runtimed.core.crdt.document_writer import DocumentWriter
from jupyter_runtimed.core.crdt.engine import (
    ROOT,
    Engine,
    EnginePanic,
    EngineRefused,
    EngineSyncState,
    Writer,
    new_actor,
    op_id,
)
from jupyter_runtimed.core.crdt.follower import Follower
from jupyter_runtimed.core.crdt.insertion import Insertion
from jupyter_runtimed.core.crdt.log import Advance, LogEntry
from jupyter_runtimed.core.crdt.replica import Replica
from jupyter_runtimed.core.crdt.splice import splice_text
from jupyter_runtimed.core.crdt.sync_message import CAPABILITIES, SyncMessage, encode_news, encode_sync, parse_sync
from jupyter_runtimed.core.crdt.vet import VettedMessage, vet_sync

__all__ = [
    "CAPABILITIES",
    "HEAD",
    "LIST",
    "MAP",
    "ROOT",
    "TEXT",
    "Advance",
    "AheadReplica",
    "ChangeBuilder",
    "ChangeInfo",
    "DocumentWriter",
    "Engine",
    "EnginePanic",
    "EngineRefused",
    "EngineSyncState",
    "Follower",
    "Insertion",
    "LogEntry",
    "OpId",
    "Replica",
    "SyncMessage",
    "Uint",
    "VettedMessage",
    "Writer",
    "chunk_hash",
    "cold_replica",
    "encode_news",
    "encode_sync",
    "new_actor",
    "op_id",
    "parse_sync",
    "read_change",
    "read_chunk",
    "read_document",
    "splice_text",
    "split_chunks",
    "vet_sync",
]
