"""`input()` as state of the execution."""

from __future__ import annotations

import logging

import pytest

from jupyter_runtimed.core.errors import AlreadyAnswered
from jupyter_runtimed.core.requests import InputReply
from tests.support.cell_runner import CellRunner, cell_runner
from tests.support.manual_clock import settle


async def asked(r: CellRunner, execution_id: str, *, password: bool = False) -> str:
    request_id = r.kernel.say("input_request", execution_id, channel="stdin", prompt="who? ", password=password)
    await settle()
    return request_id


async def answer(r: CellRunner, request_id: str, value: str = "bob") -> None:
    await r.executor.input_reply(InputReply(id="1", request_id=request_id, value=value))
    await settle()


async def test_a_question_is_part_of_the_execution_until_it_is_answered() -> None:
    async with cell_runner() as r:
        execution_id = await r.run()
        r.kernel.print(execution_id, "before\n")
        request_id = await asked(r, execution_id)
        assert r.execution(execution_id).input_request == {
            "request_id": request_id,
            "prompt": "who? ",
            "password": False,
        }
        assert r.shown(execution_id) == [("stdout", "before\n")]
        await answer(r, request_id)
        (reply,) = r.kernel.requests("input_reply")
        assert reply.channel == "stdin" and reply.content == {"value": "bob"}
        assert r.execution(execution_id).input_request is None and r.is_mirrored()
        assert r.shown(execution_id) == [("stdout", "before\nwho? bob\n")]


async def test_the_first_answer_wins() -> None:
    async with cell_runner() as r:
        execution_id = await r.run()
        request_id = await asked(r, execution_id)
        await answer(r, request_id, "first")
        for late in (request_id, "never asked"):
            with pytest.raises(AlreadyAnswered):
                await answer(r, late, "second")
        assert [sent.content for sent in r.kernel.requests("input_reply")] == [{"value": "first"}]


async def test_each_question_has_its_own_answer() -> None:
    async with cell_runner() as r:
        execution_id = await r.run()
        first = await asked(r, execution_id)
        await answer(r, first, "1")
        second = await asked(r, execution_id)
        assert second != first
        await answer(r, second, "2")
        assert [sent.content["value"] for sent in r.kernel.requests("input_reply")] == ["1", "2"]


async def test_a_password_is_neither_stored_nor_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with cell_runner() as r:
        execution_id = await r.run()
        request_id = await asked(r, execution_id, password=True)
        request = r.execution(execution_id).input_request
        assert request is not None and request["password"] is True
        await answer(r, request_id, "s3cret")
        r.kernel.end(execution_id)
        await settle()
        assert r.kernel.requests("input_reply")[0].content == {"value": "s3cret"}
        replica = r.runtime.replica
        assert (
            b"s3cret" not in replica.save() and "s3cret" not in str(r.runtime.state()) and "s3cret" not in caplog.text
        )
        assert not any(b"s3cret" in blob for blob in r.blobs.blobs.values())
        assert r.shown(execution_id) == [("stdout", "who? ········\n")]


@pytest.mark.parametrize("how", ["end", "interrupt", "death", "restart"])
async def test_a_question_that_nobody_waits_for_any_more_is_gone(how: str) -> None:
    async with cell_runner() as r:
        execution_id = await r.run()
        request_id = await asked(r, execution_id)
        if how == "end":
            r.kernel.end(execution_id, "error")
        elif how == "interrupt":
            await r.executor.interrupt()
        elif how == "death":
            r.kernel.lose()
        else:
            await r.executor.restart()
        await settle()
        assert r.execution(execution_id).input_request is None
        r.kernel.live()
        await settle()
        with pytest.raises(AlreadyAnswered):
            await answer(r, request_id)
        assert r.kernel.requests("input_reply") == []


async def test_a_question_of_a_callback_is_asked_by_the_cell_that_ran_last() -> None:
    async with cell_runner() as r:
        execution_id = await r.run()
        r.kernel.end(execution_id)
        await settle()
        request_id = await asked(r, "a comm message")
        request = r.execution(execution_id).input_request
        assert request is not None and request["request_id"] == request_id
        await answer(r, request_id)
        assert r.kernel.requests("input_reply")[0].content == {"value": "bob"}


async def test_a_question_that_nobody_can_see_does_not_block_the_kernel() -> None:
    async with cell_runner() as r:
        await asked(r, "nobody")
        assert r.kernel.requests("input_reply")[0].content == {"value": ""} and r.is_mirrored()
