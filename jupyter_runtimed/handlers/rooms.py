"""Rooms: open, list, look at, close."""

from __future__ import annotations

from jupyter_server.auth.decorator import authorized
from jupyter_server.utils import url_path_join
from tornado import web

from jupyter_runtimed.core.errors import BadRequest
from jupyter_runtimed.handlers.base import RuntimedHandler, flag
from jupyter_runtimed.rooms.room import Room


class RoomsHandler(RuntimedHandler):
    """`/api/runtimed/rooms`"""

    @web.authenticated
    @authorized("read", resource="contents")
    async def get(self) -> None:
        await self.answer(self.services.rooms.room_objects())

    @web.authenticated
    @authorized("read", resource="contents")
    async def post(self) -> None:
        body = self.read_object()
        untitled = body.get("untitled", False)
        if not isinstance(untitled, bool):
            raise BadRequest("`untitled` is true or false")
        if untitled:
            await self.require("write", "contents")
            directory, kernel_name = _text(body, "directory"), _text(body, "kernel_name")
            room = await self.services.rooms.create_untitled(directory or "", kernel_name)
            self._tell(room, is_new=True)
            return
        path = _text(body, "path")
        if path is None:
            raise BadRequest('the body says what to open: {"path": "a/b.ipynb"} or {"untitled": true}')
        room, is_new = await self.services.rooms.open(path)
        self._tell(room, is_new=is_new)

    def _tell(self, room: Room, *, is_new: bool) -> None:
        self.set_header("Location", url_path_join(self.base_url, "api/runtimed/rooms", room.id))
        self.answer(room.to_json(), 201 if is_new else 200)


class RoomHandler(RuntimedHandler):
    """`/api/runtimed/rooms/{room_id}`"""

    @web.authenticated
    @authorized("read", resource="contents")
    async def get(self, room_id: str) -> None:
        room = await self.services.rooms.recall(room_id)
        await self.answer(room.to_json())

    @web.authenticated
    @authorized("write", resource="contents")
    async def delete(self, room_id: str) -> None:
        discard = flag(self.get_query_argument("discard", None), "discard")
        room = await self.services.rooms.recall(room_id)
        await self.services.rooms.close(room.id, discard=discard)
        self.set_status(204)
        await self.finish()


def _text(body: dict[str, object], name: str) -> str | None:
    value = body.get(name)
    if value is not None and not isinstance(value, str):
        raise BadRequest(f"`{name}` is a string")
    return value
