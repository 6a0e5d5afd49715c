"""A room's documents as the bytes of a notebook file, blobs put back in."""

from __future__ import annotations

import asyncio
import hashlib
from typing import Any

from jupyter_runtimed.core.document import NotebookDocument
from jupyter_runtimed.core.ipynb import Export
from jupyter_runtimed.core.residue import Residue
from jupyter_runtimed.core.runtime import RuntimeDocument
from jupyter_runtimed.rooms.ports.blobs import Blobs

INLINE_CHARS = 50_000
"""So many characters are written within some milliseconds, on the event loop. Blobs are read on a thread."""

LARGE_BYTES = 1024 * 1024
"""More bytes are hashed on a thread."""


async def render(notebook: NotebookDocument, runtime: RuntimeDocument, residue: Residue, blobs: Blobs) -> bytes:
    """The file that a save would write now.

    What the documents say is taken before the first wait; they may change while the bytes are made.

    Raises:
        NotFound: a blob is missing.
    """
    export = Export(notebook, runtime, residue)
    if _is_small(notebook, runtime):
        return export.data(blobs.read)
    return await asyncio.to_thread(export.data, blobs.read)


async def digest(data: bytes) -> str:
    """The SHA-256 of a file; a large one beside the event loop."""
    if len(data) <= LARGE_BYTES:
        return hashlib.sha256(data).hexdigest()
    return await asyncio.to_thread(lambda: hashlib.sha256(data).hexdigest())


def _is_small(notebook: NotebookDocument, runtime: RuntimeDocument) -> bool:
    chars = 0
    for cell in notebook.cells():
        chars += len(cell.source)
        if chars > INLINE_CHARS or _has_blob(cell.attachments):
            return False
        if any(_has_blob(manifest) for _, manifest in runtime.outputs(cell.execution_id)):
            return False
    return True


def _has_blob(value: Any) -> bool:
    if isinstance(value, dict):
        return "blob" in value or any(_has_blob(item) for item in value.values())
    return isinstance(value, list) and any(_has_blob(item) for item in value)
