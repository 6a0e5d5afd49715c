"""A line to one life of one kernel: from opening the channels until the process is another one.

Kernels are restarted under the same id by whoever likes. What tells two lives apart is the manager's `ready` future,
which is made anew whenever a process is launched or shut down.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import uuid
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Protocol

from jupyter_runtimed.adapters.foreign import ForeignError, call
from jupyter_runtimed.core.errors import KernelDied
from jupyter_runtimed.core.messages import KernelMessage

log = logging.getLogger(__name__)

_NUDGE_SECONDS = 0.5
_LAUNCH_LOOK_SECONDS = 0.02
_STDIN_SECONDS = 2.0
"""How long to wait for the stdin channel of a kernel that has answered: some kernels may have none."""

_BUSY_SECONDS = 3.0
"""A kernel that runs already may be at work on something and not answer; it is used all the same."""


class Channels(Protocol):
    """What carries the messages: ZMQ, or a WebSocket to a gateway.

    Attributes:
        may_ask: done when a question of the kernel (`input()`) would arrive.
    """

    may_ask: asyncio.Future[None]

    async def open(self) -> None:
        """Connect; messages go to the owner from now on."""
        ...

    def send(
        self,
        channel: str,
        msg_type: str,
        content: dict[str, Any],
        msg_id: str,
        metadata: dict[str, Any],
        buffers: Sequence[bytes],
    ) -> None:
        """Send one message without waiting."""
        ...

    def close(self) -> None:
        """Disconnect. Nothing comes any more."""
        ...


class ChannelOwner(Protocol):
    """Where messages go."""

    def take(self, message: KernelMessage) -> None:
        """A message arrived."""
        ...

    async def room(self) -> None:
        """Wait while there is too much that nobody has looked at."""
        ...

    def broken(self, message: str) -> None:
        """The channels do not work any more and will not by themselves."""
        ...


MakeChannels = Callable[[Any, ChannelOwner], Channels]


def is_behind_gateway(manager: Any) -> bool:
    """Whether a kernel manager speaks for a kernel that a gateway runs."""
    return hasattr(manager, "kernel_url")


def life_of(manager: Any) -> Any:
    """What stands for the process a manager has now, launched or being launched; None behind a gateway."""
    return None if is_behind_gateway(manager) else getattr(manager, "ready", None)


async def is_settled(life: Any, timeout_seconds: float) -> bool:
    """Wait while a process is being launched, or ended for a restart; whether that took no longer than this."""
    loop = asyncio.get_running_loop()
    end = loop.time() + timeout_seconds
    # The future may belong to another thread's loop.
    while life is not None and not life.done():
        if loop.time() > end:
            return False
        await asyncio.sleep(_LAUNCH_LOOK_SECONDS)
    return True


async def is_alive(manager: Any) -> bool:
    """Whether a manager's process runs."""
    try:
        return bool(await call(manager.is_alive))
    except ForeignError as error:
        # A gateway that cannot be asked says nothing about the kernel.
        log.info("kernel could not be asked whether it lives: %s", error.message)
        return True


async def is_back(manager: Any, life: Any) -> bool:
    """Whether another process runs in the place of a life's. The manager is None when the kernel was removed."""
    if manager is None or getattr(manager, "shutting_down", False) or life_of(manager) is life:
        return False
    return await is_alive(manager)


def may_come_back(manager: Any, life: Any) -> bool:
    """Whether a life is being followed by another one, as far as one can tell: a shutdown begins as a restart does."""
    now = life_of(manager)
    return now is not None and now is not life and not (now.done() and now.exception() is not None)


