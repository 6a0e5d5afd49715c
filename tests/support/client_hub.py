"""A small server in memory for the client's unit tests: the real documents and sync, and answers the test decides.

It speaks the protocol over `MemoryTransport`s and does what it is told to, at once and without tasks, so that a test
can say exactly when what arrives.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from jupyter_runtimed.client.rest import RoomInfo
from jupyter_runtimed.core.crdt import Replica, new_actor
from jupyter_runtimed.core.document import GENESIS_HASH, NotebookDocument, new_notebook_replica
from jupyter_runtimed.core.errors import NoSuchRoom, RuntimedError
from jupyter_runtimed.core.frames import FrameType, decode_frame, encode_frame
from jupyter_runtimed.core.ids import Heads, heads_from_hex, heads_to_hex
from jupyter_runtimed.core.limits import Limits
from jupyter_runtimed.core.runtime import RuntimeDocument
from jupyter_runtimed.core.sync import DocumentSync
from tests.support.memory_transport import MemoryTransport

Answer = Callable[[dict[str, Any]], dict[str, Any]]
_NO_SUCH_ROOM = 4404


class Hub:
    """One room.

    Attributes:
        notebook, runtime: the server's documents.
        answers: by action, what to answer; raise a RuntimedError to refuse. Absent: `{}`.
        requests: those that came, in order.
        presence: presence frames that came.
        status: fields of the status frame that differ from a ready room's.
        silent: while true nothing is sent of the documents, so nothing is acknowledged.
        transports: all connections there were.
        merged: replicas that were handed over.
    """

    def __init__(self, room_id: str = "room") -> None:
        self.room_id = room_id
        self.answers: dict[str, Answer] = {}
        self.requests: list[dict[str, Any]] = []
        self.presence: list[dict[str, Any]] = []
        self.status: dict[str, Any] = {}
        self.silent = False
        self.transports: list[MemoryTransport] = []
        self.merged: list[bytes] = []
        self.refusal: RuntimedError | None = None
        self._peers: dict[str, MemoryTransport] = {}
        self.start_notebook(new_notebook_replica(new_actor()))
        self.start_runtime()

    # ---- the test's side ----

    def start_notebook(self, replica: Replica) -> None:
        """Begin with another notebook document. No peer may be connected."""
        self.notebook = NotebookDocument(replica)
        self._notebook_sync = DocumentSync(replica, Limits(), genesis=frozenset({GENESIS_HASH}))

    def start_runtime(self) -> None:
        """Begin with an empty runtime document. No peer may be connected."""
        self.runtime = RuntimeDocument(new_actor())
        self._runtime_sync = DocumentSync(self.runtime.replica, Limits(), read_only=True)

    def edit(self, change: Callable[[NotebookDocument], object]) -> None:
        """Change the notebook on the server, as another peer would."""
        change(self.notebook)
        self.flush()

    def execute(self, execution_id: str, cell_id: str, status: str = "queued") -> None:
        """Make an execution and let the cell show it."""
        with self.runtime.edit() as edit:
            edit.add_execution(execution_id, cell_id, seq=self.runtime.next_seq(), status=status)
        self.notebook.set_execution_id(cell_id, execution_id)
        self.flush()

    def output(self, execution_id: str, output_id: str, manifest: dict[str, Any]) -> None:
        """Add or replace an output."""
        outputs = self.runtime.executions[execution_id].outputs
        with self.runtime.edit() as edit:
            if output_id in outputs:
                edit.replace_output(execution_id, output_id, manifest)
            else:
                edit.add_output(execution_id, output_id, len(outputs), manifest)
        self.flush()

    def update(self, execution_id: str, **fields: Any) -> None:
        with self.runtime.edit() as edit:
            edit.update_execution(execution_id, **fields)
        self.flush()

    def tell_status(self, **fields: Any) -> None:
        """Say the status to everybody."""
        self.status.update(fields)
        for peer_id, transport in self._peers.items():
            transport.deliver(encode_frame(FrameType.STATUS, json.dumps(self._status(peer_id)).encode()))

    def tell(self, kind: FrameType, body: object) -> None:
        """Say something to everybody."""
        for transport in self._peers.values():
            transport.deliver(encode_frame(kind, json.dumps(body).encode()))

    def flush(self) -> None:
        """Send what is new of both documents."""
        if self.silent:
            return
        for peer_id, transport in tuple(self._peers.items()):
            for kind, sync in self._syncs():
                while (message := sync.outgoing(peer_id)) is not None:
                    transport.deliver(encode_frame(kind, message))

    def drop(self, code: int | None = None) -> None:
        """End every connection."""
        for transport in tuple(self._peers.values()):
            transport.end(code)

    # ---- the client's side (client.peer.Server) ----

    async def connect(self, room_id: str) -> MemoryTransport:
        if self.refusal is not None:
            raise self.refusal
        transport = MemoryTransport()
        self.transports.append(transport)
        if room_id != self.room_id:
            transport.end(_NO_SUCH_ROOM)
            return transport
        peer_id = f"p{len(self.transports)}"
        self._peers[peer_id] = transport
        transport.on_frame = lambda frame: self._receive(peer_id, frame)
        transport.on_close = lambda: self._leave(peer_id)
        for kind, sync in self._syncs():
            transport.deliver(encode_frame(kind, sync.join(peer_id)))
        transport.deliver(encode_frame(FrameType.STATUS, json.dumps(self._status(peer_id)).encode()))
        people = {name: {"user": {"name": name}} for name in self._peers}
        transport.deliver(encode_frame(FrameType.PRESENCE, json.dumps({"peers": people}).encode()))
        return transport

    async def merge(
        self, room_id: str, document: bytes, saved_heads: Heads = (), durable_heads: Heads = ()
    ) -> Mapping[str, Any]:
        self.merged.append(document)
        merged: dict[str, Any] = self.answers.get("merge", lambda _: {})({"document": document})
        return merged

    async def open_room(self, path: str) -> RoomInfo:
        if "open_room" not in self.answers:
            raise NoSuchRoom("no such file")
        return RoomInfo.from_json({"room_id": self.answers["open_room"]({"path": path})["room_id"], "path": path})

    # ---- what a server does ----

    def _syncs(self) -> tuple[tuple[FrameType, DocumentSync], ...]:
        return (FrameType.NOTEBOOK_SYNC, self._notebook_sync), (FrameType.RUNTIME_SYNC, self._runtime_sync)

    def _status(self, peer_id: str) -> dict[str, Any]:
        return {
            "load": {"phase": "ready", "done": 0, "total": 0, "error": None},
            "path": "a.ipynb",
            "peer_id": peer_id,
            "writable": True,
            "executable": True,
            "dirty": False,
            "epochs": {"notebook": "n", "runtime": "r"},
            "durable_heads": [],
            "saved_heads": [],
            "last_saved": None,
            **self.status,
        }

    def _receive(self, peer_id: str, frame: bytes) -> None:
        kind, payload = decode_frame(frame)
        if kind is FrameType.REQUEST:
            self._answer(peer_id, json.loads(payload))
        elif kind is FrameType.PRESENCE:
            self.presence.append(json.loads(payload))
        else:
            assert kind is not None
            dict(self._syncs())[kind].receive(peer_id, payload, may_write=True)
        self.flush()

    def _answer(self, peer_id: str, request: dict[str, Any]) -> None:
        self.requests.append(request)
        body: dict[str, Any] = {"id": request["id"], "ok": True}
        try:
            heads = heads_from_hex(request.get("required_heads", []))
            assert self.notebook.replica.contains(heads), "the changes come before the request that needs them"
            body["result"] = self.answers.get(request["action"], lambda _: {})(request)
        except RuntimedError as error:
            body = {"id": request["id"], "ok": False, "error": error.to_json()}
        self._peers[peer_id].deliver(encode_frame(FrameType.RESPONSE, json.dumps(body).encode()))

    def _leave(self, peer_id: str) -> None:
        self._peers.pop(peer_id, None)
        for _, sync in self._syncs():
            sync.leave(peer_id)

    @property
    def heads(self) -> list[str]:
        return heads_to_hex(self.notebook.replica.heads)
