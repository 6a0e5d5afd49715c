"""How an error is said over HTTP: always `{"code", "message", …}`, never a page.

Our own errors carry their code and status (`core.errors`). What Tornado and Jupyter raise gets a code by its status.
"""

from __future__ import annotations

from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

from tornado.web import HTTPError

from jupyter_runtimed.core.errors import OtherLineage, OverLimit, ProtocolError, RuntimedError
from jupyter_runtimed.core.requests import encode_json

CODES = {
    400: "bad_request",
    401: "forbidden",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    409: "conflict",
    413: "too_large",
    500: "internal",
    507: "out_of_space",
}
"""The code of an error that did not bring its own, by HTTP status."""


def status_of(error: RuntimedError) -> int:
    """The HTTP status that answers an error. A message over a limit is too large, whatever carried it."""
    return 413 if isinstance(error, OverLimit) else error.status


def status_of_code(code: str) -> int:
    """The HTTP status for the code of an error that has been put into words already."""
    return next((kind.status for kind in _kinds(RuntimedError) if kind.code == code), 500)


def _kinds(base: type[RuntimedError]) -> Iterator[type[RuntimedError]]:
    yield base
    for kind in base.__subclasses__():
        yield from _kinds(kind)


def describe(status: int, error: BaseException | None) -> dict[str, Any]:
    """The JSON object of an error answer."""
    if isinstance(error, ProtocolError) and not isinstance(error, OtherLineage):
        # Over HTTP what would close a socket is a bad request, or one that is too large.
        return {**error.to_json(), "code": CODES[status_of(error)]}
    if isinstance(error, RuntimedError):
        return error.to_json()
    message = _standard_message(status)
    if isinstance(error, HTTPError) and error.log_message:
        try:
            message = error.log_message % error.args  # without arguments, Tornado has doubled the percent signs
        except (TypeError, ValueError):
            message = error.log_message
    return {"code": CODES.get(status, "bad_request" if status < 500 else "internal"), "message": message}


def encode_error(status: int, error: BaseException | None) -> bytes:
    """The body of an error answer."""
    return encode_json(describe(status, error))


def _standard_message(status: int) -> str:
    if status == 403:
        return "you are not signed in, or may not do this"
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "unknown error"
