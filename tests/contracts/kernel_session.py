"""What holds for every `rooms.ports.kernel.KernelSession`. Run against the fake and, with real kernels, the adapter."""

from __future__ import annotations

import asyncio
import uuid
from typing import Any, Protocol

import pytest

from jupyter_runtimed.core.errors import NoKernel
from jupyter_runtimed.core.messages import KernelEvent, KernelInfo, KernelMessage, KernelNews, KernelNotice
from jupyter_runtimed.rooms.ports.kernel import KernelSession
from tests.support.waiting import becomes


class Kit(Protocol):
    """A session, and what others on the server do to its kernel. Its kernel prints what it is given as code."""

    session: KernelSession

    async def others_start(self) -> None: ...
    async def others_restart(self) -> None: ...
    async def others_shut_down(self) -> None: ...
    async def kill(self) -> None: ...


class Ear:
    """Listens to a session."""

    def __init__(self, kit: Kit) -> None:
        self.session = kit.session
        self.events: list[KernelEvent] = []

    async def _next(self, what: str, deadline_s: float) -> None:
        try:
            self.events += await asyncio.wait_for(self.session.receive(), deadline_s)
        except asyncio.TimeoutError:
            raise AssertionError(f"no {what}; heard {self.events}") from None

    async def hear(self, *news: KernelNews, deadline_s: float = 30.0) -> list[KernelNotice]:
        """Wait until there have been as many notices, which are these, the last one last."""
        while len(self.notices) < len(news):
            await self._next(str(news), deadline_s)
        heard = self.notices[: len(news)]
        assert [notice.news for notice in heard] == list(news)
        return heard

    @property
    def notices(self) -> list[KernelNotice]:
        return [event for event in self.events if isinstance(event, KernelNotice)]

    def messages(self, parent_id: str) -> list[KernelMessage]:
        return [event for event in self.events if isinstance(event, KernelMessage) and event.parent_id == parent_id]

    async def run(self, text: str) -> list[KernelMessage]:
        """Have something printed; what the kernel said about it."""
        parent = uuid.uuid4().hex
        content = {"code": f"print({text!r})", "silent": False, "store_history": True, "allow_stdin": False}
        self.session.send("shell", "execute_request", content, msg_id=parent)
        while not self._is_over(parent):
            await self._next("end of the execution", 30.0)
        return self.messages(parent)

    def _is_over(self, parent: str) -> bool:
        said = self.messages(parent)
        idle = any(m.msg_type == "status" and m.content["execution_state"] == "idle" for m in said)
        return idle and any(m.msg_type == "execute_reply" for m in said)


def printed(messages: list[KernelMessage]) -> str:
    return "".join(message.content["text"] for message in messages if message.msg_type == "stream")


async def a_kernel_begins_with_ready_and_then_runs(kit: Kit) -> None:
    kernel = await kit.session.start("python3")
    assert kernel.name == "python3" and kit.session.kernel == kernel
    ear = Ear(kit)
    messages = await ear.run("hello")
    assert printed(messages) == "hello\n"
    assert {message.channel for message in messages} == {"iopub", "shell"}
    assert isinstance(ear.events[0], KernelNotice) and ear.events[0].news is KernelNews.READY
    assert ear.events[0].kernel == kernel and ear.events[0].status in ("idle", "busy")


async def what_is_there_is_not_started_twice(kit: Kit) -> None:
    first = await kit.session.start("python3")
    assert await kit.session.start(None) == first and await kit.session.start("python3") == first
    assert kit.session.kernel is first and await kit.session.is_bound()
    ear = Ear(kit)
    await ear.run("x")
    assert [notice.news for notice in ear.notices] == [KernelNews.READY] and ear.notices[0].kernel is first


