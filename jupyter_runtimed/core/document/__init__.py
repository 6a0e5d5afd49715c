"""The notebook document over a replica: schema, reading, editing."""

from jupyter_runtimed.core.document.notebook import NotebookDocument
from jupyter_runtimed.core.document.renewal import renewed_replica
from jupyter_runtimed.core.document.schema import (
    CELL_TYPES,
    CELLS,
    GENESIS,
    GENESIS_ACTOR,
    GENESIS_HASH,
    GENESIS_NEXT_OP,
    METADATA,
    SCHEMA_VERSION,
    Cell,
    cell_from_fields,
    new_notebook_replica,
    write_cell,
    write_genesis,
)
from jupyter_runtimed.core.document.view import NotebookView

__all__ = [
    "CELLS",
    "CELL_TYPES",
    "GENESIS",
    "GENESIS_ACTOR",
    "GENESIS_HASH",
    "GENESIS_NEXT_OP",
    "METADATA",
    "SCHEMA_VERSION",
    "Cell",
    "NotebookDocument",
    "NotebookView",
    "cell_from_fields",
    "new_notebook_replica",
    "renewed_replica",
    "write_cell",
    "write_genesis",
]
