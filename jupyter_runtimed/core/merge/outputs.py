"""Outputs of a file that was changed outside: which of them the room takes over.

Outputs do not merge. A cell shows the file's new outputs unless it was run here since the last common version; then
it shows what it printed here.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from jupyter_runtimed.core.content import FetchBlob
from jupyter_runtimed.core.document import NotebookDocument
from jupyter_runtimed.core.manifest import manifest_to_output
from jupyter_runtimed.core.output_fields import as_nbformat
from jupyter_runtimed.core.runtime import Execution, RuntimeDocument

_NOT_CONTENT = ("seq", "display_id")


def merge_outputs(
    document: NotebookDocument,
    runtime: RuntimeDocument,
    base: Mapping[str, str | None],
    theirs: Mapping[str, Execution | None],
    *,
    fetch: FetchBlob,
    is_fresh: Callable[[Execution], bool],
) -> dict[str, str | None]:
    """Take over outputs.

    Args:
        document: the notebook; cells get pointers to what they show now.
        runtime: gets the file's executions that are shown. Their blobs have to be stored already.
        base: cell id -> the execution that the last common version shows; cells of that version only.
        theirs: cell id -> the execution made of the file's outputs; None for a cell without any.
        fetch: blobs, of the room and of the file.
        is_fresh: whether an execution has ended or changed after the last common version.

    Returns:
        Cell id -> the execution whose outputs the file and the cell have in common now.
    """
    common: dict[str, str | None] = {}
    pointers: dict[str, str | None] = {}
    taken: list[Execution] = []
    for cell_id, execution in theirs.items():
        if not document.has_cell(cell_id):
            continue
        cell = document.cell(cell_id)
        if cell.cell_type != "code":
            continue
        shown = runtime.execution(cell.execution_id) if cell.execution_id else None
        if _is_same(shown, execution, fetch):
            common[cell_id] = cell.execution_id
        elif shown is None or (cell.execution_id == base.get(cell_id) and shown.has_ended and not is_fresh(shown)):
            pointers[cell_id] = common[cell_id] = execution.execution_id if execution is not None else None
            if execution is not None and runtime.execution(execution.execution_id) is None:
                taken.append(execution)
    if taken:
        _add(runtime, taken, {value: key for key, value in pointers.items() if value is not None})
    document.set_execution_ids(pointers)
    return common


def _add(runtime: RuntimeDocument, executions: list[Execution], cells: Mapping[str, str]) -> None:
    with runtime.edit() as edit:
        for execution in executions:
            edit.add_execution(
                execution.execution_id,
                cells[execution.execution_id],
                seq=runtime.next_seq(),
                status=execution.status,
                execution_count=execution.execution_count,
            )
            for number, (output_id, manifest) in enumerate(execution.ordered_outputs()):
                edit.add_output(execution.execution_id, output_id, number, manifest)


def _is_same(shown: Execution | None, other: Execution | None, fetch: FetchBlob) -> bool:
    """Whether two executions look the same in a file."""
    if shown is None or other is None:
        return _is_empty(shown) and _is_empty(other)
    if shown.execution_count != other.execution_count or len(shown.outputs) != len(other.outputs):
        return False
    pairs = zip(shown.ordered_outputs(), other.ordered_outputs(), strict=True)
    return all(
        _is_same_output(mine, theirs, fetch, is_from_file=shown.is_from_file) for (_, mine), (_, theirs) in pairs
    )


def _is_empty(execution: Execution | None) -> bool:
    return execution is None or (not execution.outputs and execution.execution_count is None)


def _is_same_output(
    mine: Mapping[str, Any], theirs: Mapping[str, Any], fetch: FetchBlob, *, is_from_file: bool
) -> bool:
    if _content(mine) == _content(theirs):
        return True
    # The same text may lie in other pieces, the same data under another reference.
    output = manifest_to_output(mine, fetch)
    saved = output if is_from_file else as_nbformat(output)
    return _dumped(saved) == _dumped(manifest_to_output(theirs, fetch))


def _content(manifest: Mapping[str, Any]) -> str:
    return _dumped({key: value for key, value in manifest.items() if key not in _NOT_CONTENT})


def _dumped(value: Any) -> str:
    return json.dumps(value, sort_keys=True)
