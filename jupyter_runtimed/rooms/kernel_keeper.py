"""One room's kernel: whether there is one, and getting one, once at a time.

```
from       event                  to
─────────  ─────────────────────  ─────────
absent     a kernel is wanted     starting    unless a launch failed a moment ago: then it failed again
absent     READY (others' kernel) ready
starting   READY                  ready
starting   launch failed          absent      what waited for it is told
starting   restart by the room    starting    what was being launched is restarted, or launched anew
absent     restart by the room    starting    if others have started a kernel that does not answer yet
ready      LOST                   returning   it may come back
ready      restart by the room    returning
ready      found to be replaced   returning   before LOST or GONE has told so
returning  READY                  ready
any        GONE, shutdown         absent
```

Only `KernelNotice`s make a kernel ready, so that state and messages keep their order.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from enum import Enum
from typing import Any

from jupyter_runtimed.core.errors import KernelDied, NoKernel, RuntimedError
from jupyter_runtimed.core.messages import KernelInfo, KernelNews, KernelNotice
from jupyter_runtimed.rooms.ports.clock import Clock
from jupyter_runtimed.rooms.ports.kernel import KernelSession
from jupyter_runtimed.rooms.tasks import Tasks

_log = logging.getLogger("jupyter_runtimed.rooms.kernel_keeper")


class KernelState(Enum):
    """See the table in the module."""

    ABSENT = "absent"
    STARTING = "starting"
    READY = "ready"
    RETURNING = "returning"


class KernelKeeper:
    """See the module.

    Args:
        session: the room's line to its kernel.
        clock: the time.
        tasks: the room's.
        cooldown_seconds: how long a failed launch is not tried again by itself.
        preferred: the kernelspec the notebook asks for; None leaves it to the server.
        show: writes kernel fields into the runtime document.
        on_failed: told why there is no kernel, for what waits for one.
    """

    def __init__(
        self,
        session: KernelSession,
        clock: Clock,
        tasks: Tasks,
        *,
        cooldown_seconds: float,
        preferred: Callable[[], str | None],
        show: Callable[[dict[str, Any]], None],
        on_failed: Callable[[RuntimedError], None],
    ) -> None:
        self.session = session
        self.state = KernelState.ABSENT
        self._clock = clock
        self._tasks = tasks
        self._cooldown_seconds = cooldown_seconds
        self._preferred = preferred
        self._show = show
        self._on_failed = on_failed
        self._launch: asyncio.Task[KernelInfo] | None = None
        self._launched_name: str | None = None
        self._failure: tuple[float, str | None, RuntimedError] | None = None

    @property
    def is_ready(self) -> bool:
        """Whether the kernel can be spoken to."""
        return self.state is KernelState.READY

    @property
    def is_there(self) -> bool:
        """Whether there is a kernel, or one is on its way."""
        return self.state is not KernelState.ABSENT

    def want(self) -> None:
        """Get a kernel unless there is one or one is on its way; `on_failed` says when none can be had."""
        if self.state is not KernelState.ABSENT or self._launch is not None:
            return
        name = self._preferred()
        if self._failure is not None:
            failed_at, failed_name, error = self._failure
            if failed_name == name and self._clock.monotonic() - failed_at < self._cooldown_seconds:
                self._on_failed(error)
                return
        self._begin_launch(name, lambda: self.session.start(name))

    async def start(self, kernel_name: str | None) -> KernelInfo:
        """Start a kernel because somebody asked for it; a running one of another name is replaced.

        Raises:
            NoKernel: there is no such kernelspec, or it cannot be launched, or was shut down meanwhile.
            KernelDied: it ended before it answered.
        """
        while self._launch is not None:
            # One launch at a time; what it brought may be what was asked for.
            await asyncio.wait({self._launch})
        name = kernel_name or self._preferred()
        kernel = self.session.kernel
        if self.is_ready and kernel is not None and name in {None, kernel.name}:
            return kernel
        return await self._outcome(self._begin_launch(name, lambda: self.session.start(name)))

    async def look(self) -> None:
        """Make sure that there is a kernel, be it one of others that has not answered yet. Raises NoKernel."""
        if not self.is_there and not await self.session.is_bound():
            raise NoKernel("there is no kernel to restart; run a cell or start one")

    async def restart(self) -> KernelInfo:
        """Restart the kernel, or what is on its way; if there is neither, what `look` has found.

        Raises:
            NoKernel, KernelDied: there is none any more.
        """
        if self._launch is not None or not self.is_there:
            return await self._outcome(self._begin_anew(self._launch))
        self.state = KernelState.RETURNING
        self._show({"status": "restarting", "error": None})
        try:
            return await self.session.restart()
        except RuntimedError as error:
            self._fail(None, error)
            raise

    def replaced(self) -> None:
        """Others have ended or restarted the kernel, of which no notice has come yet."""
        self.state = KernelState.RETURNING
        self._show({"status": "restarting"})

    async def shutdown(self) -> None:
        """Shut the kernel down, if there is one. Raises Internal: then it is still there, and READY tells so."""
        launch = self._launch
        if launch is not None:
            launch.cancel()
            await asyncio.wait({launch})
        self.state = KernelState.ABSENT
        try:
            await self.session.shutdown()
        finally:
            if self.state is KernelState.RETURNING:  # news of before; nothing comes back now
                self.state = KernelState.ABSENT
        self._show({"status": "not_started", "kernel_id": None, "error": None})

    def notice(self, notice: KernelNotice) -> None:
        """Something became of the kernel."""
        if notice.news is KernelNews.READY and notice.kernel is not None:
            self.state = KernelState.READY
            self._failure = None
            kernel = notice.kernel
            self._show(
                {
                    "name": kernel.name,
                    "display_name": kernel.display_name,
                    "language": kernel.language,
                    "kernel_id": kernel.kernel_id,
                    "status": notice.status,
                    "error": None,
                }
            )
        elif notice.news is KernelNews.LOST:
            self.state = KernelState.RETURNING
            self._show({"status": notice.status})
        else:
            self.state = KernelState.STARTING if self._launch is not None else KernelState.ABSENT
            error = {"code": KernelDied.code, "message": notice.message} if notice.status == "dead" else None
            self._show({"status": notice.status, "kernel_id": None, "error": error})

    def _begin_launch(
        self, name: str | None, bring: Callable[[], Coroutine[Any, Any, KernelInfo]]
    ) -> asyncio.Task[KernelInfo]:
        self.state = KernelState.STARTING
        fields = {} if name is None else {"name": name}
        self._show({"status": "starting", "error": None, **fields})
        self._launched_name = name
        self._launch = self._tasks.start(self._run_launch(name, bring), "kernel launch")
        return self._launch

    def _begin_anew(self, before: asyncio.Task[KernelInfo] | None) -> asyncio.Task[KernelInfo]:
        """Restart what does not answer, whoever has started it; what is half-way launched is launched again."""
        name = self._launched_name if before is not None else None

        async def bring() -> KernelInfo:
            if before is None:
                return await self.session.restart()
            before.cancel()
            await asyncio.wait({before})
            if not before.cancelled() and before.exception() is None:
                return before.result()  # it has answered just now
            return await (self.session.restart() if await self.session.is_bound() else self.session.start(name))

        return self._begin_launch(name, bring)

    async def _outcome(self, launch: asyncio.Task[KernelInfo]) -> KernelInfo:
        """What a launch brings, or the one that took its place."""
        while True:
            await asyncio.wait({launch})
            if not launch.cancelled():
                return launch.result()
            if self._launch is None:
                raise NoKernel("the kernel was shut down before it had started")
            launch = self._launch

    async def _run_launch(self, name: str | None, bring: Callable[[], Coroutine[Any, Any, KernelInfo]]) -> KernelInfo:
        started = self._clock.monotonic()
        try:
            kernel = await bring()
        except Exception as error:  # provisioners are other people's code; what they raise is why there is no kernel
            failure = error if isinstance(error, RuntimedError) else NoKernel(f"the kernel did not start: {error}")
            if self._end_launch():
                self._fail(name, failure)
            raise failure from error
        finally:
            self._end_launch()
        _log.info("kernel started name=%s ms=%d", kernel.name, (self._clock.monotonic() - started) * 1000)
        return kernel

    def _end_launch(self) -> bool:
        """Whether the launch that ends is the one that counts: another may have taken its place."""
        is_ours = self._launch is asyncio.current_task()
        if is_ours:
            self._launch = None
        return is_ours

    def _fail(self, name: str | None, error: RuntimedError) -> None:
        self.state = KernelState.ABSENT
        self._failure = (self._clock.monotonic(), name, error)
        self._show({"status": "error", "kernel_id": None, "error": {"code": error.code, "message": error.message}})
        self._on_failed(error)
