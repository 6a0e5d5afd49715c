"""The HTTP half of the protocol: addresses, credentials, and answers turned into values or exceptions."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit, urlunsplit

import aiohttp
import msgspec

from jupyter_runtimed.client.errors import Disconnected, TimedOut, error_from_json
from jupyter_runtimed.client.transport import Transport, WebSocketTransport
from jupyter_runtimed.core.errors import Internal
from jupyter_runtimed.core.ids import Heads, heads_from_hex, heads_to_hex

SUB_PROTOCOL = "v1.runtimed.jupyter.org"

# The server lets calls on a loading room wait 30 s; an answer that comes at the last moment must still find us.
REST_DEADLINE_S = 60.0
_HEARTBEAT_S = 30.0


@dataclass(frozen=True, slots=True)
class RoomInfo:
    """A room as `GET …/rooms/{room_id}` tells it.

    Attributes:
        path: None for a notebook that has no file yet.
        state: "loading", "ready" or "failed" (then `error` says why).
        kernel: `name`, `status`, `kernel_id`.
        heads: change hashes of the notebook document.
        last_saved: ISO 8601, or None.
    """

    room_id: str
    path: str | None
    state: str
    error: Mapping[str, Any] | None
    cells: int
    peers: int
    kernel: Mapping[str, Any]
    heads: Heads
    last_saved: str | None

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> RoomInfo:
        return cls(
            room_id=body["room_id"],
            path=body.get("path"),
            state=body.get("state", "ready"),
            error=body.get("error"),
            cells=body.get("cells", 0),
            peers=body.get("peers", 0),
            kernel=body.get("kernel") or {},
            heads=heads_from_hex(body.get("heads", [])),
            last_saved=body.get("last_saved"),
        )


def split_address(url: str, token: str | None) -> tuple[str, str | None]:
    """(base address with a slash at the end, token) of an address as Jupyter prints it, `?token=` included."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https"):
        raise ValueError(f"the address of a Jupyter server begins with http:// or https://, not {url!r}")
    if token is None:
        token = parse_qs(parts.query).get("token", [None])[0]
    path = parts.path
    # What a browser's address bar shows is below the base address.
    for page in ("/lab", "/tree", "/doc"):
        if path.endswith(page) or f"{page}/" in path:
            path = path[: path.rindex(page)]
            break
    return urlunsplit((parts.scheme, parts.netloc, path.rstrip("/") + "/", "", "")), token


