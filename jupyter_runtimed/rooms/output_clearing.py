"""Empties cells: what has ended goes, what runs goes on and shows what is to come."""

from __future__ import annotations

from collections.abc import Sequence

from jupyter_runtimed.core.document import NotebookDocument
from jupyter_runtimed.core.ids import CellId, ExecutionId
from jupyter_runtimed.core.runtime import RuntimeDocument
from jupyter_runtimed.rooms.output_sink import Change, OutputSink, Urgency


def clear_outputs(
    notebook: NotebookDocument, runtime: RuntimeDocument, sink: OutputSink, cell_ids: Sequence[CellId]
) -> None:
    """Empty these cells; `sink.wake` has to follow.

    Raises:
        NoSuchCell: one of them is not there; nothing is changed.
    """
    over: dict[CellId, ExecutionId] = {}
    under_way: list[ExecutionId] = []
    for cell in [notebook.cell(cell_id) for cell_id in cell_ids]:
        if cell.execution_id is None:
            continue
        execution_id = ExecutionId(cell.execution_id)
        execution = runtime.execution(execution_id)
        if execution is None or execution.has_ended:
            over[CellId(cell.id)] = execution_id
        else:
            under_way.append(execution_id)
    if over:
        notebook.set_execution_ids(dict.fromkeys(over))
    for execution_id in set(over.values()) - notebook.shown_executions():
        sink.forget(execution_id)
        sink.change(_removal(execution_id), Urgency.NOW)
    for execution_id in under_way:
        sink.clear(execution_id)


def _removal(execution_id: ExecutionId) -> Change:
    return lambda edit: edit.remove_execution(execution_id)
