"""How large the state folder is, and what becomes of what nothing refers to."""

from __future__ import annotations

from jupyter_server.auth.decorator import authorized
from tornado import web

from jupyter_runtimed.handlers.base import RuntimedHandler


class StorageHandler(RuntimedHandler):
    """`/api/runtimed/storage`"""

    @web.authenticated
    @authorized("read", resource="contents")
    async def get(self) -> None:
        await self.answer(await self.services.storage())
