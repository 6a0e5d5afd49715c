"""A server's refusal becomes the class that the server raised."""

from __future__ import annotations

import pytest

from jupyter_runtimed.client.errors import (
    Disconnected,
    NotebookClosed,
    TimedOut,
    error_from_close,
    error_from_json,
)
from jupyter_runtimed.core import errors
from jupyter_runtimed.core.errors import (
    Forbidden,
    Internal,
    NoSuchRoom,
    NotFound,
    PathAlreadyOpen,
    RuntimedError,
    TooLarge,
)

CODES = sorted(
    {
        kind.code
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, RuntimedError) and "code" in vars(kind)
    }
)


@pytest.mark.parametrize("code", CODES)
def test_every_code_of_the_server_comes_back_as_its_class(code: str) -> None:
    error = error_from_json({"code": code, "message": "words"})
    assert error.code == code and error.message == "words" and type(error) is not RuntimedError


def test_details_travel() -> None:
    error = error_from_json({"code": "path_already_open", "message": "m", "room_id": "r", "path": "p"})
    assert isinstance(error, PathAlreadyOpen) and error.details == {"room_id": "r", "path": "p"}


@pytest.mark.parametrize(
    ("status", "kind"), [(401, Forbidden), (403, Forbidden), (404, NotFound), (502, Disconnected), (500, Internal)]
)
def test_an_answer_that_is_not_ours_goes_by_its_status(status: int, kind: type[RuntimedError]) -> None:
    error = error_from_json("<html>a proxy</html>", status)
    assert type(error) is kind and "a proxy" in error.message


def test_an_unknown_code_is_still_an_error_with_its_words() -> None:
    error = error_from_json({"code": "from_the_future", "message": "words"})
    assert isinstance(error, Internal) and error.message == "words"


@pytest.mark.parametrize(
    ("code", "kind"),
    [(4403, Forbidden), (4404, NoSuchRoom), (4409, NotebookClosed), (1009, TooLarge), (1002, Internal)],
)
def test_close_codes_that_end_a_notebook_say_why(code: int, kind: type[RuntimedError]) -> None:
    error = error_from_close(code, "")
    assert type(error) is kind and error.message


@pytest.mark.parametrize("code", [None, 1000, 1001, 1006, 1008, 1011, 1013, 4410])
def test_other_close_codes_are_worth_another_try(code: int | None) -> None:
    assert error_from_close(code, "") is None


def test_time_that_is_up_is_a_timeout_error_too() -> None:
    assert issubclass(TimedOut, TimeoutError)
