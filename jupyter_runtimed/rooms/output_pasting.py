"""Outputs that came with a cell from elsewhere: they are shown as a file's are, and are nobody's run."""

from __future__ import annotations

from collections.abc import Callable

from jupyter_runtimed.core.document import NotebookDocument
from jupyter_runtimed.core.errors import BadRequest
from jupyter_runtimed.core.ids import ExecutionId
from jupyter_runtimed.core.limits import Limits
from jupyter_runtimed.core.manifest import output_to_manifest
from jupyter_runtimed.core.requests import PutOutputs
from jupyter_runtimed.core.runtime import Manifest, RuntimeDocument, RuntimeEdit
from jupyter_runtimed.rooms.output_sink import OutputSink, Urgency
from jupyter_runtimed.rooms.ports.blobs import Blobs


class OutputPasting:
    """Takes such outputs in, for one room.

    Args:
        notebook: has the cells.
        runtime: gets the outputs.
        sink: writes into it.
        blobs: where large and binary content goes.
        limits: of contents.
        new_id: a fresh execution id.
    """

    def __init__(
        self,
        notebook: NotebookDocument,
        runtime: RuntimeDocument,
        sink: OutputSink,
        blobs: Blobs,
        limits: Limits,
        new_id: Callable[[], str],
    ) -> None:
        self._notebook = notebook
        self._runtime = runtime
        self._sink = sink
        self._blobs = blobs
        self._limits = limits
        self._new_id = new_id

    async def put(self, request: PutOutputs, submitted_by: str) -> str:
        """Let a cell show outputs; the execution that stands for them. `sink.wake` has to follow.

        Raises:
            NoSuchCell: it is not there.
            BadRequest: it is no code cell, or shows something already; what a kernel has said is not replaced.
            TooLarge: an output is nested too deeply to be kept.
            OutOfSpace: the blobs could not be stored.
        """
        self._refuse_if_shown(request.cell_id)
        manifests: list[Manifest] = []
        blobs: list[bytes] = []
        for output in request.outputs:
            manifest, new = output_to_manifest(output, self._limits, from_file=True)
            manifests.append(manifest)
            blobs += new
        if blobs:
            await self._blobs.put_many(blobs)
            self._refuse_if_shown(request.cell_id)
        execution_id = ExecutionId(self._new_id())
        count = request.execution_count
        seq = self._runtime.next_seq()

        def write(edit: RuntimeEdit) -> None:
            # Without a time at which it was queued: no kernel of ours has said this, so nobody trusts it for that.
            fields = {"status": "done", "submitted_by": submitted_by or PASTED_BY_NOBODY, "execution_count": count}
            edit.add_execution(execution_id, request.cell_id, seq=seq, **fields)
            for number, manifest in enumerate(manifests):
                edit.add_output(execution_id, f"{execution_id[:8]}-{number}", number, manifest)

        self._sink.change(write, Urgency.NOW)
        self._notebook.set_execution_id(request.cell_id, execution_id)
        return execution_id

    def _refuse_if_shown(self, cell_id: str) -> None:
        cell = self._notebook.cell(cell_id)
        if cell.cell_type != "code":
            raise BadRequest(f"only code cells have outputs; {cell_id[:80]!r} is a {cell.cell_type} cell")
        if cell.execution_id is not None:
            raise BadRequest(f"the cell {cell_id[:80]!r} shows outputs already; clear them first")


PASTED_BY_NOBODY = "?"
"""In the place of an empty username: what a file brought has none, and may be trusted when the file is signed."""
