"""What can go wrong for a client, on top of the answers a server gives.

A server's refusal becomes the very class of `jupyter_runtimed.core.errors` that the server raised (`NoSuchCell`,
`PathAlreadyOpen`, …), found by its code. Only a client knows the others:

```
RuntimedError
├─ HeadsUnconfirmed     the server did not say in time that it has our changes
├─ TimedOut             also a TimeoutError: an answer or an end that did not come in time
├─ Disconnected         no connection, or lost while an answer was due: it is unknown whether the request was done
├─ NotebookClosed       this notebook object was closed, by us or because the room is gone
├─ NotLoaded            a large output was read before it was fetched
└─ CellFailed           what `result.raise_for_error()` raises
```
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from jupyter_runtimed.core.errors import (
    BadRequest,
    Forbidden,
    Internal,
    Malformed,
    NoSuchRoom,
    NotFound,
    OverLimit,
    RuntimedError,
    TooLarge,
)

CLOSED_FORBIDDEN = 4403
CLOSED_NO_SUCH_ROOM = 4404
CLOSED_ROOM = 4409


class HeadsUnconfirmed(RuntimedError):
    """The server may or may not have our changes; they are still in the replica and will go up."""

    code = "heads_unconfirmed"
    status = 504


class TimedOut(RuntimedError, TimeoutError):
    """Something did not come in time; the message says what was waited for."""

    code = "timed_out"
    status = 504


class Disconnected(RuntimedError):
    code = "disconnected"
    status = 503


class NotebookClosed(RuntimedError):
    code = "room_closed"
    status = 410


class NotLoaded(RuntimedError):
    code = "not_loaded"
    status = 409


class CellFailed(RuntimedError):
    """A cell ended with an error, or was cancelled; `details` has `status`, and `ename` of an exception."""

    code = "cell_failed"
    status = 409


def _descendants(kind: type[RuntimedError]) -> Iterator[type[RuntimedError]]:
    for child in kind.__subclasses__():
        yield child
        yield from _descendants(child)


def error_from_json(body: object, http_status: int | None = None) -> RuntimedError:
    """The exception that an error answer stands for.

    Args:
        body: `{"code", "message", …details}`; anything else is what a proxy said.
        http_status: used where the body names no code.
    """
    fields: Mapping[str, Any] = body if isinstance(body, Mapping) else {}
    code = fields.get("code")
    details = {str(key): value for key, value in fields.items() if key not in ("code", "message")}
    message = str(fields.get("message") or body or f"the server answered HTTP {http_status}")
    for kind in _descendants(RuntimedError):
        if "code" in vars(kind) and kind.code == code:
            return kind(message, **details)
    by_status: dict[int | None, type[RuntimedError]] = {
        400: BadRequest,
        401: Forbidden,
        403: Forbidden,
        404: NotFound,
        413: TooLarge,
        502: Disconnected,
        503: Disconnected,
        504: Disconnected,
    }
    return by_status.get(http_status, Internal)(message, **details)


def error_from_close(code: int | None, reason: str) -> RuntimedError | None:
    """The exception that a close code stands for, or None when trying again may help."""
    if code == CLOSED_FORBIDDEN:
        return Forbidden(reason or "the server refused our changes: this user may not write here")
    if code == CLOSED_NO_SUCH_ROOM:
        return NoSuchRoom(reason or "there is no such room (any more)")
    if code == CLOSED_ROOM:
        return NotebookClosed(reason or "the room was closed")
    if code == Malformed.close_code:
        return Internal(reason or "the server understood one of our frames as broken and closed the socket")
    if code == OverLimit.close_code:
        return TooLarge(reason or "one of our frames was over a limit of the server")
    return None
