"""Peers of a room in memory: a socket that the test controls, and a plain Automerge client behind it.

The client does what any Automerge library does: one sync state a document and connection, and a message out whenever
the library has one. Nothing travels by itself: `send_all` takes what the client has said to the room, and frames reach
the client when the test calls `read`.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from jupyter_runtimed.core.crdt import MAP, ROOT, TEXT, Engine, EngineSyncState, Replica, new_actor
from jupyter_runtimed.core.frames import FrameType, encode_frame
from jupyter_runtimed.core.ids import Heads, PeerId
from tests.support.js_peer import JsProcess

USER = {"username": "alice", "name": "Alice", "color": None, "avatar_url": None}


class FakeSocket:
    """`rooms.ports.socket.PeerSocket`: keeps what it is sent.

    Attributes:
        frames: what was sent and not read yet.
        sent: every frame there ever was.
        is_slow: `send` takes a frame and says that it would take no more.
        is_broken: `send` raises.
        closed: (code, reason) once it was closed.
        on_send: called when it is sent something.
    """

    def __init__(
        self, name: str, *, can_write: bool = True, can_execute: bool = True, user: Mapping[str, Any] = USER
    ) -> None:
        self.peer_id = PeerId(name)
        self.user = user
        self.principals = frozenset({str(user.get("username"))})
        self.can_write = can_write
        self.can_execute = can_execute
        self.frames: deque[bytes] = deque()
        self.sent: list[bytes] = []
        self.is_slow = False
        self.is_broken = False
        self.closed: tuple[int, str] | None = None
        self.on_send: Callable[[], object] | None = None

    def send(self, frame: bytes) -> bool:
        assert self.closed is None, "sent to a closed socket"
        if self.is_broken:
            raise ConnectionError("broken")
        self.frames.append(frame)
        self.sent.append(frame)
        if self.on_send is not None:
            self.on_send()
        return not self.is_slow

    def close(self, code: int, reason: str) -> None:
        assert self.closed is None, "closed twice"
        self.closed = (code, reason)

    @property
    def close_code(self) -> int | None:
        return self.closed[0] if self.closed else None

    def kinds(self) -> list[int]:
        """The type bytes of all frames so far."""
        return [frame[0] for frame in self.sent]

    def bodies(self, kind: FrameType) -> list[Any]:
        """The JSON of all frames of a type."""
        return [json.loads(frame[1:]) for frame in self.sent if frame[0] == kind]

    @property
    def status(self) -> dict[str, Any]:
        """The last status frame."""
        statuses = self.bodies(FrameType.STATUS)
        return dict(statuses[-1])


class Receiver(Protocol):
    """The part of a hub that takes messages; a room's is `room.hub`."""

    def join(self, socket: FakeSocket) -> Any: ...
    def receive(self, peer: Any, data: bytes | str) -> None: ...
    def leave(self, peer: Any) -> None: ...


