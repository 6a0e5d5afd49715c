"""The door to a server: open notebooks, make them, look at what is open, fetch blobs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator, Mapping
from types import TracebackType
from typing import Any
from urllib.parse import quote

from jupyter_runtimed.client.blobs import BlobCache
from jupyter_runtimed.client.connection import Backoff
from jupyter_runtimed.client.history import NotebookVersion
from jupyter_runtimed.client.notebook import Notebook
from jupyter_runtimed.client.peer import Peer
from jupyter_runtimed.client.rest import Rest, RoomInfo, room_route
from jupyter_runtimed.core.crdt import new_actor
from jupyter_runtimed.core.errors import BadRequest
from jupyter_runtimed.core.ids import Heads, heads_from_hex, is_blob_hash

OPEN_DEADLINE_S = 60.0


class Opening:
    """A notebook on its way: await it, or use it as an async context manager that closes the notebook at its end."""

    def __init__(self, opening: Awaitable[Notebook]) -> None:
        self._opening = opening
        self._notebook: Notebook | None = None

    def __await__(self) -> Generator[Any, None, Notebook]:
        return self._opening.__await__()

    async def __aenter__(self) -> Notebook:
        self._notebook = await self._opening
        return self._notebook

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._notebook is not None:
            await self._notebook.close()


class Client:
    """A client of one Jupyter server. Use it as an async context manager.

    Args:
        url: the server's address, as Jupyter prints it; a token in it is taken.
        token: of the server, or of a user of a hub.
        cookies: in place of a token, those of a login; with `_xsrf` among them.
        headers: further headers of every call.
        backoff: how notebooks come back after a lost connection.
    """

    def __init__(
        self,
        url: str,
        token: str | None = None,
        *,
        cookies: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        backoff: Backoff | None = None,
    ) -> None:
        self._rest = Rest(url, token, cookies=cookies, headers=headers)
        self._backoff = backoff
        self._blobs = BlobCache(self._fetch_blob, store=self.put_blob)
        self._peers: set[Peer] = set()

    async def __aenter__(self) -> Client:
        self._rest.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Leave every room and end the HTTP session."""
        for peer in self._peers:
            await peer.stop()
        await self._rest.close()

    # ---- notebooks ----

    def open(self, path: str, *, timeout: float = OPEN_DEADLINE_S) -> Opening:
        """Open the notebook of a file.

        Args:
            path: below the server's root; every spelling of it is the same room.
            timeout: seconds until it has to be here.

        Raises:
            NotFound, NotANotebook, Forbidden, LoadFailed: what the server says of the file.
            Disconnected, TimedOut: no server, or no notebook in time.
        """
        return Opening(self._opened(lambda: self._rest.open_room(path), timeout))

    def create(
        self, directory: str = "", kernel_name: str | None = None, *, timeout: float = OPEN_DEADLINE_S
    ) -> Opening:
        """Make a notebook that has no file yet; `save(path)` gives it one.

        Args:
            directory: where its kernel runs.
            kernel_name: of its kernel; default the server's.
            timeout: seconds until it has to be here.
        """
        return Opening(self._opened(lambda: self._rest.create_room(directory, kernel_name), timeout))

    def join(self, room_id: str, *, timeout: float = OPEN_DEADLINE_S) -> Opening:
        """Join a room that is open.

        Raises:
            NoSuchRoom: it is not, or not any more.
        """
        return Opening(self._opened(lambda: self._rest.room(room_id), timeout))

    async def _opened(self, find: Callable[[], Awaitable[RoomInfo]], timeout: float) -> Notebook:
        room = await find()
        peer = Peer(self._rest, room.room_id, new_actor=new_actor, backoff=self._backoff)
        await peer.start(timeout)
        self._peers = {peer} | {other for other in self._peers if other.is_alive}
        return Notebook(peer, self._blobs)

    async def rooms(self) -> list[RoomInfo]:
        """The rooms that are open, and notebooks without a file that the server keeps."""
        return await self._rest.rooms()

    async def close_room(self, room_id: str, *, discard: bool = False) -> None:
        """Save a room, shut its kernel down and close it for everybody.

        Raises:
            NotSaved: something would be lost, and `discard` was not said.
        """
        await self._rest.call("DELETE", room_route(room_id), params={"discard": "true"} if discard else None)

    async def notebook_json(self, room_id: str) -> dict[str, Any]:
        """The nbformat notebook that a save would write now, outputs included."""
        found: dict[str, Any] = await self._rest.call("GET", f"{room_route(room_id)}/notebook")
        return found

    # ---- history ----

    async def versions(self, room_id: str) -> list[NotebookVersion]:
        """The versions of a notebook, latest first."""
        answer = await self._rest.call("GET", f"{room_route(room_id)}/history")
        return [NotebookVersion.from_json(body) for body in answer["versions"]]

    async def version_json(self, room_id: str, version: str) -> dict[str, Any]:
        """The nbformat notebook as it was at the end of a version, without outputs.

        Raises:
            NoSuchVersion: it is not kept any more.
        """
        answer = await self._rest.call("GET", f"{room_route(room_id)}/history/{quote(version, safe='')}")
        notebook: dict[str, Any] = answer["notebook"]
        return notebook

    async def restore_version(self, room_id: str, version: str) -> Heads:
        """Make the notebook what it was, as an edit that everybody sees; the heads after it.

        Raises:
            NoSuchVersion: it is not kept any more.
        """
        answer = await self._rest.call("POST", f"{room_route(room_id)}/history/{quote(version, safe='')}/restore")
        return heads_from_hex(answer["heads"])

    async def forget_history(self, room_id: str) -> None:
        """Keep the present of a notebook and nothing of its past. Those who have it open connect anew by themselves.

        Raises:
            NotSaved, OutOfSpace, FileChanged: it could not be saved first, and nothing was forgotten.
        """
        await self._rest.call("DELETE", f"{room_route(room_id)}/history")

    # ---- blobs and the server ----

    async def blob(self, blob_hash: str) -> bytes:
        """The bytes of a blob.

        Raises:
            NotFound: no document that we may read refers to it.
        """
        return await self._blobs.get(blob_hash)

    async def _fetch_blob(self, blob_hash: str) -> bytes:
        if not is_blob_hash(blob_hash):
            raise BadRequest(f"not a blob's name (64 lower-case hexadecimal digits): {blob_hash[:80]!r}")
        return await self._rest.blob(blob_hash)

    async def put_blob(self, data: bytes) -> dict[str, Any]:
        """Store bytes; `{"blob", "size"}`, which an attachment may refer to."""
        reference: dict[str, Any] = await self._rest.call("POST", "/blobs", data=data)
        return reference

    async def info(self) -> dict[str, Any]:
        """The server's version, protocol and limits."""
        answer: dict[str, Any] = await self._rest.call("GET", "")
        return answer
