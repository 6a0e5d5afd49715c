"""Requests and their answers: JSON on the wire, one typed value per action here.

Page 3 of the protocol is this module's table: a class is an action, its fields are the request's. Unknown fields are
left alone, so that a newer client is understood; a field of the wrong type is an error. Every answer carries the id of
its request, errors included, whenever the request had one.
"""

from __future__ import annotations

import json
from typing import Any, Literal, TypeVar, get_args, overload

import msgspec

from jupyter_runtimed.core.errors import BadRequest, Malformed, OverLimit, RuntimedError
from jupyter_runtimed.core.ids import Heads, heads_from_hex
from jupyter_runtimed.core.limits import Limits

T = TypeVar("T")

MAX_WAIT_S = 3600.0
"""The longest `timeout` of a request; a longer one waits no longer."""


class RequestBase(msgspec.Struct, tag_field="action", kw_only=True):
    """What every request has.

    Attributes:
        id: the client's name for it.
        required_heads: hexadecimal change hashes that must be in the notebook document before anything is done.
    """

    id: str
    required_heads: list[str] = []


class ExecuteCell(RequestBase, tag="execute_cell"):
    cell_id: str


class RunAllCells(RequestBase, tag="run_all_cells"):
    cell_ids: list[str] | None = None


class InterruptKernel(RequestBase, tag="interrupt_kernel"):
    pass


class RestartKernel(RequestBase, tag="restart_kernel"):
    pass


class ShutdownKernel(RequestBase, tag="shutdown_kernel"):
    pass


class StartKernel(RequestBase, tag="start_kernel"):
    kernel_name: str | None = None


class SaveNotebook(RequestBase, tag="save_notebook"):
    path: str | None = None
    overwrite: bool = False


class SetAutosave(RequestBase, tag="set_autosave"):
    """Whether the server saves this notebook by itself, for everybody in it, until somebody says otherwise."""

    enabled: bool


class ClearOutputs(RequestBase, tag="clear_outputs"):
    cell_ids: list[str] | None = None


class PutOutputs(RequestBase, tag="put_outputs"):
    """Outputs, as nbformat has them, for a code cell that shows none: it was pasted with them."""

    cell_id: str
    outputs: list[dict[str, Any]]
    execution_count: int | None = None


class Complete(RequestBase, tag="complete"):
    code: str
    cursor_pos: int


class Inspect(RequestBase, tag="inspect"):
    code: str
    cursor_pos: int
    detail_level: int = 0


class History(RequestBase, tag="history"):
    n: int
    pattern: str | None = None


class IsComplete(RequestBase, tag="is_complete"):
    code: str


class InputReply(RequestBase, tag="input_reply"):
    request_id: str
    value: str


class Comm(RequestBase, tag="comm"):
    """`buffers` are base64."""

    msg_type: str
    content: dict[str, Any]
    metadata: dict[str, Any] = {}
    buffers: list[str] = []


class GetDocBytes(RequestBase, tag="get_doc_bytes"):
    document: Literal["notebook", "runtime"] = "notebook"


class GetRawMetadata(RequestBase, tag="get_raw_metadata"):
    key: str


class SetRawMetadata(RequestBase, tag="set_raw_metadata"):
    key: str
    value: Any


class DeleteRawMetadata(RequestBase, tag="delete_raw_metadata"):
    """What `DELETE …/metadata/{key}` does."""

    key: str


class WaitForExecution(RequestBase, tag="wait_for_execution"):
    """`timeout` in seconds."""

    execution_id: str
    timeout: float = 30.0


Request = (
    ExecuteCell
    | RunAllCells
    | InterruptKernel
    | RestartKernel
    | ShutdownKernel
    | StartKernel
    | SaveNotebook
    | SetAutosave
    | ClearOutputs
    | PutOutputs
    | Complete
    | Inspect
    | History
    | IsComplete
    | InputReply
    | Comm
    | GetDocBytes
    | GetRawMetadata
    | SetRawMetadata
    | DeleteRawMetadata
    | WaitForExecution
)

