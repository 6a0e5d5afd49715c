"""What a room does with each advance of its documents: it is sent on, logged, saved in time, and noted in a version.

What a peer has changed is sent on to the others first; the rest follows when that is done.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from jupyter_runtimed.core.crdt import Advance
from jupyter_runtimed.core.ids import PeerId
from jupyter_runtimed.core.lifecycle import State
from jupyter_runtimed.core.versions import Person, is_run
from jupyter_runtimed.rooms.authors import acting
from jupyter_runtimed.rooms.peer import Peer

if TYPE_CHECKING:
    from jupyter_runtimed.rooms.room import Room


class Advances:
    """Of one room. On the path of every keystroke: nothing here may grow with the document.

    Args:
        room: whose.
    """

    def __init__(self, room: Room) -> None:
        self._room = room
        self._heard: list[Advance] = []
        self._revision = 0

    def runtime_whole(self) -> None:
        """The runtime document is whole; what it shows from now on is to be saved."""
        self._revision = self._room.runtime.revision

    def notebook_advanced(self, advance: Advance) -> None:
        """The notebook document has changed."""
        room = self._room
        if room.opening.is_appending:
            room.waiters.advanced()
            return
        room.hub.wake()
        if room.hub.is_receiving:
            self._heard.append(advance)
        else:
            self._note(advance)

    def note_heard(self, speaker: Peer) -> None:
        """What a peer has changed has been sent on; it may have left by now."""
        if self._heard:
            heard, self._heard = self._heard, []
            for advance in heard:
                self._note(advance, speaker)

    def _note(self, advance: Advance, speaker: Peer | None = None) -> None:
        room = self._room
        room.waiters.advanced()
        if room.lifecycle.state is State.READY:
            room.durability.notebook_advanced(advance)
            room.versions.edited(advance.before, self._people(advance, speaker))
            room.saver.touched()
            room.upkeep.touched()
            if room.executor is not None and room.executor.is_active:
                room.executor.notebook_changed()

    def _people(self, advance: Advance, speaker: Peer | None) -> set[Person]:
        """Who made some changes, as far as they are people. Who only runs cells edits nothing."""
        people = set()
        if any(entry.origin is None and not is_run(entry.touched) for entry in advance.entries):
            people.add(acting())
        for origin in {entry.origin for entry in advance.entries if entry.origin is not None}:
            is_speaker = speaker is not None and origin == speaker.id
            peer = speaker if is_speaker else self._room.hub.peers.get(PeerId(origin))
            people.add(peer.caller.person if peer is not None else None)
        return {person for person in people if person is not None}

    def runtime_advanced(self, advance: Advance) -> None:
        """The runtime document has changed."""
        room = self._room
        room.hub.wake()
        room.durability.runtime_advanced(advance)
        room.upkeep.touched()
        if self._revision != room.runtime.revision:
            self._revision = room.runtime.revision
            room.saver.touched()