async def without_a_kernel_there_is_nobody_to_talk_to(kit: Kit) -> None:
    assert kit.session.kernel is None and not await kit.session.is_bound()
    with pytest.raises(NoKernel):
        kit.session.send("shell", "kernel_info_request", {}, msg_id="x")
    for action in (kit.session.interrupt, kit.session.restart):
        with pytest.raises(NoKernel):
            await action()
    await kit.session.shutdown()


async def a_restart_by_the_room_is_told_by_ready_alone(kit: Kit) -> None:
    await kit.session.start("python3")
    ear = Ear(kit)
    await ear.run("x")
    kernel = await kit.session.restart()
    assert kit.session.kernel == kernel
    assert printed(await ear.run("y")) == "y\n"
    await ear.hear(KernelNews.READY, KernelNews.READY)


async def what_others_did_before_the_room_did_something_is_told_no_more(kit: Kit) -> None:
    first = await kit.session.start("python3")
    ear = Ear(kit)
    await ear.run("x")
    await kit.others_restart()
    await becomes(lambda: kit.session.kernel is not first, "the end of the first life", 30)
    await kit.session.restart()
    assert printed(await ear.run("y")) == "y\n"
    await ear.hear(KernelNews.READY, KernelNews.READY)
    assert len(ear.notices) == 2


async def a_shutdown_by_the_room_is_not_told(kit: Kit) -> None:
    await kit.session.start("python3")
    ear = Ear(kit)
    await ear.run("x")
    await kit.session.shutdown()
    assert kit.session.kernel is None
    await kit.session.start("python3")
    assert printed(await ear.run("y")) == "y\n"
    await ear.hear(KernelNews.READY, KernelNews.READY)


async def a_kernel_that_dies_is_lost_and_may_come_back(kit: Kit) -> None:
    await kit.session.start("python3")
    ear = Ear(kit)
    await ear.run("x")
    await kit.kill()
    notices = await ear.hear(KernelNews.READY, KernelNews.LOST)
    assert notices[-1].message and notices[-1].status == "restarting" and notices[-1].kernel is None
    notices = await ear.hear(KernelNews.READY, KernelNews.LOST, KernelNews.READY)
    assert printed(await ear.run("y")) == "y\n"


async def what_others_do_to_the_kernel_is_told(kit: Kit) -> None:
    ear = Ear(kit)
    await kit.others_start()
    await ear.hear(KernelNews.READY)
    assert printed(await ear.run("x")) == "x\n"
    await kit.others_restart()
    await ear.hear(KernelNews.READY, KernelNews.LOST, KernelNews.READY)
    assert printed(await ear.run("y")) == "y\n"
    await kit.others_shut_down()
    while len(ear.notices) < 4 or ear.notices[-1].news is not KernelNews.GONE:
        await ear._next("end of the kernel", 30.0)
    # A shutdown may be seen on its way: lost, then gone.
    assert [notice.news for notice in ear.notices[3:]] in ([KernelNews.GONE], [KernelNews.LOST, KernelNews.GONE])
    assert ear.notices[-1].status == "not_started" and kit.session.kernel is None


async def closing_leaves_the_kernel_alone(kit: Kit) -> None:
    await kit.session.start("python3")
    await kit.session.move("elsewhere.ipynb")
    kit.session.report_activity()
    await kit.session.close()
    assert kit.session.kernel is None


SUITE: list[Any] = [
    a_kernel_begins_with_ready_and_then_runs,
    what_is_there_is_not_started_twice,
    without_a_kernel_there_is_nobody_to_talk_to,
    a_restart_by_the_room_is_told_by_ready_alone,
    what_others_did_before_the_room_did_something_is_told_no_more,
    a_shutdown_by_the_room_is_not_told,
    a_kernel_that_dies_is_lost_and_may_come_back,
    what_others_do_to_the_kernel_is_told,
    closing_leaves_the_kernel_alone,
]
"""Each rule, as a coroutine function of a fresh kit."""

__all__ = ["SUITE", "Kit", "KernelInfo"]
