"""A peer written against the protocol page alone: an Automerge library and a WebSocket, nothing of ours.

It behaves as a plain Automerge client does: one sync state per document, a message out whenever the library has one.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from typing import Any

import aiohttp
from automerge.core import ROOT, Document, Message, ObjType, ScalarType, SyncState

NOTEBOOK, REQUEST, RESPONSE, EVENT, PRESENCE, RUNTIME, STATUS = 0, 1, 2, 3, 4, 5, 7


def to_python(document: Document, obj: bytes = ROOT) -> Any:
    """The whole of an object as plain Python values; Text is str."""
    kind = document.object_type(obj)
    if kind == ObjType.Text:
        return document.text(obj)
    if kind == ObjType.List:
        return [_item(document, value) for value in document.values(obj)]
    out = {}
    for key in document.keys(obj):
        found = document.get(obj, key)
        if found is not None:
            out[key] = _item(document, found)
    return out


def _item(document: Document, found: tuple[Any, bytes]) -> Any:
    value, obj = found
    if isinstance(value, tuple):
        return value[1]
    return to_python(document, obj)


class BarePeer:
    """One socket to one room.

    Attributes:
        notebook, runtime: the two replicas.
        statuses, presences, events: the JSON frames of these types in the order they came.
        frames: the type byte of every frame that came.
        received_bytes: the size of every frame that came, by type.
    """

    def __init__(
        self, session: aiohttp.ClientSession, url: str, room_id: str, notebook: Document | None = None
    ) -> None:
        self.session = session
        self.address = f"{url}api/runtimed/rooms/{room_id}/sync".replace("http", "ws", 1)
        self.notebook = notebook or Document()
        self.runtime = Document()
        self.states = {NOTEBOOK: SyncState(), RUNTIME: SyncState()}
        self.statuses: list[dict[str, Any]] = []
        self.presences: list[dict[str, Any]] = []
        self.events: list[dict[str, Any]] = []
        self.frames: list[int] = []
        self.received_bytes: dict[int, int] = {}
        self.answers: dict[str, asyncio.Future[dict[str, Any]]] = {}
        self.close_code: int | None = None
        self.changed = asyncio.Event()
        self.silent = False
        self._ids = 0
        self._pump: asyncio.Task[None] | None = None
        self.socket: aiohttp.ClientWebSocketResponse

    async def __aenter__(self) -> BarePeer:
        self.socket = await self.session.ws_connect(
            self.address, max_msg_size=0, protocols=("v1.runtimed.jupyter.org",)
        )
        self._pump = asyncio.ensure_future(self._run())
        await self.flush()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.socket.close()
        if self._pump is not None:
            await self._pump

    def document(self, kind: int) -> Document:
        return self.notebook if kind == NOTEBOOK else self.runtime

    async def flush(self) -> None:
        """Send what the library has to say about both documents."""
        for kind, state in self.states.items():
            while not self.silent:
                message = self.document(kind).generate_sync_message(state)
                if message is None or self.socket.closed:
                    break
                await self.socket.send_bytes(bytes((kind,)) + message.encode())

    async def _run(self) -> None:
        async for message in self.socket:
            if message.type is not aiohttp.WSMsgType.BINARY:
                continue
            kind, payload = message.data[0], message.data[1:]
            self.frames.append(kind)
            self.received_bytes[kind] = self.received_bytes.get(kind, 0) + len(message.data)
            if kind in self.states:
                self.document(kind).receive_sync_message(self.states[kind], Message.decode(payload))
                await self.flush()
            elif kind == RESPONSE:
                answer = json.loads(payload)
                future = self.answers.pop(answer["id"], None)
                if future is not None and not future.done():
                    future.set_result(answer)
            else:
                {STATUS: self.statuses, PRESENCE: self.presences, EVENT: self.events}[kind].append(json.loads(payload))
                if kind == STATUS:
                    await self._follow_renewal()
            self.changed.set()
        self.close_code = self.socket.close_code
        self.changed.set()

    async def _follow_renewal(self) -> None:
        """A status with another runtime epoch: that document begins anew, as at a connect."""
        if len(self.statuses) > 1 and self.statuses[-2]["epochs"]["runtime"] != self.statuses[-1]["epochs"]["runtime"]:
            self.runtime = Document()
            self.states[RUNTIME] = SyncState()
            await self.flush()

    async def until(self, condition: Callable[[], Any], deadline_s: float = 15.0, what: str = "") -> Any:
        """Wait until a condition over what has come is true, and return its value."""
        end = time.monotonic() + deadline_s
        while not (value := condition()):
            self.changed.clear()
            left = end - time.monotonic()
            if left <= 0 or (self.close_code is not None and self.close_code != 1000):
                value = condition()
                if value:
                    return value
                raise AssertionError(
                    f"not in {deadline_s} s: {what or condition}; close={self.close_code} statuses={self.statuses[-1:]}"
                )
            try:
                await asyncio.wait_for(self.changed.wait(), min(left, 0.5))
            except asyncio.TimeoutError:
                continue
        return value

    async def ready(self) -> None:
        """Wait until the room is loaded and this replica has all of both documents."""
        await self.until(lambda: any(s["load"]["phase"] == "ready" for s in self.statuses), what="ready")
        await self.until(
            lambda: "cells" in self.root() and "executions" in to_python(self.runtime), what="both documents"
        )

    def request_nowait(self, action: str, **fields: Any) -> tuple[bytes, asyncio.Future[dict[str, Any]]]:
        self._ids += 1
        identity = f"r{self._ids}"
        future: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self.answers[identity] = future
        return bytes((REQUEST,)) + json.dumps({"id": identity, "action": action, **fields}).encode(), future

    async def request(self, action: str, deadline_s: float = 40.0, **fields: Any) -> dict[str, Any]:
        """Send one request and wait for its answer, whole."""
        frame, future = self.request_nowait(action, **fields)
        await self.socket.send_bytes(frame)
        return await asyncio.wait_for(future, deadline_s)

    # The notebook document, by the schema page.

    def root(self) -> dict[str, Any]:
        value: dict[str, Any] = to_python(self.notebook)
        return value

    def cells(self) -> list[dict[str, Any]]:
        cells = self.root().get("cells", {})
        return [cells[key] for key in sorted(cells, key=lambda key: (cells[key].get("position", ""), key))]

    def heads(self, kind: int = NOTEBOOK) -> list[str]:
        return sorted(head.hex() for head in self.document(kind).get_heads())

    def _cell(self, cell_id: str) -> bytes:
        cells = self.notebook.get(ROOT, "cells")
        assert cells is not None
        cell = self.notebook.get(cells[1], cell_id)
        assert cell is not None, cell_id
        return cell[1]

    def type_text(self, cell_id: str, index: int, text: str, delete: int = 0) -> None:
        """Edit a source; index in code points. Not sent before `flush`."""
        source = self.notebook.get(self._cell(cell_id), "source")
        assert source is not None
        with self.notebook.transaction() as tx:
            for _ in range(delete):
                tx.delete(source[1], index)
            for offset, character in enumerate(text):
                tx.insert(source[1], index + offset, ScalarType.Str, character)

    def add_cell(self, cell_id: str, source: str, position: str, cell_type: str = "code") -> None:
        cells = self.notebook.get(ROOT, "cells")
        assert cells is not None
        with self.notebook.transaction() as tx:
            cell = tx.put_object(cells[1], cell_id, ObjType.Map)
            tx.put(cell, "id", ScalarType.Str, cell_id)
            tx.put(cell, "cell_type", ScalarType.Str, cell_type)
            tx.put(cell, "position", ScalarType.Str, position)
            text = tx.put_object(cell, "source", ObjType.Text)
            for index, character in enumerate(source):
                tx.insert(text, index, ScalarType.Str, character)
            tx.put_object(cell, "metadata", ObjType.Map)
            tx.put(cell, "execution_id", ScalarType.Null, None)

    def delete_cell(self, cell_id: str) -> None:
        cells = self.notebook.get(ROOT, "cells")
        assert cells is not None
        with self.notebook.transaction() as tx:
            tx.delete(cells[1], cell_id)

    # The runtime document, by the schema page.

    def executions(self) -> dict[str, Any]:
        value: dict[str, Any] = to_python(self.runtime).get("executions", {})
        return value

    def comms(self) -> dict[str, Any]:
        value: dict[str, Any] = to_python(self.runtime).get("comms", {})
        return value

    def execution_of(self, cell_id: str) -> dict[str, Any]:
        for cell in self.cells():
            if cell["id"] == cell_id:
                found: dict[str, Any] = self.executions().get(cell.get("execution_id") or "", {})
                return found
        return {}

    def outputs_of(self, cell_id: str) -> list[dict[str, Any]]:
        outputs = self.execution_of(cell_id).get("outputs", {})
        return sorted(outputs.values(), key=lambda output: output["seq"])