class Client:
    """A plain Automerge client with a replica of each document.

    Attributes:
        notebook: kept over reconnects, as a browser keeps it.
        runtime: begun anew at each connect.
    """

    def __init__(self, name: str, notebook: Engine | None = None) -> None:
        self.name = name
        self.notebook: Any = notebook or self._empty()
        self.runtime: Any = self._empty()
        self.socket = FakeSocket(name)
        self.peer: Any = None
        self.receiver: Receiver | None = None
        self.saved_heads: Heads = ()
        self.durable_heads: Heads = ()
        self._held: list[bytes] | None = None
        self._connections = 0
        self._requests = 0

    # Connection.

    def connect(self, receiver: Receiver, **options: Any) -> Client:
        """Join, with fresh sync states, and say hello."""
        self._connections += 1
        self.socket = FakeSocket(f"{self.name}.{self._connections}", **options)
        self.runtime = self._empty()
        self.states = {FrameType.NOTEBOOK_SYNC: self._fresh_state(), FrameType.RUNTIME_SYNC: self._fresh_state()}
        self.receiver = receiver
        self._epoch: str | None = None
        self.peer = receiver.join(self.socket)
        self.send_all()
        return self

    def disconnect(self) -> None:
        """The connection breaks; what is on its way is lost."""
        assert self.receiver is not None
        self.socket.frames.clear()
        self.receiver.leave(self.peer)

    def _empty(self) -> Any:
        return Engine.empty(new_actor())

    def _fresh_state(self) -> Any:
        return EngineSyncState()

    @property
    def is_connected(self) -> bool:
        return self.peer is not None and not self.peer.is_gone

    def engine(self, kind: FrameType) -> Any:
        return self.notebook if kind is FrameType.NOTEBOOK_SYNC else self.runtime

    def send_all(self) -> bool:
        """Say what the library has to say of both documents. Whether there was anything."""
        said = False
        for kind, state in self.states.items():
            while self.is_connected and (message := self.engine(kind).generate(state)) is not None:
                self.send(kind, message)
                said = True
        return said

    def send(self, kind: FrameType, payload: bytes) -> None:
        frame = encode_frame(kind, payload)
        if self._held is not None and kind in self.states:
            self._held.append(frame)
        else:
            self.send_raw(frame)

    def send_raw(self, data: bytes | str) -> None:
        assert self.receiver is not None
        self.receiver.receive(self.peer, data)

    def hold_back(self) -> list[bytes]:
        """The network takes the client's sync messages into the list that is returned, until `let_go`."""
        self._held = []
        return self._held

    def let_go(self, frames: list[bytes]) -> None:
        """What was held back arrives."""
        self._held = None
        for frame in frames:
            self.send_raw(frame)

    def read(self, limit: int = 1 << 30) -> bool:
        """Take up to `limit` frames that have come, and answer them. Whether there was any."""
        took = False
        while self.socket.frames and limit:
            limit -= 1
            took = True
            frame = self.socket.frames.popleft()
            kind = FrameType(frame[0])
            if kind in self.states:
                self.engine(kind).receive(self.states[kind], frame[1:])
                self.send_all()
            elif kind is FrameType.STATUS:
                status = json.loads(frame[1:])
                self._note_epoch(status.get("epochs", {}).get("runtime"))
                self.saved_heads = self._own(status.get("saved_heads", [])) or self.saved_heads
                self.durable_heads = self._own(status.get("durable_heads", [])) or self.durable_heads
        return took

    def _own(self, digits: list[str]) -> Heads:
        """Heads that a status says, if they are of our replica."""
        heads = tuple(bytes.fromhex(head) for head in digits)
        if isinstance(self.notebook, Engine) and set(heads) <= set(self.notebook.hashes()):
            return heads
        return ()

    def _note_epoch(self, epoch: str | None) -> None:
        """Begin anew with a runtime document that was renewed under the connection."""
        if self._epoch not in (None, epoch):
            self.runtime = self._empty()
            self.states[FrameType.RUNTIME_SYNC] = self._fresh_state()
            self.send_all()
        self._epoch = epoch

    def request(self, action: str, **fields: Any) -> str:
        """Send a request; its id."""
        self._requests += 1
        name = f"{self.name}-{self._requests}"
        self.send(FrameType.REQUEST, json.dumps({"id": name, "action": action, **fields}).encode())
        return name

    def answer(self, name: str) -> dict[str, Any] | None:
        """The answer to a request, if it has come."""
        found = [body for body in self.socket.bodies(FrameType.RESPONSE) if body["id"] == name]
        assert len(found) <= 1, "answered twice"
        return found[0] if found else None

    # The notebook.

    @property
    def heads(self) -> Heads:
        heads: Heads = self.notebook.heads
        return heads

    def hex_heads(self) -> list[str]:
        return [head.hex() for head in self.heads]

    def cells(self) -> dict[str, Any]:
        root: dict[str, Any] = self.notebook.extract()
        return dict(root.get("cells", {}))

    def sources(self) -> list[str]:
        """Sources in order."""
        cells = self.cells()
        return [cells[key]["source"] for key in sorted(cells, key=lambda key: (cells[key]["position"], key))]

    def type_text(self, cell_id: str, index: int, text: str, delete: int = 0) -> None:
        """Edit a source, and send."""
        cell = self.notebook.child(self._cells(), cell_id)
        assert cell is not None, cell_id
        source = self.notebook.child(cell, "source")
        assert source is not None
        with self.notebook.transaction() as writer:
            writer.splice_text(source, index, delete, text)
        self._say()

    def add_cell(self, cell_id: str, source: str, position: str = "i", cell_type: str = "code") -> None:
        with self.notebook.transaction() as writer:
            cell = writer.make(self._cells(), cell_id, MAP)
            for key, value in {"id": cell_id, "cell_type": cell_type, "position": position}.items():
                writer.put(cell, key, value)
            writer.splice_text(writer.make(cell, "source", TEXT), 0, 0, source)
            writer.make(cell, "metadata", MAP)
            writer.put(cell, "execution_id", None)
        self._say()

    def delete_cell(self, cell_id: str) -> None:
        with self.notebook.transaction() as writer:
            writer.delete(self._cells(), cell_id)
        self._say()

    def _say(self) -> None:
        if self.is_connected:
            self.send_all()

    def _cells(self) -> bytes:
        cells: bytes | None = self.notebook.child(ROOT, "cells")
        assert cells is not None
        return cells


class JsDocument:
    """A document in JavaScript with the part of an engine's face that a client uses. A state is a name."""

    def __init__(self, process: JsProcess) -> None:
        self.js = process.peer()

    @property
    def heads(self) -> Heads:
        return self.js.heads

    def extract(self) -> Any:
        return self.js.plain()

    def generate(self, state: str) -> bytes | None:
        return self.js.generate(state)

    def receive(self, state: str, message: bytes) -> None:
        self.js.receive(message, state)


class JsClient(Client):
    """A client whose documents are JavaScript's, as a browser's are."""

    def __init__(self, name: str, process: JsProcess) -> None:
        self._process = process
        self._states = 0
        super().__init__(name)

    def _empty(self) -> Any:
        return JsDocument(self._process)

    def _fresh_state(self) -> Any:
        self._states += 1
        return f"{self.name}-{self._states}"

    def type_text(self, cell_id: str, index: int, text: str, delete: int = 0) -> None:
        """As `Client.type_text`; indices are code points here, and UTF-16 units there."""
        source = self.cells()[cell_id]["source"]
        self.notebook.js.change(
            'A.splice(doc, ["cells", args.cell, "source"], args.index, args.del, args.text)',
            cell=cell_id,
            index=_units(source[:index]),
            text=text,
            **{"del": _units(source[index : index + delete])},
        )
        self._say()

    def add_cell(self, cell_id: str, source: str, position: str = "i", cell_type: str = "code") -> None:
        self.notebook.js.change(
            """const str = text => new A.ImmutableString(text)
            doc.cells[args.cell] = {id: str(args.cell), cell_type: str(args.type), position: str(args.position),
                                    source: args.source, metadata: {}, execution_id: null}""",
            cell=cell_id,
            type=cell_type,
            position=position,
            source=source,
        )
        self._say()

    def delete_cell(self, cell_id: str) -> None:
        self.notebook.js.change("delete doc.cells[args.cell]", cell=cell_id)
        self._say()


def _units(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


def level(replica: Replica, *clients: Client) -> bool:
    """Whether all clients have exactly what the server has."""
    return all(client.heads == replica.heads for client in clients)
