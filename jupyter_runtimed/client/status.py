"""What the server says about a room over its socket, apart from the documents: status and presence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from jupyter_runtimed.core.ids import Heads, heads_from_hex


@dataclass(frozen=True, slots=True)
class Status:
    """A status frame.

    Attributes:
        phase: "loading", "ready" or "failed".
        done, total: cells loaded so far, and in all as far as is known.
        error: why a load failed: `code`, `message`.
        path: of the file; None for a notebook that has none yet.
        peer_id: our own name in presence.
        writable, executable: what this user may do.
        dirty: the file lacks something, be it an output.
        notebook_epoch, runtime_epoch: names of the histories.
        durable_heads: what survives the death of the server.
        durable_runtime_heads: the same of outputs; None when the server does not say.
        saved_heads: what is in the file.
        last_saved: ISO 8601, or None.
    """

    phase: str
    done: int
    total: int
    error: Mapping[str, Any] | None
    path: str | None
    peer_id: str
    writable: bool
    executable: bool
    dirty: bool
    notebook_epoch: str
    runtime_epoch: str
    durable_heads: Heads
    durable_runtime_heads: Heads | None
    saved_heads: Heads
    last_saved: str | None

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Status:
        load = body.get("load") or {}
        epochs = body.get("epochs") or {}
        return cls(
            phase=load.get("phase", "ready"),
            done=load.get("done") or 0,
            total=load.get("total") or 0,
            error=load.get("error"),
            path=body.get("path"),
            peer_id=body.get("peer_id", ""),
            writable=bool(body.get("writable", True)),
            executable=bool(body.get("executable", True)),
            dirty=bool(body.get("dirty", False)),
            notebook_epoch=str(epochs.get("notebook", "")),
            runtime_epoch=str(epochs.get("runtime", "")),
            durable_heads=heads_from_hex(body.get("durable_heads", [])),
            durable_runtime_heads=(
                heads_from_hex(body["durable_runtime_heads"]) if "durable_runtime_heads" in body else None
            ),
            saved_heads=heads_from_hex(body.get("saved_heads", [])),
            last_saved=body.get("last_saved"),
        )


@dataclass(frozen=True, slots=True)
class Cursor:
    """A selection in a cell's source; offsets in Unicode code points. A caret has anchor == head."""

    cell_id: str
    anchor: int
    head: int


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody else in the room: who the server says it is, and where they are.

    Attributes:
        user: `username`, `name`, `color`, `avatar_url`.
        cursor: None when not told, or told as Automerge cursors, which only the document can resolve.
        focus: the id of the cell they are in.
    """

    peer_id: str
    user: Mapping[str, Any] = field(default_factory=dict)
    cursor: Cursor | None = None
    focus: str | None = None

    @classmethod
    def from_json(cls, peer_id: str, body: Mapping[str, Any]) -> Person:
        cursor = body.get("cursor")
        parsed = None
        if isinstance(cursor, Mapping):
            anchor, head = cursor.get("anchor"), cursor.get("head")
            if isinstance(anchor, int) and isinstance(head, int):
                parsed = Cursor(str(cursor.get("cell_id", "")), anchor, head)
        focus = body.get("focus")
        return cls(peer_id, body.get("user") or {}, parsed, focus if isinstance(focus, str) else None)


class People:
    """Who is in the room, ourselves left out."""

    def __init__(self) -> None:
        self._people: dict[str, Person] = {}

    def receive(self, body: Mapping[str, Any]) -> None:
        """Take a presence frame: everybody, one, or one who left."""
        if "peers" in body:
            self._people = {peer_id: Person.from_json(peer_id, peer) for peer_id, peer in body["peers"].items()}
            return
        peer_id = str(body.get("peer_id", ""))
        if body.get("left"):
            self._people.pop(peer_id, None)
        else:
            self._people[peer_id] = Person.from_json(peer_id, body)

    def clear(self) -> None:
        self._people = {}

    def others(self, own_peer_id: str) -> dict[str, Person]:
        return {peer_id: person for peer_id, person in self._people.items() if peer_id != own_peer_id}
