"""The .ipynb file: bytes to document, and document to bytes."""

from jupyter_runtimed.core.ipynb.export import Export, saved_cell_ids, valid_cell_id
from jupyter_runtimed.core.ipynb.importing import IMPORT_ACTOR_PREFIX, Import, ImportBatch, import_actor
from jupyter_runtimed.core.ipynb.parse import NotebookSource, is_light, parse_notebook

__all__ = [
    "IMPORT_ACTOR_PREFIX",
    "Export",
    "Import",
    "ImportBatch",
    "NotebookSource",
    "import_actor",
    "is_light",
    "parse_notebook",
    "saved_cell_ids",
    "valid_cell_id",
]
