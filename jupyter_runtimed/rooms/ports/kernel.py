"""The kernel port: one room's line to its kernel.

A `KernelSession` is Jupyter's notion of a session: a path bound to a kernel. It is the same session that a front end
finds at that path, so whoever restarts, changes or shuts down the kernel does it for the room too, and the session
says so with a `KernelNotice`. The rules are tests in `tests/contracts/kernel_session.py`.

Rules for implementations
1. `send` never waits and never blocks; what the kernel does not read yet is kept.
2. Events come in the order of the kernel, channel by channel, from `receive`; only one caller waits there at a time.
3. A kernel's end is told within two seconds, whoever caused it, and once.
4. Every kernel life begins with a READY notice, whoever began it, before its first message. After LOST or GONE no
   message of that life comes. What the room itself does to its kernel is told by READY alone, and what was not heard
   by then is told no more.
   A kernel that others restart or replace before it has answered is waited for, or what they put in its place is.
5. A session reads on only while `receive` is called: who stops calling stops the flow into this process's memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from jupyter_runtimed.core.messages import KernelEvent, KernelInfo


class KernelSession(Protocol):
    """One room's kernel, or the lack of one."""

    @property
    def kernel(self) -> KernelInfo | None:
        """The kernel that is there and answers: for as long as a life lasts the very object its READY has told."""
        ...

    @property
    def is_replaced(self) -> bool:
        """Whether others have ended or restarted the kernel, which LOST or GONE is still to tell. Known at once."""
        ...

    async def start(self, kernel_name: str | None) -> KernelInfo:
        """Use the kernel of the session at the path, or start one, and wait until it answers.

        Args:
            kernel_name: the kernelspec; None for the server's default. A running kernel of another name is replaced.

        Raises:
            NoKernel: there is no such kernelspec, or it cannot be launched.
            KernelDied: it was launched and ended before it answered.
        """
        ...

    async def is_bound(self) -> bool:
        """Whether the session at the path has a kernel, be it one that others started and that does not answer yet."""
        ...

    async def receive(self) -> list[KernelEvent]:
        """Wait for news and give all there are, at least one."""
        ...

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
        """Say something to the kernel.

        Raises:
            NoKernel: there is none.
        """
        ...

    async def interrupt(self) -> None:
        """Interrupt what the kernel does. Raises NoKernel when there is none, Internal when that was refused."""
        ...

    async def restart(self) -> KernelInfo:
        """Restart the kernel, whether it has answered or not, and wait until it does. Raises NoKernel or KernelDied."""
        ...

    async def shutdown(self) -> None:
        """Shut the kernel and its session down. There may be none.

        Raises:
            Internal: it could not be shut down. READY will tell that it is still there.
        """
        ...

    def report_activity(self) -> None:
        """Something runs: who looks for idle kernels should not take this one."""
        ...

    async def move(self, path: str) -> None:
        """The notebook has another path from now on; the session follows."""
        ...

    async def close(self) -> None:
        """Let go of the kernel, which lives on."""
        ...


class Kernels(Protocol):
    """Where sessions come from."""

    def session(self, room_id: str, path: str | None, directory: str = "") -> KernelSession:
        """The session of a room. Does no I/O.

        Args:
            room_id: names the session while there is no path.
            path: the notebook's API path, or None when it has no file yet.
            directory: API path of the folder a notebook without a file belongs to.
        """
        ...
