"""From a request to what it does: one small function an action, and the permission each asks for.

The first thing an action does to the room it does before its first wait, so that requests act in the order in which
they began. A result of anything that changed the notebook document carries its heads.
"""

from __future__ import annotations

import base64
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Literal

from jupyter_runtimed.core import requests as r
from jupyter_runtimed.core.errors import BadRequest, Forbidden, Internal
from jupyter_runtimed.core.ids import heads_to_hex
from jupyter_runtimed.core.native import fits, is_key
from jupyter_runtimed.rooms.authors import acting_as
from jupyter_runtimed.rooms.peer import Caller
from jupyter_runtimed.rooms.services import RoomExecutor

if TYPE_CHECKING:
    from jupyter_runtimed.rooms.room import Room

Permission = Literal["read", "write", "execute"]
Action = Callable[["Room", Caller, Any], Awaitable[dict[str, Any]]]

_EDITS = (r.ExecuteCell, r.RunAllCells, r.ClearOutputs, r.SetRawMetadata, r.DeleteRawMetadata)


def check_permission(caller: Caller, request: r.Request) -> None:
    """Raise Forbidden unless the caller may do this."""
    permission, _ = ACTIONS[type(request)]
    if permission == "write" and not caller.can_write:
        raise Forbidden("you may not change this notebook")
    if permission == "execute" and not caller.can_execute:
        raise Forbidden("you may not run code on this server")


def changes_notebook(request: r.Request) -> bool:
    """Whether doing this changes the notebook document."""
    return isinstance(request, _EDITS)


async def act(room: Room, caller: Caller, request: r.Request) -> dict[str, Any]:
    """Do what a request asks for; its result.

    Raises:
        Forbidden: the caller may not.
        RuntimedError: what the action raises.
    """
    check_permission(caller, request)
    _, action = ACTIONS[type(request)]
    with acting_as(caller.person):
        return await action(room, caller, request)


def _heads(room: Room) -> list[str]:
    return heads_to_hex(room.notebook.replica.heads)


def _executor(room: Room) -> RoomExecutor:
    if room.executor is None:
        raise Internal("the room has no executor")
    return room.executor


# Running.


async def _execute_cell(room: Room, caller: Caller, request: r.ExecuteCell) -> dict[str, Any]:
    result = await _executor(room).execute_cell(request.cell_id, caller.name)
    return {**result, "heads": _heads(room)}


async def _run_all_cells(room: Room, caller: Caller, request: r.RunAllCells) -> dict[str, Any]:
    queued = await _executor(room).run_all(request.cell_ids, caller.name)
    return {"queued": queued, "heads": _heads(room)}


async def _interrupt_kernel(room: Room, _: Caller, __: r.InterruptKernel) -> dict[str, Any]:
    await _executor(room).interrupt()
    return {}


async def _restart_kernel(room: Room, _: Caller, __: r.RestartKernel) -> dict[str, Any]:
    return await _executor(room).restart()


async def _shutdown_kernel(room: Room, _: Caller, __: r.ShutdownKernel) -> dict[str, Any]:
    return await _executor(room).shutdown()


async def _start_kernel(room: Room, _: Caller, request: r.StartKernel) -> dict[str, Any]:
    return await _executor(room).start(request.kernel_name)


async def _complete(room: Room, _: Caller, request: r.Complete) -> dict[str, Any]:
    return await _executor(room).complete(request)


async def _inspect(room: Room, _: Caller, request: r.Inspect) -> dict[str, Any]:
    return await _executor(room).inspect(request)


async def _history(room: Room, _: Caller, request: r.History) -> dict[str, Any]:
    return await _executor(room).history(request)


async def _is_complete(room: Room, _: Caller, request: r.IsComplete) -> dict[str, Any]:
    return await _executor(room).is_complete(request)


async def _input_reply(room: Room, _: Caller, request: r.InputReply) -> dict[str, Any]:
    await _executor(room).input_reply(request)
    return {}


