"""A notebook document written anew: what it says now, and no history."""

from __future__ import annotations

from jupyter_runtimed.core.crdt import ChangeBuilder, Replica, Uint
from jupyter_runtimed.core.crdt.document_writer import DocumentWriter
from jupyter_runtimed.core.document.schema import (
    GENESIS_ACTOR,
    GENESIS_HASH,
    GENESIS_NEXT_OP,
    METADATA,
    new_notebook_replica,
    write_cell,
    write_genesis,
)
from jupyter_runtimed.core.document.view import NotebookView

_CELLS_A_CHANGE = 64


def renewed_replica(document: NotebookView, *, actor: bytes, author: bytes) -> Replica:
    """A replica with the content of a document, of another lineage.

    Args:
        document: stays as it is.
        actor: of the new replica's own changes.
        author: whose changes the content is; never used before.
    """
    writer = DocumentWriter()
    genesis = ChangeBuilder(GENESIS_ACTOR, recorder=writer)
    write_genesis(genesis)
    genesis.finish()
    replica = new_notebook_replica(actor)
    cells, next_op, head = document.cells(), GENESIS_NEXT_OP, GENESIS_HASH
    for seq, start in enumerate(range(0, max(1, len(cells)), _CELLS_A_CHANGE), start=1):
        builder = ChangeBuilder(author, seq, next_op, [head], recorder=writer)
        if start == 0:
            _write_root(builder, document)
        for cell in cells[start : start + _CELLS_A_CHANGE]:
            write_cell(builder, cell)
        chunk, head = builder.finish()
        next_op = builder.next
        replica.append([(chunk, head)])
    replica.adopt_snapshot(writer.finish())
    return replica


def _write_root(builder: ChangeBuilder, document: NotebookView) -> None:
    for key, value in document.root().items():
        if key in ("nbformat", "nbformat_minor") and isinstance(value, int) and value >= 0:
            builder.put(None, key, Uint(value))
        else:
            builder.put_json(None, key, value)
    for key, value in document.metadata().items():
        builder.put_json(METADATA, key, value)