class KernelLine:
    """One life of a kernel, as a `ChannelOwner`.

    Args:
        name: of its kernelspec, for people.
        manager: the kernel's own manager.
        make_channels: makes the channels.
        room: see `ChannelOwner`.
        broken: told why the line is of no use any more, and whether the kernel is known to be dead.
    """

    def __init__(
        self,
        name: str,
        manager: Any,
        make_channels: MakeChannels,
        room: Callable[[], Coroutine[Any, Any, None]],
        broken: Callable[[str, bool], None],
    ) -> None:
        self.name = name
        self.manager = manager
        self.is_local = not is_behind_gateway(manager)
        self.life = life_of(manager)
        self._early: list[KernelMessage] = []
        self._deliver: Callable[[KernelMessage], None] = self._early.append
        self._wait_for_room = room
        self._tell_broken = broken
        self._channels = make_channels(manager, self)
        self._probes: set[str] = set()
        self._answer: asyncio.Future[Any] | None = None
        self._heard: asyncio.Future[Any] | None = None

    @property
    def is_same_life(self) -> bool:
        """Whether the process is still the one the line was made for, dead or alive."""
        return life_of(self.manager) is self.life

    @property
    def restarts_by_itself(self) -> bool:
        """Whether the server brings a kernel that died back."""
        return bool(getattr(self.manager, "autorestart", False))

    @property
    def is_busy(self) -> bool:
        """What the server thinks the kernel is doing."""
        return getattr(self.manager, "execution_state", None) == "busy"

    async def is_alive(self) -> bool:
        """Whether the process runs."""
        return await is_alive(self.manager)

    async def open(self, timeout_seconds: float, *, may_be_busy: bool) -> dict[str, Any]:
        """Open the channels and wait until the kernel answers.

        Args:
            timeout_seconds: how long a kernel that starts may take.
            may_be_busy: it has run for a while, so it may have reasons not to answer.

        Returns:
            The content of its `kernel_info_reply`; empty when it was too busy to give one.

        Raises:
            KernelDied: it ended first, or does not answer.
        """
        loop = asyncio.get_running_loop()
        self._answer = loop.create_future()
        self._heard = loop.create_future()
        # Some servers give kernels out before they are launched.
        if not await is_settled(self.life, timeout_seconds):
            raise KernelDied(f"the kernel was not launched within {timeout_seconds:g} seconds")
        await self._channels.open()
        may_be_busy = may_be_busy and getattr(self.manager, "execution_state", None) != "starting"
        deadline = loop.time() + (min(_BUSY_SECONDS, timeout_seconds) if may_be_busy else timeout_seconds)
        while loop.time() < deadline:
            self._ask()
            await asyncio.wait({self._answer, self._heard}, timeout=_NUDGE_SECONDS)
            if self._answer.done() and self._heard.done():
                # A kernel throws away what it asks on a channel that is not connected yet, and waits for ever.
                await asyncio.wait({self._channels.may_ask}, timeout=_STDIN_SECONDS)
                return self._told(self._answer)
            if not self.is_same_life or not await self.is_alive():
                raise KernelDied(f"the kernel {self.name} ended before it answered{await self._exit()}")
        if may_be_busy:
            return self._told(self._answer)
        raise KernelDied(f"the kernel {self.name} did not answer within {timeout_seconds:g} seconds")

    def deliver_to(self, take: Callable[[KernelMessage], None]) -> None:
        """Hand over what the kernel has said since the line was opened, and what it says from now on."""
        for message in self._early:
            take(message)
        self._early.clear()
        self._deliver = take

    def send(
        self,
        channel: str,
        msg_type: str,
        content: dict[str, Any],
        msg_id: str,
        metadata: dict[str, Any] | None = None,
        buffers: Sequence[bytes] = (),
    ) -> None:
        """Send one message without waiting."""
        self._channels.send(channel, msg_type, content, msg_id, metadata or {}, buffers)

    def close(self) -> None:
        """Hear nothing more of this kernel."""
        self._deliver = _ignore
        self._channels.close()

    # ---- as the owner of the channels ----------------------------------------------------------------------------

    def take(self, message: KernelMessage) -> None:
        """A message arrived."""
        if message.channel == "iopub" and self._heard is not None and not self._heard.done():
            self._heard.set_result(None)
        if message.parent_id in self._probes:
            if message.msg_type == "kernel_info_reply" and self._answer is not None and not self._answer.done():
                self._answer.set_result(message)
            return
        if message.msg_type == "status" and not self.is_local:
            # A gateway says this of a kernel whose process ended; it will start another one, or not.
            state = message.content.get("execution_state")
            if state in {"restarting", "autorestarting", "dead"}:
                self._tell_broken("the kernel died", state == "dead")
                return
        if message.msg_type != "iopub_welcome":
            self._deliver(message)

    async def room(self) -> None:
        """Wait while there is too much that nobody has looked at."""
        await self._wait_for_room()

    def broken(self, message: str) -> None:
        """The channels do not work any more."""
        self._tell_broken(message, False)

    def _told(self, answer: asyncio.Future[Any]) -> dict[str, Any]:
        content: dict[str, Any] = answer.result().content if answer.done() else {}
        return content

    def _ask(self) -> None:
        # A kernel that is at work answers on control only, an old one on shell only.
        for channel in ("shell", "control"):
            msg_id = uuid.uuid4().hex
            self._probes.add(msg_id)
            self.send(channel, "kernel_info_request", {}, msg_id)

    async def _exit(self) -> str:
        code = None
        provisioner = getattr(self.manager, "provisioner", None)
        if provisioner is not None and self.is_same_life:
            with contextlib.suppress(ForeignError):
                code = await call(provisioner.poll)
        return "" if code is None else f" (exit code {code})"


def _ignore(_: KernelMessage) -> None:
    """Where messages go that came too late."""
