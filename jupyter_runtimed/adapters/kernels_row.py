"""A room's row in the server's list of sessions: its path, and the kernel that is bound to it.

The row is shared with everybody else on the server. What is kept here is what it was when somebody looked last.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from jupyter_runtimed.adapters.foreign import ForeignError, call
from jupyter_runtimed.adapters.kernels_line import is_settled, life_of
from jupyter_runtimed.adapters.kernels_server import Server
from jupyter_runtimed.core.errors import Internal, NoKernel

log = logging.getLogger(__name__)

_TRIES = 2
"""How often to shut a kernel down that is restarted again and again."""

_SETTLE_SECONDS = 10.0
"""A restart takes some seconds; who wants the kernel shut down is told when it takes longer."""


class SessionRow:
    """See the module.

    Args:
        server: the server's managers.
        path: where the row stands, or will stand.

    Attributes:
        path: of the notebook.
        session_id: of the row; None when there is none.
        kernel_id: of the kernel that is bound to it.
        kernel_name: of its kernelspec. Managers of kernels behind a gateway do not know it.
    """

    def __init__(self, server: Server, path: str) -> None:
        self.path = path
        self.session_id: str | None = None
        self.kernel_id: str | None = None
        self.kernel_name = ""
        self._server = server

    @property
    def manager(self) -> Any:
        """The kernel's own manager; None when the server has no such kernel (any more)."""
        return self._server.manager(self.kernel_id)

    def find(self, rows: Sequence[dict[str, Any]]) -> dict[str, Any] | None:
        """The row among all the server's."""
        ours = next((row for row in rows if row["id"] == self.session_id), None)
        return ours or next((row for row in rows if row["path"] == self.path), None)

    def bind(self, row: dict[str, Any]) -> None:
        """This is the row, and its kernel, from now on."""
        self.session_id = row["id"]
        self.kernel_id = row["kernel"]["id"]
        self.kernel_name = str(row["kernel"]["name"])

    def unbind(self) -> None:
        """There is no row."""
        self.session_id = self.kernel_id = None

    async def create(self, kernel_name: str | None) -> None:
        """Launch a kernel and bind it to the path. Raises NoKernel."""
        try:
            if kernel_name is not None:
                await self._server.describe(kernel_name)
            names = {"path": self.path, "name": _name(self.path), "kernel_name": kernel_name}
            row = await call(self._server.sessions.create_session, type="notebook", **names)
        except ForeignError as error:
            raise NoKernel(await self._server.why_not_started(kernel_name, error)) from error
        self.bind(row)
        # Somebody may have opened the notebook in this very moment and started a kernel too: the first one counts.
        first = next((row for row in await self._server.rows() if row["path"] == self.path), row)
        if first["id"] != self.session_id:
            await call(self._server.sessions.delete_session, self.session_id)
            self.bind(first)

    async def move(self, path: str) -> None:
        """The notebook has another path."""
        self.path = path
        if self.session_id is not None:
            try:
                await call(self._server.sessions.update_session, self.session_id, path=path, name=_name(path))
            except ForeignError as error:  # the kernel runs on; only Jupyter's list has the old path
                log.info("session not moved path=%s cause=%s", path, error.message)

    async def remove(self) -> None:
        """Remove the row and shut its kernel down, as far as they are there.

        Raises:
            Internal: the kernel could not be shut down. It is there, and not ours any more until it is found again.
        """
        session_id, kernel_id = self.session_id, self.kernel_id
        self.unbind()
        for more in reversed(range(_TRIES)):
            # Kernel managers shut nothing down that others are just restarting.
            life = life_of(self._server.manager(kernel_id))
            await is_settled(life, _SETTLE_SECONDS)
            error = await self._end(session_id, kernel_id)
            if error is None:
                return
            if not more or life_of(self._server.manager(kernel_id)) is life:
                said = f"the kernel could not be shut down and is still there: {error.message}. Try it again"
                raise Internal(said) from error

    async def _end(self, session_id: str | None, kernel_id: str | None) -> ForeignError | None:
        """Why a kernel is still there; None when it is not."""
        try:
            if session_id is not None:
                await call(self._server.sessions.delete_session, session_id)
        except ForeignError as error:  # the kernel is to be shut down all the same
            log.info("session not deleted path=%s cause=%s", self.path, error.message)
        try:
            if self._server.manager(kernel_id) is not None:
                await call(self._server.kernels.shutdown_kernel, kernel_id, now=True)
        except ForeignError as error:
            return error if self._server.manager(kernel_id) is not None else None
        return None


def _name(path: str) -> str:
    """The last part of a path."""
    return path.rsplit("/", 1)[-1]
