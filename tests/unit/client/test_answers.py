"""Answers find their requests by id alone."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from jupyter_runtimed.client.answers import Answers, deadline_of
from jupyter_runtimed.client.errors import Disconnected, TimedOut
from jupyter_runtimed.core.errors import NoSuchCell
from jupyter_runtimed.core.frames import FrameType
from jupyter_runtimed.core.limits import Limits


def request_id(frame: bytes) -> str:
    assert frame[0] == FrameType.REQUEST
    found: str = json.loads(frame[1:])["id"]
    return found


def answer(identity: str, **fields: Any) -> bytes:
    return json.dumps({"id": identity, **fields}).encode()


async def test_a_request_says_action_and_fields() -> None:
    frame, future = Answers().expect("execute_cell", {"cell_id": "a", "required_heads": ["00"]})
    body = json.loads(frame[1:])
    assert body.pop("id")
    assert body == {"action": "execute_cell", "cell_id": "a", "required_heads": ["00"]}
    future.cancel()


async def test_answers_are_matched_whatever_their_order() -> None:
    answers = Answers()
    first, one = answers.expect("a", {})
    second, two = answers.expect("b", {})
    answers.receive(answer(request_id(second), ok=True, result={"n": 2}))
    answers.receive(answer(request_id(first), ok=True, result={"n": 1}))
    assert (await answers.wait(one, 1, "a"))["n"] == 1
    assert (await answers.wait(two, 1, "b"))["n"] == 2
    await asyncio.sleep(0)  # from Python 3.12 on a wait for what is there gives up no turn
    assert len(answers) == 0


async def test_a_refusal_is_the_servers_own_exception() -> None:
    answers = Answers()
    frame, future = answers.expect("execute_cell", {"cell_id": "a"})
    answers.receive(
        answer(request_id(frame), ok=False, error={"code": "no_such_cell", "message": "no", "cell_id": "a"})
    )
    with pytest.raises(NoSuchCell) as refused:
        await answers.wait(future, 1, "execute_cell")
    assert refused.value.message == "no" and refused.value.details == {"cell_id": "a"}


async def test_an_answer_that_comes_too_late_is_not_taken_for_another() -> None:
    """Without ids a late answer was taken for the next question's."""
    answers = Answers()
    frame, future = answers.expect("a", {})
    with pytest.raises(TimedOut, match="no answer to a within 0 s"):
        await answers.wait(future, 0, "a")
    later, waiting = answers.expect("b", {})
    answers.receive(answer(request_id(frame), ok=True, result={"late": True}))
    answers.receive(answer(request_id(later), ok=True, result={"late": False}))
    assert await answers.wait(waiting, 1, "b") == {"late": False}


async def test_a_lost_connection_ends_what_is_due() -> None:
    answers = Answers()
    _, future = answers.expect("a", {})
    answers.fail(Disconnected("gone"))
    with pytest.raises(Disconnected):
        await answers.wait(future, 1, "a")


def test_deadlines_are_longer_than_the_servers_own() -> None:
    limits = Limits()
    loading_s = 30.0
    for action in ("execute_cell", "save_notebook", "restart_kernel", "complete"):
        assert deadline_of(action, {}) > limits.required_heads_timeout_s + loading_s
    assert deadline_of("wait_for_execution", {"timeout": 500}) > 500
    assert deadline_of("wait_for_execution", {}) > 30
