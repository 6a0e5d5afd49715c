"""One test per arrow of the table in core.execution_queue, and one per arrow that is not there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from jupyter_runtimed.core.execution_queue import Entry, ExecutionQueue, InvalidTransition, Status, Transition
from jupyter_runtimed.core.ids import CellId, ExecutionId

DIED = {"code": "kernel_died", "message": "the kernel died"}


def entry(name: str, batch: str | None = None, cell: str | None = None) -> Entry:
    return Entry(ExecutionId(name), CellId(cell or f"cell-{name}"), f"source of {name}", batch)


def queue_of(*names: str, batch: str | None = None, started: bool = False) -> ExecutionQueue:
    queue = ExecutionQueue()
    for name in names:
        queue.queue(entry(name, batch))
    if started:
        queue.start()
    return queue


def told(transitions: list[Transition]) -> list[tuple[str, str]]:
    return [(transition.entry.execution_id, transition.status.value) for transition in transitions]


def ident(name: str) -> ExecutionId:
    return ExecutionId(name)


def test_what_is_queued_waits_with_its_source() -> None:
    queue = ExecutionQueue()
    transition = queue.queue(entry("a"))
    assert transition == Transition(entry("a"), Status.QUEUED)
    assert queue.status(ident("a")) is Status.QUEUED and not queue.is_empty
    assert [waiting.source for waiting in queue.queued] == ["source of a"]


def test_they_start_in_order_and_one_at_a_time() -> None:
    queue = queue_of("a", "b")
    first = queue.start()
    assert first is not None and first.entry.execution_id == "a" and first.status is Status.RUNNING
    assert queue.start() is None
    assert queue.running == entry("a") and queue.status(ident("b")) is Status.QUEUED
    queue.done(ident("a"))
    second = queue.start()
    assert second is not None and second.entry.execution_id == "b"


def test_done_ends_one_execution_only() -> None:
    queue = queue_of("a", "b", batch="all", started=True)
    assert told(queue.done(ident("a"))) == [("a", "done")]
    assert queue.status(ident("a")) is None and queue.status(ident("b")) is Status.QUEUED


def test_an_error_cancels_the_rest_of_its_batch_and_nothing_else() -> None:
    queue = queue_of("a", "b", "c", batch="first", started=True)
    queue.queue(entry("alone"))
    queue.queue(entry("d", "second"))
    assert told(queue.failed(ident("a"))) == [("a", "error"), ("b", "cancelled"), ("c", "cancelled")]
    assert [waiting.execution_id for waiting in queue.queued] == ["alone", "d"]


def test_an_error_of_a_single_run_cancels_nothing() -> None:
    queue = queue_of("a", "b", started=True)
    assert told(queue.failed(ident("a"))) == [("a", "error")]
    assert queue.status(ident("b")) is Status.QUEUED


def test_an_aborted_run_is_cancelled_with_its_batch() -> None:
    queue = queue_of("a", "b", batch="all", started=True)
    assert told(queue.aborted(ident("a"))) == [("a", "cancelled"), ("b", "cancelled")]


def test_an_interrupt_cancels_what_is_queued_at_that_moment() -> None:
    queue = queue_of("a", "b", "c", started=True)
    assert told(queue.interrupt()) == [("b", "cancelled"), ("c", "cancelled")]
    assert queue.running == entry("a")
    queue.queue(entry("later"))
    assert told(queue.failed(ident("a"))) == [("a", "error")]
    started = queue.start()
    assert started is not None and started.entry.execution_id == "later"


def test_the_error_of_an_interrupt_does_not_touch_a_newer_batch() -> None:
    queue = queue_of("a", "b", batch="old", started=True)
    queue.interrupt()
    queue.queue(entry("new", "new"))
    assert told(queue.failed(ident("a"))) == [("a", "error")]
    assert queue.status(ident("new")) is Status.QUEUED


def test_a_deleted_cell_is_cancelled_while_it_waits_and_goes_on_while_it_runs() -> None:
    queue = ExecutionQueue()
    queue.queue(entry("a", cell="x"))
    queue.queue(entry("b", cell="y"))
    queue.queue(entry("c", cell="x"))
    queue.start()
    assert told(queue.cell_deleted(CellId("x"))) == [("c", "cancelled")]
    assert queue.running is not None and told(queue.cell_deleted(CellId("none"))) == []


def test_a_kernel_that_is_gone_ends_everything() -> None:
    queue = queue_of("a", "b", "c", started=True)
    ended = queue.kernel_gone(DIED)
    assert told(ended) == [("a", "error"), ("b", "cancelled"), ("c", "cancelled")]
    assert ended[0].error == DIED and ended[1].error is None and queue.is_empty
    assert queue.kernel_gone(DIED) == []


def test_a_failed_launch_is_an_error_of_all_that_waited() -> None:
    queue = queue_of("a", "b")
    error = {"code": "no_kernel", "message": "no such kernel"}
    ended = queue.launch_failed(error)
    assert told(ended) == [("a", "error"), ("b", "error")]
    assert all(transition.error == error for transition in ended) and queue.is_empty


@pytest.mark.parametrize("event", [ExecutionQueue.done, ExecutionQueue.failed, ExecutionQueue.aborted])
@pytest.mark.parametrize("state", ["unknown", "queued", "ended"])
def test_only_what_runs_can_end(event: Callable[..., Any], state: str) -> None:
    queue = queue_of("a", "b", started=True)
    name = {"unknown": "x", "queued": "b", "ended": "a"}[state]
    if state == "ended":
        queue.done(ident("a"))
    before = (queue.running, queue.queued)
    with pytest.raises(InvalidTransition):
        event(queue, ident(name))
    assert (queue.running, queue.queued) == before


@pytest.mark.parametrize("started", [True, False])
def test_nothing_is_queued_twice(started: bool) -> None:
    queue = queue_of("a", started=started)
    with pytest.raises(InvalidTransition):
        queue.queue(entry("a"))


def test_a_launch_cannot_fail_while_something_runs() -> None:
    queue = queue_of("a", "b", started=True)
    with pytest.raises(InvalidTransition):
        queue.launch_failed(DIED)
    assert queue.status(ident("b")) is Status.QUEUED and queue.running is not None


def test_an_empty_queue_has_nothing_to_start_interrupt_or_lose() -> None:
    queue = ExecutionQueue()
    assert queue.is_empty and queue.start() is None and queue.interrupt() == [] and queue.launch_failed(DIED) == []


def test_final_states_say_so() -> None:
    assert {status for status in Status if status.is_final} == {Status.DONE, Status.ERROR, Status.CANCELLED}
