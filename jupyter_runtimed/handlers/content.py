"""What is in a room: its documents, its metadata, the notebook a save would write; merging; requests."""

from __future__ import annotations

from typing import Any

from jupyter_server.auth.decorator import authorized
from tornado import web

from jupyter_runtimed.core.errors import BadRequest
from jupyter_runtimed.core.ids import Heads, heads_from_hex, heads_to_hex
from jupyter_runtimed.core.requests import encode_json
from jupyter_runtimed.core.versions import Person
from jupyter_runtimed.handlers.base import RuntimedHandler
from jupyter_runtimed.handlers.errors import status_of_code
from jupyter_runtimed.handlers.identity import describe_user
from jupyter_runtimed.rooms.authors import acting_as
from jupyter_runtimed.rooms.peer import Caller
from jupyter_runtimed.rooms.room import Room


class ContentHandler(RuntimedHandler):
    """The base of what concerns one room's content."""

    async def room(self, room_id: str) -> Room:
        """The room, opened again if it waits in the log. Raises NoSuchRoom, ActiveElsewhere."""
        return await self.services.rooms.recall(room_id)

    async def loaded(self, room_id: str) -> Room:
        """The room, once it is loaded. Raises NoSuchRoom, Loading, LoadFailed."""
        room = await self.room(room_id)
        await room.until_ready()
        return room

    async def caller(self) -> Caller:
        """Who asks, and what they may do."""
        return Caller(
            self.username,
            await self.is_allowed("write", "contents"),
            await self.is_allowed("execute", "kernels"),
            describe_user(self.current_user)["name"],
        )

    async def act(self, room_id: str, action: str, **fields: Any) -> None:
        """Do one action of the socket's protocol, and answer its bare result or error."""
        room = await self.room(room_id)
        answer = await room.requests.answer(
            await self.caller(), encode_json({"id": "rest", "action": action, **fields})
        )
        if answer["ok"]:
            await self.answer(answer["result"])
        else:
            await self.answer(answer["error"], status_of_code(answer["error"]["code"]))


class DocHandler(ContentHandler):
    """`/api/runtimed/rooms/{room_id}/doc`"""

    @web.authenticated
    @authorized("read", resource="contents")
    async def get(self, room_id: str) -> None:
        name = self.get_query_argument("document", "notebook")
        if name not in ("notebook", "runtime"):
            raise BadRequest("`document` is notebook or runtime")
        room = await self.loaded(room_id)
        data, heads = room.document_bytes(name)
        digits = ",".join(heads_to_hex(heads))
        self.set_header("X-Automerge-Heads", digits)
        self.set_header("Cache-Control", "no-cache")
        self.set_header("Etag", f'"{digits}"')
        if self.check_etag_header():
            self.set_status(304)
        else:
            self.write(data)
        await self.finish(set_content_type="application/octet-stream")


class NotebookHandler(ContentHandler):
    """`/api/runtimed/rooms/{room_id}/notebook`"""

    @web.authenticated
    @authorized("read", resource="contents")
    async def get(self, room_id: str) -> None:
        room = await self.loaded(room_id)
        await self.finish(await room.notebook_bytes())


class MergeHandler(ContentHandler):
    """`/api/runtimed/rooms/{room_id}/merge`"""

    @web.authenticated
    @authorized("write", resource="contents")
    async def post(self, room_id: str) -> None:
        data = self.read_body(self.services.limits.max_frame_bytes)
        saved_heads, durable_heads = self._heads("saved_heads"), self._heads("durable_heads")
        room = await self.loaded(room_id)
        name = describe_user(self.current_user)["name"]
        with acting_as(Person(self.username, name)):
            await self.answer(await room.merge(data, saved_heads, durable_heads))

    def _heads(self, name: str) -> Heads:
        named = self.get_query_argument(name, "")
        return heads_from_hex(named.split(",") if named else [])


class AllMetadataHandler(ContentHandler):
    """`/api/runtimed/rooms/{room_id}/metadata`"""

    @web.authenticated
    @authorized("read", resource="contents")
    async def get(self, room_id: str) -> None:
        room = await self.loaded(room_id)
        await self.answer({"value": room.notebook.metadata()})


class MetadataHandler(ContentHandler):
    """`/api/runtimed/rooms/{room_id}/metadata/{key}`"""

    @web.authenticated
    @authorized("read", resource="contents")
    async def get(self, room_id: str, key: str) -> None:
        await self.act(room_id, "get_raw_metadata", key=key)

    @web.authenticated
    @authorized("write", resource="contents")
    async def put(self, room_id: str, key: str) -> None:
        body = self.read_object()
        if "value" not in body:
            raise BadRequest('the body is {"value": …}; use DELETE to remove a key')
        heads = body.get("required_heads", [])
        await self.act(room_id, "set_raw_metadata", key=key, value=body["value"], required_heads=heads)

    @web.authenticated
    @authorized("write", resource="contents")
    async def delete(self, room_id: str, key: str) -> None:
        await self.act(room_id, "delete_raw_metadata", key=key)


class RequestsHandler(ContentHandler):
    """`/api/runtimed/rooms/{room_id}/requests`; each action asks for its own permission."""

    @web.authenticated
    @authorized("read", resource="contents")
    async def post(self, room_id: str) -> None:
        body = self.read_body(self.services.limits.max_request_bytes)
        room = await self.room(room_id)
        answer = await room.requests.answer(await self.caller(), body)
        await self.answer(answer, 200 if answer["ok"] else status_of_code(answer["error"]["code"]))