async def _comm(room: Room, _: Caller, request: r.Comm) -> dict[str, Any]:
    await _executor(room).comm(request)
    return {}


async def _wait_for_execution(room: Room, _: Caller, request: r.WaitForExecution) -> dict[str, Any]:
    return await _executor(room).wait(request.execution_id, min(max(0.0, request.timeout), r.MAX_WAIT_S))


# The notebook.


async def _clear_outputs(room: Room, _: Caller, request: r.ClearOutputs) -> dict[str, Any]:
    await _executor(room).clear_outputs(request.cell_ids)
    return {"heads": _heads(room)}


async def _put_outputs(room: Room, caller: Caller, request: r.PutOutputs) -> dict[str, Any]:
    execution_id = await _executor(room).put_outputs(request, caller.name)
    return {"execution_id": execution_id, "heads": _heads(room)}


async def _save_notebook(room: Room, _: Caller, request: r.SaveNotebook) -> dict[str, Any]:
    if request.path is None:
        await room.save()
    else:
        await room.moves.save_as(room, request.path, request.overwrite)
    return {"path": room.file.path, "saved_heads": heads_to_hex(room.file.saved_heads)}


async def _set_autosave(room: Room, _: Caller, request: r.SetAutosave) -> dict[str, Any]:
    room.saver.set_autosave(request.enabled)
    return {"autosave": room.saver.is_automatic}


async def _get_doc_bytes(room: Room, _: Caller, request: r.GetDocBytes) -> dict[str, Any]:
    data, heads = room.document_bytes(request.document)
    return {"bytes": base64.b64encode(data).decode(), "heads": heads_to_hex(heads)}


async def _get_raw_metadata(room: Room, _: Caller, request: r.GetRawMetadata) -> dict[str, Any]:
    return {"value": room.notebook.get_metadata(request.key)}


async def _set_raw_metadata(room: Room, _: Caller, request: r.SetRawMetadata) -> dict[str, Any]:
    max_depth = room.services.settings.limits.max_depth
    if not is_key(request.key) or not fits(request.value, max_depth - 2):
        raise BadRequest(
            "the document cannot hold that: an empty key, a lone surrogate, an integer over 64 bits, or too many levels"
        )
    room.notebook.set_metadata(request.key, request.value)
    return {"heads": _heads(room)}


async def _delete_raw_metadata(room: Room, _: Caller, request: r.DeleteRawMetadata) -> dict[str, Any]:
    room.notebook.delete_metadata(request.key)
    return {"heads": _heads(room)}


ACTIONS: dict[type[r.RequestBase], tuple[Permission, Action]] = {
    r.ExecuteCell: ("execute", _execute_cell),
    r.RunAllCells: ("execute", _run_all_cells),
    r.InterruptKernel: ("execute", _interrupt_kernel),
    r.RestartKernel: ("execute", _restart_kernel),
    r.ShutdownKernel: ("execute", _shutdown_kernel),
    r.StartKernel: ("execute", _start_kernel),
    r.Complete: ("execute", _complete),
    r.Inspect: ("execute", _inspect),
    r.History: ("execute", _history),
    r.IsComplete: ("execute", _is_complete),
    r.InputReply: ("execute", _input_reply),
    r.Comm: ("execute", _comm),
    r.WaitForExecution: ("read", _wait_for_execution),
    r.ClearOutputs: ("write", _clear_outputs),
    r.PutOutputs: ("write", _put_outputs),
    r.SaveNotebook: ("write", _save_notebook),
    r.SetAutosave: ("write", _set_autosave),
    r.GetDocBytes: ("read", _get_doc_bytes),
    r.GetRawMetadata: ("read", _get_raw_metadata),
    r.SetRawMetadata: ("write", _set_raw_metadata),
    r.DeleteRawMetadata: ("write", _delete_raw_metadata),
}
