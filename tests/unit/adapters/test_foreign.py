"""Whatever code that is not ours raises, one error comes of it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from tornado.web import HTTPError

from jupyter_runtimed.adapters.foreign import ForeignError, call
from jupyter_runtimed.core.errors import Internal, NotFound


async def test_methods_of_both_kinds_are_called() -> None:
    async def later(value: int, *, more: int) -> int:
        await asyncio.sleep(0)
        return value + more

    assert await call(later, 1, more=2) == await call(lambda value, more: value + more, 1, more=2) == 3


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (KeyError("gone"), "'gone'"),
        (RuntimeError("two\n  lines"), "two lines"),
        (OSError(), "OSError"),
        (HTTPError(500, "storage is away"), "storage is away"),
    ],
)
@pytest.mark.parametrize("is_async", [True, False])
async def test_what_is_raised_is_told_in_one_line(error: Exception, message: str, is_async: bool) -> None:
    def now() -> None:
        raise error

    async def later() -> None:
        raise error

    with pytest.raises(ForeignError) as raised:
        await call(later if is_async else now)
    assert raised.value.cause is error and raised.value.message == message
    assert isinstance(raised.value, Internal) and raised.value.code == "internal"


async def test_our_own_errors_and_cancellations_stay_what_they_are() -> None:
    async def refuse() -> Any:
        raise NotFound("there is none")

    async def stop() -> Any:
        raise asyncio.CancelledError

    with pytest.raises(NotFound):
        await call(refuse)
    with pytest.raises(asyncio.CancelledError):
        await call(stop)
