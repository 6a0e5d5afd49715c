"""The notebook document's schema: its first change, its keys, and how a cell reads. See docs/schema.md."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from jupyter_runtimed.core.crdt import MAP, TEXT, AheadReplica, ChangeBuilder, OpId, Replica, Uint

SCHEMA_VERSION = 1
CELL_TYPES = ("code", "markdown", "raw")

CELL_FIELDS = frozenset({"id", "cell_type", "position", "source", "metadata", "attachments", "execution_id"})
ROOT_FIELDS = frozenset({"schema_version", "nbformat", "nbformat_minor", "metadata", "cells"})

GENESIS_ACTOR = b"jupyter_runtimed"


def _make_genesis() -> tuple[bytes, bytes, OpId, OpId, int]:
    builder = ChangeBuilder(GENESIS_ACTOR)
    builder.put(None, "schema_version", Uint(SCHEMA_VERSION))
    metadata = builder.make(None, "metadata", MAP)
    cells = builder.make(None, "cells", MAP)
    chunk, digest = builder.finish()
    return chunk, digest, (cells, GENESIS_ACTOR), (metadata, GENESIS_ACTOR), builder.next


GENESIS, GENESIS_HASH, CELLS, METADATA, GENESIS_NEXT_OP = _make_genesis()
"""The first change of every notebook document, its hash, and the maps it makes.

Frozen: two documents that begin differently have different root maps, and merging them hides all cells of one. A
test pins the hash.
"""


def write_genesis(builder: ChangeBuilder) -> None:
    """Repeat the genesis operations on a builder by GENESIS_ACTOR, for a document writer."""
    builder.put(None, "schema_version", Uint(SCHEMA_VERSION))
    builder.make(None, "metadata", MAP)
    builder.make(None, "cells", MAP)


def new_notebook_replica(actor: bytes) -> Replica:
    """A replica with nothing but the genesis change."""
    replica = AheadReplica(b"", actor=actor, heads=(), known=())
    replica.append([(GENESIS, GENESIS_HASH)])
    return replica


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell as it reads now.

    Attributes:
        id: its key in the cells map.
        source: str; indices into it are code points.
        attachments: name -> {MIME type -> content}; None when the cell has none.
        execution_id: the execution whose outputs it shows.
        position: fractional index; "" when it is missing or broken.
        extra: unknown keys.
    """

    id: str
    cell_type: str = "code"
    source: str = ""
    metadata: dict[str, Any] = field(default_factory=dict)
    attachments: dict[str, Any] | None = None
    execution_id: str | None = None
    position: str = ""
    extra: dict[str, Any] = field(default_factory=dict)

    def with_source(self, source: str) -> Cell:
        """The same cell with another source."""
        return Cell(
            self.id,
            self.cell_type,
            source,
            self.metadata,
            self.attachments,
            self.execution_id,
            self.position,
            self.extra,
        )


def write_cell(builder: ChangeBuilder, cell: Cell) -> None:
    """Add a cell. The order of the operations is part of what an import's hashes pin."""
    made = builder.make(CELLS, cell.id, MAP)
    builder.put(made, "id", cell.id)
    builder.put(made, "cell_type", cell.cell_type)
    builder.put(made, "position", cell.position)
    builder.text(builder.make(made, "source", TEXT), cell.source)
    builder.put_json(made, "metadata", cell.metadata)
    if cell.attachments is not None:
        builder.put_json(made, "attachments", cell.attachments)
    builder.put(made, "execution_id", cell.execution_id)
    for key, value in cell.extra.items():
        builder.put_json(made, key, value)


def cell_from_fields(cell_id: str, fields: Mapping[str, Any]) -> Cell:
    """A cell of what stands in its map, wrong types read as something harmless."""
    cell_type, source = fields.get("cell_type"), fields.get("source")
    metadata, attachments = fields.get("metadata"), fields.get("attachments")
    execution_id, position = fields.get("execution_id"), fields.get("position")
    return Cell(
        cell_id,
        cell_type if isinstance(cell_type, str) and cell_type in CELL_TYPES else "code",
        source if isinstance(source, str) else "",
        metadata if isinstance(metadata, dict) else {},
        attachments if isinstance(attachments, dict) else None,
        execution_id if isinstance(execution_id, str) else None,
        position if isinstance(position, str) else "",
        {key: value for key, value in fields.items() if key not in CELL_FIELDS},
    )
