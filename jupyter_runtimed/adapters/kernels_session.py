"""One room's kernel session, over jupyter_server's session manager and kernel manager.

The session row at the room's path is shared with everybody else on the server: front ends find the room's kernel
there and the room finds theirs. So nothing here may assume to be the only one who starts, changes, restarts or shuts
down: `look` is called often, compares what is with what was, and tells the difference.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from contextlib import AsyncExitStack
from datetime import datetime, timezone
from typing import Any

from jupyter_runtimed.adapters.foreign import ForeignError, call
from jupyter_runtimed.adapters.kernels_connection import RETURN_SECONDS, KernelConnection
from jupyter_runtimed.adapters.kernels_line import KernelLine, life_of
from jupyter_runtimed.adapters.kernels_row import SessionRow
from jupyter_runtimed.adapters.kernels_server import Inbox, Server
from jupyter_runtimed.core.errors import Internal, KernelDied, NoKernel, RuntimedError
from jupyter_runtimed.core.messages import KernelEvent, KernelInfo, KernelNews, KernelNotice

log = logging.getLogger(__name__)


class JupyterKernelSession:
    """A `rooms.ports.kernel.KernelSession`."""

    def __init__(self, server: Server, room_id: str, path: str | None, directory: str) -> None:
        # Without a file the session stands at a path nobody else uses, in the folder the kernel should run in.
        path = path or "/".join(part for part in (directory.strip("/"), f"untitled-{room_id}.ipynb") if part)
        self.is_closed = False
        self._server = server
        self._row = SessionRow(server, path)
        self._inbox = Inbox()
        # Held while the kernel is being changed; a look that comes meanwhile would see half of it.
        self._lock = asyncio.Lock()
        self._connection = KernelConnection(server, self._row, self._inbox, self._broken)
        self._lost_at: float | None = None
        self._has_died = False
        self._unreachable: tuple[str | None, Any] | None = None
        self._following: asyncio.Task[KernelInfo] | None = None

    # ---- the port ----------------------------------------------------------------------------------------------

    @property
    def kernel(self) -> KernelInfo | None:
        """The kernel that is there and answers."""
        return self._connection.kernel

    @property
    def is_replaced(self) -> bool:
        """Whether others have ended or restarted the kernel, and no look has found it yet."""
        line = self._connection.line
        return line is not None and (self._row.manager is None or not line.is_same_life)

    async def start(self, kernel_name: str | None) -> KernelInfo:
        """Use the kernel of the session at the path, or start one, and wait until it answers."""
        if kernel_name not in {None, self._row.kernel_name}:
            self._stop_following()
        async with self._lock:
            try:
                found = await self._attach(kernel_name)
            except KernelDied:
                await self._discard()
                found = None
            if found is None:
                try:
                    await self._server.whole(self._row.create(kernel_name), "kernel launch")
                except asyncio.CancelledError:
                    await self._discard()
                    raise
                found = await self._connect_new("the kernel was started")
            return found

    async def is_bound(self) -> bool:
        """Whether the session at the path has a kernel, be it one that has not answered yet."""
        return self._row.manager is not None or self._row.find(await self._server.rows()) is not None

    async def receive(self) -> list[KernelEvent]:
        """Wait for news and give all there are."""
        return await self._inbox.take()

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
        """Say something to the kernel."""
        if self._connection.line is None or self._connection.kernel is None:
            raise NoKernel("there is no kernel; run a cell or start one")
        self._connection.line.send(channel, msg_type, content, msg_id, metadata, buffers)

    async def interrupt(self) -> None:
        """Interrupt what the kernel does."""
        if self._row.manager is None:
            raise NoKernel("there is no kernel to interrupt")
        try:
            await call(self._server.kernels.interrupt_kernel, self._row.kernel_id)
        except ForeignError as error:
            raise Internal(
                f"the kernel could not be interrupted: {error.message}. Try it again, or restart it"
            ) from error

    async def restart(self) -> KernelInfo:
        """Restart the kernel and wait until it answers."""
        self._stop_following()
        async with self._lock:
            row = self._row.find(await self._server.rows()) if self._row.manager is None else None
            if row is not None:
                self._row.bind(row)
            if self._row.manager is None:
                raise NoKernel("there is no kernel to restart; run a cell or start one")
            self._connection.close()
            self._inbox.clear()
            try:
                restarting = call(self._server.kernels.restart_kernel, self._row.kernel_id)
                waiting = await self._server.whole(restarting, "kernel restart")
            except ForeignError as error:
                await self._discard()
                raise KernelDied(f"the kernel could not be restarted: {error.message}") from error
            if isinstance(waiting, asyncio.Future):
                # The server's own check of the restart; ours follows.
                waiting.add_done_callback(lambda done: done.cancelled() or done.exception())
            return await self._connect_new("the kernel was restarted")

    async def shutdown(self) -> None:
        """Shut the kernel and its session down."""
        self._stop_following()
        async with self._lock:
            self._inbox.clear()
            await self._remove()

    def report_activity(self) -> None:
        """Something runs: who looks for idle kernels should not take this one."""
        if self._connection.line is not None:
            now = datetime.now(timezone.utc)
            self._connection.line.manager.last_activity = now
            self._server.kernels.last_kernel_activity = now

    async def move(self, path: str) -> None:
        """The notebook has another path from now on; the session follows."""
        async with self._lock:
            await self._row.move(path)

    async def close(self) -> None:
        """Let go of the kernel, which lives on."""
        self.is_closed = True
        self._stop_following()
        self._connection.close()

    # ---- what others do --------------------------------------------------------------------------------------

    @property
    def wants_looks(self) -> bool:
        """Whether a look makes sense now."""
        return not self.is_closed and not self._lock.locked()

    async def is_changed(self, rows: Sequence[dict[str, Any]]) -> bool:
        """Whether `look` has something to tell. Cheap, and changes nothing.

        Args:
            rows: the server's sessions, read just now.
        """
        row = self._row.find(rows)
        if self._row.kernel_id is None:
            return row is not None and not self._is_unreachable(row)
        if row is None:
            return self._row.manager is None
        if row["kernel"]["id"] != self._row.kernel_id:
            return True
        line = self._connection.line
        if line is None:
            return self._has_waited_long() or await self._connection.is_back()
        return line.is_local and (not line.is_same_life or not await line.is_alive())

    async def look(self, rows: Sequence[dict[str, Any]]) -> None:
        """Compare with what is, and tell what changed.

        Args:
            rows: the server's sessions, read just now.
        """
        async with self._lock:
            if self.is_closed or not await self.is_changed(rows):
                return
            row, line = self._row.find(rows), self._connection.line
            if self._row.kernel_id is None:
                await self._follow(row, "a kernel was started")
            elif row is None:
                self._tell_gone("the kernel was shut down", "dead" if self._has_died else "not_started")
            elif row["kernel"]["id"] != self._row.kernel_id:
                await self._follow(row, "another kernel was chosen", is_chosen=True)
            elif line is None:
                if await self._connection.is_back():
                    await self._follow(row, "the kernel is back")
                else:
                    await self._give_up("the kernel did not come back")
            elif not line.is_same_life:
                self._tell_lost("the kernel was restarted", "restarting")
            elif line.restarts_by_itself:
                # The server's restarter will launch another process under this id.
                self._tell_lost("the kernel died", "restarting")
                self._has_died = True
            else:
                await self._give_up("the kernel died")

    async def heard_of_restart(self, kernel_id: str) -> None:
        """The server restarted a kernel. For one behind a gateway nothing else tells."""
        if kernel_id != self._row.kernel_id or not self.wants_looks:
            return
        async with self._lock:
            line = self._connection.line
            if line is not None and not line.is_local:
                await self._follow(None, "the kernel was restarted", is_new=True)

    def _broken(self, message: str, is_dead: bool) -> None:
        line = self._connection.line
        if line is not None:
            self._server.spawn(self._line_lost(line, message, is_dead), "kernel line")

    async def _line_lost(self, line: KernelLine, message: str, is_dead: bool) -> None:
        async with self._lock:
            if line is not self._connection.line or self.is_closed:
                return
            if is_dead or not await line.is_alive():
                await self._give_up(message)
            else:
                await self._follow(None, message, is_new=True)

    async def _follow(
        self, row: dict[str, Any] | None, message: str, *, is_new: bool = False, is_chosen: bool = False
    ) -> None:
        """What there was is lost; use what there is now."""
        self._tell_lost(message, "restarting")
        if row is not None:
            self._row.bind(row)
        connecting = self._connect(message, may_be_busy=not is_new, is_chosen=is_chosen)
        self._following = following = self._server.spawn(connecting, "kernel follow")
        try:
            await asyncio.wait({following})
            if not following.cancelled():
                following.result()
        except RuntimedError as error:
            self._unreachable = (self._row.kernel_id, life_of(self._row.manager))
            self._tell_gone(error.message, "dead")
        finally:
            self._following = None

    def _stop_following(self) -> None:
        """Wait no longer for a kernel of others: the room does something to it, whether it answers or not."""
        if self._following is not None:
            self._following.cancel()

    async def _give_up(self, message: str) -> None:
        self._tell_lost(message, "dead")
        await self._discard()
        self._tell_gone(message, "dead")

    def _is_unreachable(self, row: dict[str, Any]) -> bool:
        """Whether this very process did not answer before."""
        return self._unreachable == (row["kernel"]["id"], life_of(self._server.manager(row["kernel"]["id"])))

    def _has_waited_long(self) -> bool:
        return self._lost_at is not None and asyncio.get_running_loop().time() - self._lost_at > RETURN_SECONDS

    def _tell_lost(self, message: str, status: str) -> None:
        if self._connection.line is not None:
            self._connection.close()
            self._lost_at = asyncio.get_running_loop().time()
            self._tell(KernelNotice(KernelNews.LOST, message, status))

    def _tell_gone(self, message: str, status: str) -> None:
        self._connection.close()
        self._row.unbind()
        self._lost_at = None
        self._has_died = False
        self._tell(KernelNotice(KernelNews.GONE, message, status))

    def _tell(self, notice: KernelNotice) -> None:
        told, row = notice.news.value, self._row
        log.info("kernel %s path=%s kernel=%s cause=%s", told, row.path, row.kernel_id, notice.message)
        self._inbox.put(notice)

    # ---- connecting ------------------------------------------------------------------------------------------------

    async def _attach(self, kernel_name: str | None) -> KernelInfo | None:
        """Use the kernel there is; one of another name than was asked for is removed."""
        row = self._row.find(await self._server.rows())
        if row is None:
            return None
        is_ours = row["kernel"]["id"] == self._row.kernel_id
        self._row.bind(row)
        if kernel_name not in {None, self._row.kernel_name}:
            self._inbox.clear()
            await self._remove()
            return None
        if is_ours and self._connection.kernel is not None:
            return self._connection.kernel
        return await self._connect("a kernel was found", may_be_busy=True)

    async def _connect_new(self, message: str) -> KernelInfo:
        """Open a line to a kernel that was launched for us; one that does not answer is removed."""
        async with AsyncExitStack() as undo:
            undo.push_async_callback(self._discard)
            kernel = await self._connect(message, may_be_busy=False)
            undo.pop_all()
        return kernel

    async def _connect(self, message: str, *, may_be_busy: bool, is_chosen: bool = False) -> KernelInfo:
        """Open a line to the kernel the row is bound to, or to what took its place, and tell that it is there."""
        before = self._row.kernel_id
        is_busy = await self._connection.open(may_be_busy=may_be_busy)
        kernel = self._connection.kernel
        assert kernel is not None
        is_chosen = is_chosen or before != kernel.kernel_id
        self._lost_at = None
        self._has_died = False
        self._tell(KernelNotice(KernelNews.READY, message, "busy" if is_busy else "idle", kernel, is_chosen))
        self._connection.begin()
        return kernel

    async def _remove(self) -> None:
        """Shut down what the session is bound to, and remove the session. Raises Internal."""
        self._connection.close()
        self._lost_at = None
        self._has_died = False
        await self._server.whole(self._row.remove(), "kernel shutdown")

    async def _discard(self) -> None:
        """Remove a kernel that is of no use. One that cannot be shut down is somebody else's from now on."""
        try:
            await self._remove()
        except RuntimedError as error:
            log.warning("kernel left to itself path=%s cause=%s", self._row.path, error.message)
