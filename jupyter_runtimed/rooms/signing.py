"""Whether a saved file is signed, so that its outputs are trusted when it is opened again.

A file is signed when every output in it that can run something was printed by a kernel of this server, or when the
file that it takes the place of was signed. Where nothing can run, no signature is needed. What somebody has pasted was
printed who knows where: with that in it, nothing is signed.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum

from jupyter_runtimed.core.document import NotebookDocument
from jupyter_runtimed.core.errors import RuntimedError
from jupyter_runtimed.core.mime import is_active
from jupyter_runtimed.core.runtime import Execution, RuntimeDocument
from jupyter_runtimed.rooms.ports.contents import Contents
from jupyter_runtimed.rooms.ports.signatures import Signatures


class Origin(Enum):
    """Where the outputs that can run something come from."""

    NOWHERE = "there are none"
    KERNEL = "all from a kernel of this server"
    FILE = "some from a file"
    PASTE = "some were pasted"


def origin_of_active(notebook: NotebookDocument, runtime: RuntimeDocument) -> Origin:
    """Look at what the cells show now."""
    executions = [execution for execution in _shown(notebook, runtime) if _has_active(execution)]
    if not executions:
        return Origin.NOWHERE
    if not all(execution.is_from_kernel or execution.is_from_file for execution in executions):
        return Origin.PASTE
    is_ours = all(execution.is_from_kernel for execution in executions)
    return Origin.KERNEL if is_ours else Origin.FILE


def _shown(notebook: NotebookDocument, runtime: RuntimeDocument) -> Iterator[Execution]:
    for cell in notebook.cells():
        execution = runtime.executions.get(cell.execution_id) if cell.execution_id is not None else None
        if execution is not None:
            yield execution


def _has_active(execution: Execution) -> bool:
    for manifest in execution.outputs.values():
        data = manifest.get("data")
        if isinstance(data, dict) and any(is_active(mime) for mime in data):
            return True
    return False


class Signing:
    """The signatures of one room's file.

    Args:
        signatures: None for a server that signs nothing.
    """

    def __init__(self, contents: Contents, signatures: Signatures | None) -> None:
        self._contents = contents
        self._signatures = signatures
        self._signed: str | None = None

    async def may_sign(self, origin: Origin, path: str, on_disk: str | None) -> bool:
        """Ask before a save whether what it writes may be signed.

        Args:
            origin: of what will be written.
            path: of the file that it takes the place of.
            on_disk: the SHA-256 of that file; None when there is none.
        """
        if self._signatures is None or origin in (Origin.NOWHERE, Origin.PASTE):
            return False
        if origin is Origin.KERNEL:
            return True
        if on_disk is None:
            return False
        if on_disk == self._signed:
            return True
        try:
            state = await self._contents.read(path)
        except RuntimedError:
            return False  # the save will find out what that means
        return state.sha256 == on_disk and await self._signatures.knows(state.content)

    async def sign(self, data: bytes, sha256: str) -> None:
        """Sign what was written."""
        if self._signatures is not None:
            await self._signatures.sign(data)
            self._signed = sha256
