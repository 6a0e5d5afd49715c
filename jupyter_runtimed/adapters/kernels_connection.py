"""A session's connection to the kernel of its row: opened to one life of it, closed, opened to the next."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

from jupyter_runtimed.adapters.foreign import ForeignError, call
from jupyter_runtimed.adapters.kernels_line import KernelLine, is_back, may_come_back
from jupyter_runtimed.adapters.kernels_row import SessionRow
from jupyter_runtimed.adapters.kernels_server import Inbox, Server
from jupyter_runtimed.core.errors import KernelDied
from jupyter_runtimed.core.messages import KernelInfo

_SUCCESSOR_LOOK_SECONDS = 0.02

RETURN_SECONDS = 20.0
"""How long a kernel that died may take to be restarted by the server before it counts as gone."""


class KernelConnection:
    """See the module.

    Args:
        server: the server's managers.
        row: says which kernel it is.
        inbox: gets its messages.
        broken: see `KernelLine`.

    Attributes:
        line: to the kernel; None when there is none.
        kernel: the one that has answered on the line.
    """

    def __init__(self, server: Server, row: SessionRow, inbox: Inbox, broken: Callable[[str, bool], None]) -> None:
        self.line: KernelLine | None = None
        self.kernel: KernelInfo | None = None
        self._server = server
        self._row = row
        self._inbox = inbox
        self._broken = broken
        self._lost_life: Any = None
        self._connected_to: str | None = None

    async def open(self, *, may_be_busy: bool) -> bool:
        """Open a line to the row's kernel and wait until it answers.

        Others may restart the kernel or choose another one before it has answered; then what they have put in its
        place is waited for.

        Args:
            may_be_busy: it has run for a while, so it may have reasons not to answer.

        Returns:
            Whether it is at work.

        Raises:
            KernelDied: it ended first, or does not answer.
        """
        while True:
            try:
                return await self._open_once(may_be_busy=may_be_busy)
            except KernelDied:
                if not await self._has_successor():
                    raise
                may_be_busy = False

    def begin(self) -> None:
        """Let messages through to the inbox: what the kernel has said since the line was opened, and what it says."""
        assert self.line is not None
        assert self.kernel is not None
        self.line.deliver_to(self._inbox.put)
        if self.line.is_local:  # for who culls kernels: one that a room uses is connected, as one with a front end is
            self._server.kernels.notify_connect(self.kernel.kernel_id)
            self._connected_to = self.kernel.kernel_id

    def close(self) -> None:
        """Hear nothing more of the kernel, which lives on. There may be no line."""
        line, self.line, self.kernel = self.line, None, None
        if line is not None:
            self._lost_life = line.life
            line.close()
            self._inbox.drop_messages()
        if self._connected_to is not None:
            self._server.kernels.notify_disconnect(self._connected_to)
            self._connected_to = None

    async def is_back(self) -> bool:
        """Whether another process runs in the place of the one that the last line led to."""
        return await is_back(self._row.manager, self._lost_life)

    async def _open_once(self, *, may_be_busy: bool) -> bool:
        self.close()
        kernel_id, name, manager = self._row.kernel_id, self._row.kernel_name, self._row.manager
        if kernel_id is None or manager is None:
            raise KernelDied("the kernel was shut down")
        with ExitStack() as undo:
            undo.callback(self.close)
            try:
                line = KernelLine(name, manager, self._server.make_channels, self._inbox.room, self._broken)
                self.line = line
                told = await call(line.open, self._server.start_timeout_seconds, may_be_busy=may_be_busy)
            except ForeignError as error:
                raise KernelDied(f"the kernel cannot be reached: {error.message}") from error
            undo.pop_all()
        try:
            display_name, language = await self._server.describe(name)
        except ForeignError:
            # The kernelspec was removed while the kernel ran, or the gateway does not tell.
            display_name, language = name, ""
        info = told.get("language_info")
        info = info if isinstance(info, dict) else {}
        self.kernel = KernelInfo(kernel_id, name, display_name, str(info.get("name") or language), info)
        return may_be_busy and line.is_busy

    async def _has_successor(self) -> bool:
        """Whether there is another process in the place of the one that ended before it answered; then it is ours."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + RETURN_SECONDS
        while loop.time() < deadline:
            row = self._row.find(await self._server.rows())
            if row is not None and row["kernel"]["id"] != self._row.kernel_id:
                self._row.bind(row)
                return True
            if await self.is_back():
                return True
            if not may_come_back(self._row.manager, self._lost_life):
                return False
            await asyncio.sleep(_SUCCESSOR_LOOK_SECONDS)
        return False
