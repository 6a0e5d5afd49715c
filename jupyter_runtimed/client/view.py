"""What a peer knows of a room: both documents, status and presence, kept right over connections and epochs.

No waiting and no I/O. Two rules make what is shown steady:

1. The runtime document starts anew with each connection, as the protocol asks, but the old one is shown until the new
   one is whole, so that nobody sees outputs vanish and come back.
2. After a merge into another lineage the notebook starts anew likewise; in between it may not be edited.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec

from jupyter_runtimed.client.status import People, Person, Status
from jupyter_runtimed.client.synced import SyncedDocument
from jupyter_runtimed.core.crdt import Advance, Follower, Replica
from jupyter_runtimed.core.document import NotebookDocument
from jupyter_runtimed.core.frames import FrameType, encode_frame
from jupyter_runtimed.core.ids import Hash, Heads
from jupyter_runtimed.core.runtime_reader import RuntimeReader

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Change:
    """What changed since the last one. Reads inside a listener show the newest state.

    Attributes:
        notebook: cells, their order, or the notebook's metadata.
        runtime: executions, outputs, the kernel, or widgets.
        status: load, rights, path, what is saved; or the connection.
        presence: who is here, and where.
        is_local: the notebook changed by our own edit.
    """

    notebook: bool = False
    runtime: bool = False
    status: bool = False
    presence: bool = False
    is_local: bool = False


class RoomView:
    """One room as one peer sees it.

    Args:
        new_actor: makes a random actor id; each replica's life has its own.

    Attributes:
        notebook: the notebook document that is shown and edited.
        runtime: the runtime document that is shown.
        status: the last status frame; None before the first.
        has_own_edits: whether we have changed anything in the life of this replica.
        saved_heads: of this replica, as they were last said to be in the file.
        durable_heads: of this replica, as the server was last said to have them for good.
    """

    def __init__(self, new_actor: Callable[[], bytes]) -> None:
        self._new_actor = new_actor
        self._noted: dict[str, bool] = {}
        self._people = People()
        self._presence: bytes | None = None
        self._presence_to_send: bytes | None = None
        self._may_sync_notebook = True
        self._runtime_epoch: str | None = None
        self.status: Status | None = None
        self.has_own_edits = False
        self.saved_heads: Heads = ()
        self.durable_heads: Heads = ()
        self._notebook_sync = self._empty()
        self._show_notebook()
        self._runtime_sync = self._empty()
        self._show_runtime()

    def _empty(self) -> SyncedDocument:
        return SyncedDocument(Follower(self._new_actor()))

    def _show_notebook(self) -> None:
        self.notebook = NotebookDocument(self._notebook_sync.replica)
        self._notebook_sync.replica.on_advance = self._notebook_advanced
        self._note(notebook=True)

    def _show_runtime(self) -> None:
        self.runtime = RuntimeReader(self._runtime_sync.replica)
        self._runtime_sync.replica.on_advance = self._runtime_advanced
        self._note(runtime=True)

    # ---- what is known ----

    @property
    def is_level(self) -> bool:
        """Whether all that the server has told of is shown, both documents being there."""
        return (
            not self.is_between
            and self.runtime.replica is self._runtime_sync.replica
            and bool(self.notebook.replica.heads)
            and self._notebook_sync.is_level
            and self._runtime_sync.is_level
        )

    @property
    def is_between(self) -> bool:
        """Whether the notebook shown is about to be replaced by another lineage."""
        return not self._may_sync_notebook or self.notebook.replica is not self._notebook_sync.replica

    def others(self) -> dict[str, Person]:
        """The other people in the room, by peer id."""
        return self._people.others(self.status.peer_id if self.status else "")

    def server_has(self, heads: Iterable[Hash]) -> bool:
        """Whether the server has said on this connection that it has these changes of ours."""
        return not self.is_between and self._notebook_sync.server_has(heads)

    def is_durable(self, heads: Iterable[Hash]) -> bool:
        """Whether the server has said that these changes survive its death."""
        return (
            self.status is not None
            and not self.is_between
            and self._notebook_sync.is_in(heads, self.status.durable_heads)
        )

    def is_runtime_durable(self, replica: Replica, heads: Iterable[Hash]) -> bool:
        """Whether the server has said that outputs survive its death.

        Args:
            replica: the runtime document that was shown.
            heads: its heads then. Of a document that took its place, all that it shows is asked for.
        """
        if self.status is None or self.runtime.replica is not self._runtime_sync.replica:
            return False
        durable = self.status.durable_runtime_heads
        shown = self.runtime.replica
        return durable is None or self._runtime_sync.is_in(heads if shown is replica else shown.heads, durable)

    # ---- edits ----

    def edit(self, change: Callable[[NotebookDocument], _T]) -> _T:
        """Change the notebook that is shown."""
        self._note(is_local=True)
        before = self.notebook.replica.heads
        try:
            return change(self.notebook)
        finally:
            self.has_own_edits = self.has_own_edits or self.notebook.replica.heads != before

    def set_presence(self, presence: Mapping[str, Any]) -> None:
        """What the others shall see of us; said again on each connection."""
        self._presence = self._presence_to_send = encode_frame(FrameType.PRESENCE, msgspec.json.encode(presence))

    def begin_merge(self) -> None:
        """From now on our replica is only read: it is being handed to the server."""
        self._may_sync_notebook = False

    def start_afresh(self) -> None:
        """The server has our edits; take its lineage from the beginning."""
        self._may_sync_notebook = True
        self.has_own_edits = False
        self._notebook_sync = self._empty()

    # ---- the connection ----

    def connected(self) -> None:
        """A new connection: fresh sync states, an empty runtime document."""
        self._notebook_sync.restart()
        self._runtime_sync = self._empty()
        self._runtime_epoch = None
        self._presence_to_send = self._presence
        self._note(status=True)

    def disconnected(self) -> None:
        """What the server said it has counted for that connection."""
        self._notebook_sync.restart()
        self._runtime_sync.restart()
        self._people.clear()
        self._note(status=True, presence=True)

    def receive_notebook(self, payload: bytes) -> None:
        """Take a sync message of the notebook document. Raises ProtocolError."""
        sync = self._notebook_sync
        sync.receive(payload)
        if self.notebook.replica is not sync.replica and sync.is_level and sync.replica.heads:
            self._show_notebook()
        if sync.content is not None and self.notebook.replica is sync.replica:
            self.notebook.seed_content(sync.content)
            sync.content = None

    def receive_runtime(self, payload: bytes) -> None:
        """Take a sync message of the runtime document. Raises ProtocolError."""
        sync = self._runtime_sync
        sync.receive(payload)
        if self.runtime.replica is not sync.replica and sync.is_level:
            self._show_runtime()
        if sync.content is not None and self.runtime.replica is sync.replica:
            self.runtime.seed_content(sync.content)
            sync.content = None

    def receive_status(self, body: Mapping[str, Any]) -> None:
        """Take a status frame."""
        self.status = Status.from_json(body)
        replica, saved, durable = self._notebook_sync.replica, self.status.saved_heads, self.status.durable_heads
        if saved and replica.contains(saved):
            self.saved_heads = saved
        if durable and replica.contains(durable):
            self.durable_heads = durable
        epoch = self.status.runtime_epoch
        if self._runtime_epoch not in (None, epoch):
            # Renewed under a standing connection: what has come on it was of the old one.
            self._runtime_sync = self._empty()
        self._runtime_epoch = epoch
        self._note(status=True)

    def receive_presence(self, body: Mapping[str, Any]) -> None:
        """Take a presence frame."""
        self._people.receive(body)
        self._note(presence=True)

    def outgoing(self) -> Iterator[bytes]:
        """The sync and presence frames to send now."""
        while self._may_sync_notebook and (message := self._notebook_sync.outgoing()) is not None:
            yield encode_frame(FrameType.NOTEBOOK_SYNC, message)
        while (message := self._runtime_sync.outgoing()) is not None:
            yield encode_frame(FrameType.RUNTIME_SYNC, message)
        presence, self._presence_to_send = self._presence_to_send, None
        if presence is not None:
            yield presence

    # ---- what changed ----

    def _notebook_advanced(self, _: Advance) -> None:
        self._note(notebook=True)

    def _runtime_advanced(self, _: Advance) -> None:
        self._note(runtime=True)

    def _note(self, **what: bool) -> None:
        self._noted.update(what)

    def take_change(self) -> Change | None:
        """What changed since this was asked last; None when nothing did."""
        noted, self._noted = self._noted, {}
        return Change(**noted) if noted.keys() - {"is_local"} else None
