"""Executions that an earlier life of the server left unfinished: they are over."""

from __future__ import annotations

from collections.abc import Callable

from jupyter_runtimed.core.errors import KernelDied
from jupyter_runtimed.core.ids import ExecutionId
from jupyter_runtimed.core.runtime import RuntimeDocument, RuntimeEdit


def has_leftovers(runtime: RuntimeDocument) -> bool:
    """Whether there is any execution that has not ended."""
    return not all(execution.has_ended for execution in runtime.executions.values())


def end_leftovers(runtime: RuntimeDocument, is_known: Callable[[ExecutionId], bool], edit: RuntimeEdit) -> None:
    """End them, but for those that are known to run or wait."""
    for execution in list(runtime.executions.values()):
        if not execution.has_ended and not is_known(ExecutionId(execution.execution_id)):
            was_running = execution.status == "running"
            error = KernelDied("the server was restarted").to_json() if was_running else None
            edit.update_execution(
                execution.execution_id,
                status="error" if was_running else "cancelled",
                error=error,
                input_request=None,
            )
