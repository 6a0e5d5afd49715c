"""The versions of a notebook: look at them, bring one back, forget them all."""

from __future__ import annotations

from jupyter_server.auth.decorator import authorized
from tornado import web

from jupyter_runtimed.handlers.content import ContentHandler
from jupyter_runtimed.rooms.authors import acting_as


class HistoryHandler(ContentHandler):
    """`/api/runtimed/rooms/{room_id}/history`"""

    @web.authenticated
    @authorized("read", resource="contents")
    async def get(self, room_id: str) -> None:
        room = await self.room(room_id)
        await self.answer(await room.history.versions())

    @web.authenticated
    @authorized("write", resource="contents")
    async def delete(self, room_id: str) -> None:
        room = await self.room(room_id)
        await self.answer(await room.history.forget())


class VersionHandler(ContentHandler):
    """`/api/runtimed/rooms/{room_id}/history/{version}`"""

    @web.authenticated
    @authorized("read", resource="contents")
    async def get(self, room_id: str, version: str) -> None:
        room = await self.room(room_id)
        await self.answer(await room.history.view(version))


class RestoreHandler(ContentHandler):
    """`/api/runtimed/rooms/{room_id}/history/{version}/restore`"""

    @web.authenticated
    @authorized("write", resource="contents")
    async def post(self, room_id: str, version: str) -> None:
        room = await self.room(room_id)
        caller = await self.caller()
        with acting_as(caller.person):
            await self.answer(await room.history.restore(version))