class Rest:
    """Calls below `api/runtimed` of one server. Must be closed.

    Args:
        url: the server's base address.
        token: sent as `Authorization: token …`.
        cookies: of a browser or hub login, sent with each call; `_xsrf` among them is repeated in the header.
        headers: further headers, for a proxy in between.
    """

    def __init__(
        self,
        url: str,
        token: str | None = None,
        *,
        cookies: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.base, token = split_address(url, token)
        self._headers = dict(headers or {})
        if token:
            self._headers["Authorization"] = f"token {token}"
        if cookies and "_xsrf" in cookies:
            self._headers["X-XSRFToken"] = cookies["_xsrf"]
        self._cookies = dict(cookies or {})
        self._session: aiohttp.ClientSession | None = None

    def start(self) -> None:
        """Make the session. Needs a running event loop."""
        if self._session is None:
            self._session = aiohttp.ClientSession(
                headers=self._headers,
                # Cookies of a server that has no name but an address are kept too; that is how most run.
                cookie_jar=aiohttp.CookieJar(unsafe=True),
                cookies=self._cookies,
                timeout=aiohttp.ClientTimeout(total=REST_DEADLINE_S),
            )

    async def close(self) -> None:
        if self._session is not None:
            session, self._session = self._session, None
            await session.close()

    @property
    def session(self) -> aiohttp.ClientSession:
        if self._session is None:
            raise Disconnected("the client is not open; use it as `async with Client(…) as client:`")
        return self._session

    async def call(
        self,
        method: str,
        route: str,
        *,
        body: object = None,
        data: bytes | None = None,
        params: Mapping[str, str] | None = None,
    ) -> Any:
        """One call whose answer is JSON, or nothing (None).

        Args:
            method: of HTTP.
            route: below `api/runtimed`, quoted.
            body: sent as JSON.
            data: sent as it is, in place of `body`.
            params: the query.

        Raises:
            RuntimedError: what the server refused with, by its code; Disconnected when there is no server.
            TimedOut: no answer came.
        """
        headers = {}
        if body is not None:
            data, headers = msgspec.json.encode(body), {"Content-Type": "application/json"}
        elif data is not None:
            headers = {"Content-Type": "application/octet-stream"}
        content = await self._send(method, route, data=data, headers=headers, params=params)
        if not content:
            return None
        try:
            return msgspec.json.decode(content)
        except msgspec.DecodeError as error:
            raise Internal(f"{method} {self.base}api/runtimed{route} answered with something else than JSON") from error

    async def _send(self, method: str, route: str, **options: Any) -> bytes:
        url = f"{self.base}api/runtimed{route}"
        try:
            async with self.session.request(method, url, **options) as answer:
                content = await answer.read()
                status = answer.status
        except asyncio.TimeoutError as error:
            raise TimedOut(f"no answer to {method} {url} in {REST_DEADLINE_S:g} s") from error
        except aiohttp.ClientError as error:
            raise Disconnected(f"{method} {url} did not reach the server: {error}") from error
        if status < 400:
            return content
        try:
            said: object = msgspec.json.decode(content)
        except msgspec.DecodeError:
            said = content[:500].decode(errors="replace")
        raise error_from_json(said, status)

    async def blob(self, blob_hash: str) -> bytes:
        """The bytes of a blob."""
        return await self._send("GET", f"/blobs/{blob_hash}")

    async def merge(
        self, room_id: str, document: bytes, saved_heads: Heads = (), durable_heads: Heads = ()
    ) -> Mapping[str, Any]:
        """Give a replica of another lineage to the room, and what statuses said of it; `heads`, `kept_aside`."""
        said = {"saved_heads": saved_heads, "durable_heads": durable_heads}
        query = "&".join(f"{name}={','.join(heads_to_hex(heads))}" for name, heads in said.items() if heads)
        answer: Mapping[str, Any] = await self.call(
            "POST", f"{room_route(room_id)}/merge" + (f"?{query}" if query else ""), data=document
        )
        return answer

    async def open_room(self, path: str) -> RoomInfo:
        return RoomInfo.from_json(await self.call("POST", "/rooms", body={"path": path}))

    async def create_room(self, directory: str, kernel_name: str | None) -> RoomInfo:
        body: dict[str, object] = {"untitled": True, "directory": directory}
        if kernel_name is not None:
            body["kernel_name"] = kernel_name
        return RoomInfo.from_json(await self.call("POST", "/rooms", body=body))

    async def room(self, room_id: str) -> RoomInfo:
        return RoomInfo.from_json(await self.call("GET", room_route(room_id)))

    async def rooms(self) -> list[RoomInfo]:
        return [RoomInfo.from_json(body) for body in await self.call("GET", "/rooms")]

    async def connect(self, room_id: str) -> Transport:
        """A socket of a room.

        Raises:
            RuntimedError: the server refused (403 is Forbidden) or is not there (Disconnected).
        """
        url = f"{self.base}api/runtimed{room_route(room_id)}/sync"
        try:
            socket = await self.session.ws_connect(
                url,
                protocols=(SUB_PROTOCOL,),
                max_msg_size=0,
                heartbeat=_HEARTBEAT_S,
                compress=0,
            )
        except aiohttp.WSServerHandshakeError as error:
            raise error_from_json(f"{url} was refused: {error.message}", error.status) from error
        except (aiohttp.ClientError, asyncio.TimeoutError) as error:
            raise Disconnected(f"{url} did not reach the server: {error}") from error
        return WebSocketTransport(socket)


def room_route(room_id: str) -> str:
    """The route of a room; an id from outside cannot leave it."""
    return f"/rooms/{quote(room_id, safe='')}"
