"""A kernel in memory: it says what the test makes it say."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from jupyter_runtimed.core.errors import NoKernel, RuntimedError
from jupyter_runtimed.core.messages import KernelEvent, KernelInfo, KernelMessage, KernelNews, KernelNotice


@dataclass
class Sent:
    """A message to the kernel."""

    channel: str
    msg_type: str
    content: dict[str, Any]
    msg_id: str
    metadata: dict[str, Any] = field(default_factory=dict)
    buffers: list[bytes] = field(default_factory=list)


class FakeKernelSession:
    """`rooms.ports.kernel.KernelSession` by hand.

    Attributes:
        sent: what the kernel was told, in order.
        calls: interrupts, starts and the like, in order.
        refuses: what the next start raises.
        starts_by_itself: whether `start` succeeds at once; else the test calls `launched`.
        path: where the session is.
        is_replaced: whether others have restarted the kernel, of which the test tells later.
        is_mute: whether others have started a kernel that does not answer.
        may_shut_down: a shutdown takes until this is set.
        refuses_shutdown: what a shutdown raises; the kernel stays.
    """

    def __init__(self) -> None:
        self.sent: list[Sent] = []
        self.calls: list[str] = []
        self.refuses: RuntimedError | None = None
        self.starts_by_itself = True
        self.path = ""
        self.is_replaced = False
        self.is_mute = False
        self.refuses_shutdown: RuntimedError | None = None
        self.may_shut_down = asyncio.Event()
        self.may_shut_down.set()
        self.activity = 0
        self.on_send: Callable[[Sent], None] | None = None
        self._kernel: KernelInfo | None = None
        self._lives = 0
        self._messages = 0
        self._events: list[KernelEvent] = []
        self._filled = asyncio.Event()
        self._launched = asyncio.Event()

    # The port.

    @property
    def kernel(self) -> KernelInfo | None:
        return self._kernel

    async def is_bound(self) -> bool:
        return self._kernel is not None or self.is_mute

    async def start(self, kernel_name: str | None) -> KernelInfo:
        if self._kernel is not None and kernel_name in {None, self._kernel.name}:
            return self._kernel
        self.calls.append(f"start {kernel_name}")
        await asyncio.sleep(0)
        if not self.starts_by_itself:
            self._launched.clear()
            await self._launched.wait()
        if self.refuses is not None:
            error, self.refuses = self.refuses, None
            raise error
        return self.live(kernel_name or "python3", "the kernel was started")

    async def receive(self) -> list[KernelEvent]:
        await self._filled.wait()
        self._filled.clear()
        events, self._events = self._events, []
        return events

    def send(
        self,
        channel: str,
        msg_type: str,
        content: dict[str, Any],
        *,
        msg_id: str,
        metadata: dict[str, Any] | None = None,
        buffers: Sequence[bytes] = (),
    ) -> None:
        if self._kernel is None:
            raise NoKernel("there is no kernel")
        sent = Sent(channel, msg_type, content, msg_id, metadata or {}, list(buffers))
        self.sent.append(sent)
        if self.on_send is not None:
            self.on_send(sent)

    async def interrupt(self) -> None:
        if self._kernel is None:
            raise NoKernel("there is no kernel")
        self.calls.append("interrupt")

    async def restart(self) -> KernelInfo:
        if not await self.is_bound():
            raise NoKernel("there is no kernel")
        self.calls.append("restart")
        self._events.clear()
        name, self._kernel = self._kernel.name if self._kernel is not None else "python3", None
        await asyncio.sleep(0)
        if self.refuses is not None:
            error, self.refuses = self.refuses, None
            raise error
        return self.live(name, "the kernel was restarted")

    async def shutdown(self) -> None:
        self.calls.append("shutdown")
        self._kernel = None
        self._events.clear()
        await self.may_shut_down.wait()
        if self.refuses_shutdown is not None:
            raise self.refuses_shutdown

    def report_activity(self) -> None:
        self.activity += 1

    async def move(self, path: str) -> None:
        self.path = path

    async def close(self) -> None:
        self.calls.append("close")
        self._kernel = None

    # What the test does.

    def launched(self) -> None:
        """The launch that was asked for comes to its end."""
        self._launched.set()

    def live(self, name: str = "python3", message: str = "a kernel was started") -> KernelInfo:
        """A kernel is there, whoever started it."""
        self._lives += 1
        self.is_replaced = self.is_mute = False
        language = {"name": "python", "version": "3"}
        kernel = self._kernel = KernelInfo(f"kernel-{self._lives}", name, f"The {name}", "python", language)
        self._put(KernelNotice(KernelNews.READY, message, "idle", kernel))
        return kernel

    def lose(self, message: str = "the kernel died", status: str = "restarting") -> None:
        self._kernel = None
        self._put(KernelNotice(KernelNews.LOST, message, status))

    def go(self, message: str = "the kernel was shut down", status: str = "not_started") -> None:
        self._kernel = None
        self._put(KernelNotice(KernelNews.GONE, message, status))

    def say(
        self,
        msg_type: str,
        parent: str = "",
        *,
        channel: str = "iopub",
        parent_type: str = "execute_request",
        buffers: Sequence[bytes] = (),
        msg_id: str | None = None,
        **content: Any,
    ) -> str:
        """The kernel says something about a message."""
        self._messages += 1
        msg_id = msg_id or f"said-{self._messages}"
        message = KernelMessage(
            channel, msg_type, msg_id, parent, parent_type, content, {}, list(buffers), len(str(content))
        )
        self._put(message)
        return msg_id

    def busy(self, parent: str, count: int | None = 1) -> None:
        self.say("status", parent, execution_state="busy")
        if count is not None:
            self.say("execute_input", parent, code="", execution_count=count)

    def print(self, parent: str, text: str, name: str = "stdout") -> None:
        self.say("stream", parent, name=name, text=text)

    def reply(self, parent: str, status: str = "ok", **content: Any) -> None:
        self.say("execute_reply", parent, channel="shell", status=status, **content)

    def idle(self, parent: str) -> None:
        self.say("status", parent, execution_state="idle")

    def error(self, parent: str, ename: str = "E") -> None:
        self.say("error", parent, ename=ename, evalue="", traceback=[])

    def end(self, parent: str, status: str = "ok", **content: Any) -> None:
        self.reply(parent, status, **content)
        self.idle(parent)

    def requests(self, msg_type: str = "execute_request") -> list[Sent]:
        return [sent for sent in self.sent if sent.msg_type == msg_type]

    def _put(self, event: KernelEvent) -> None:
        self._events.append(event)
        self._filled.set()