ACTIONS: dict[str, type[RequestBase]] = {str(kind.__struct_config__.tag): kind for kind in get_args(Request)}
"""Every action by its name."""


class InvalidRequest(BadRequest):
    """A request that cannot be taken.

    Attributes:
        request_id: what to answer it with; None when it had none.
    """

    def __init__(self, message: str, request_id: str | None) -> None:
        super().__init__(message)
        self.request_id = request_id


def read_json(payload: bytes, max_depth: int) -> Any:
    """Parse JSON from outside.

    Raises:
        Malformed: it does not parse, or is nested more deeply than allowed.
    """
    try:
        value = msgspec.json.decode(payload)
    except RecursionError as error:
        raise Malformed(f"JSON nested more than {max_depth} levels deep") from error
    except (ValueError, msgspec.MsgspecError) as error:
        raise Malformed(f"JSON that does not parse: {error}") from error
    # Most messages have fewer brackets in all than the limit has levels.
    if payload.count(b"[") + payload.count(b"{") > max_depth and _is_deeper(value, max_depth):
        raise Malformed(f"JSON nested more than {max_depth} levels deep")
    return value


def _is_deeper(value: Any, levels: int) -> bool:
    if isinstance(value, dict):
        return levels == 0 or any(_is_deeper(item, levels - 1) for item in value.values())
    if isinstance(value, list):
        return levels == 0 or any(_is_deeper(item, levels - 1) for item in value)
    return False


def parse_request(payload: bytes, limits: Limits) -> Request:
    """Read a request frame or body.

    Raises:
        OverLimit: it is larger than `max_request_bytes`.
        Malformed: it is no JSON, or nested too deeply.
        InvalidRequest: an unknown action, a field that is missing or of the wrong type.
    """
    if len(payload) > limits.max_request_bytes:
        raise OverLimit(f"a request may have {limits.max_request_bytes:,} bytes; this one has {len(payload):,}")
    value = read_json(payload, limits.max_depth)
    if not isinstance(value, dict):
        raise InvalidRequest('a request is a JSON object: {"id", "action", …}', None)
    name, action = value.get("id"), value.get("action")
    if not isinstance(name, str):
        raise InvalidRequest("a request has an `id`, a string of your choice", None)
    if not isinstance(action, str) or action not in ACTIONS:
        raise InvalidRequest(f"there is no action {str(action)[:80]!r}", name)
    try:
        request: Request = convert(value, ACTIONS[action])  # type: ignore[assignment]
    except BadRequest as error:
        raise InvalidRequest(f"{action}: {error.message}", name) from error
    return request


@overload
def convert(value: Any, kind: type[T]) -> T: ...
@overload
def convert(value: Any, kind: Any) -> Any: ...
def convert(value: Any, kind: Any) -> Any:
    """Make a typed value of parsed JSON.

    Raises:
        BadRequest: something is missing or of the wrong type; the message says what and where.
    """
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        raise BadRequest(str(error)) from error


def required_heads(request: RequestBase) -> Heads:
    """The heads a request waits for. Raises BadRequest when they are no change hashes."""
    return heads_from_hex(request.required_heads) if request.required_heads else ()


def result_json(request_id: str | None, result: Any) -> dict[str, Any]:
    """The answer to a request that was done."""
    return {"id": request_id, "ok": True, "result": result}


def error_json(request_id: str | None, error: RuntimedError) -> dict[str, Any]:
    """The answer to a request that was not."""
    return {"id": request_id, "ok": False, "error": error.to_json()}


def encode_json(value: Any) -> bytes:
    """JSON for the wire. What has no JSON form (NaN, bytes of a strange kernel) becomes null or a string."""
    try:
        return msgspec.json.encode(value)
    except (TypeError, ValueError, OverflowError, RecursionError):
        return json.dumps(value, default=str).encode("ascii")  # lone surrogates, escaped
