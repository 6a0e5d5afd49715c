"""Errors as answers."""

from __future__ import annotations

import json

import pytest
from tornado.web import HTTPError

from jupyter_runtimed.core.errors import (
    Forbidden,
    Malformed,
    NoSuchRoom,
    OtherLineage,
    OverLimit,
    PathAlreadyOpen,
)
from jupyter_runtimed.handlers.errors import describe, encode_error, status_of, status_of_code


def test_our_own_errors_carry_their_code_and_details() -> None:
    error = PathAlreadyOpen("it is open", room_id="r", path="a.ipynb")
    assert describe(409, error) == {
        "code": "path_already_open",
        "message": "it is open",
        "room_id": "r",
        "path": "a.ipynb",
    }
    assert json.loads(encode_error(409, error))["room_id"] == "r"


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (Malformed("x"), 400, "bad_request"),
        (OverLimit("x"), 413, "too_large"),
        (OtherLineage("x"), 409, "other_lineage"),
        (NoSuchRoom("x"), 404, "no_such_room"),
        (Forbidden("x"), 403, "forbidden"),
    ],
)
def test_what_would_close_a_socket_is_a_bad_request_over_http(error: Exception, status: int, code: str) -> None:
    assert status_of(error) == status  # type: ignore[arg-type]
    assert describe(status, error)["code"] == code


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (HTTPError(404, "no %s here", "room"), "no room here"),
        (HTTPError(404, "100% off"), "100% off"),
        (HTTPError(404), "Not Found"),
        (None, "Not Found"),
    ],
)
def test_what_tornado_raises_has_a_code_by_its_status(error: HTTPError | None, message: str) -> None:
    assert describe(404, error) == {"code": "not_found", "message": message}


def test_what_nobody_expected_says_nothing_of_itself() -> None:
    assert describe(500, RuntimeError("secret")) == {"code": "internal", "message": "Internal Server Error"}


def test_a_status_nobody_knows_is_still_an_answer() -> None:
    assert describe(499, None)["code"] == "bad_request"
    assert describe(599, None)["code"] == "internal"


def test_the_status_of_an_answered_request_follows_its_code() -> None:
    assert [status_of_code(code) for code in ("no_such_cell", "heads_missing", "forbidden", "too_large", "never")] == [
        404,
        409,
        403,
        413,
        500,
    ]
