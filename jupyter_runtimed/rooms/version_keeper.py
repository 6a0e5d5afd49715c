"""The versions of one room: who edited when, and which states of the notebook can be had back.

Rules:

1. A version begins with an edit and ends when nobody has edited for `version_pause_s`, `version_longest_s` after it
   began, before a version is restored, and with the room. Everybody who edits meanwhile is named in it.
2. It is in the log from its first edit on, and again for each person who joins, so that a crash loses who and when at
   most by a moment; what it touched is known when it ends.
3. A version that only ran cells is none.
4. Versions are dropped from the list `version_retention_s` after their end, the last one never.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Protocol

from jupyter_runtimed.core.crdt import Replica
from jupyter_runtimed.core.document import NotebookDocument
from jupyter_runtimed.core.errors import BadRequest, NoSuchVersion
from jupyter_runtimed.core.ids import Heads
from jupyter_runtimed.core.merge import Version
from jupyter_runtimed.core.versions import ON_DISK, Person, Touched, VersionRecord
from jupyter_runtimed.rooms.ports.clock import Clock, Timer
from jupyter_runtimed.rooms.room_view import iso
from jupyter_runtimed.rooms.settings import RoomSettings

MAX_VERSIONS = 1000


class VersionedRoom(Protocol):
    """The part of a room that its versions see."""

    notebook: NotebookDocument


class VersionKeeper:
    """See the module.

    Args:
        room: whose.
        on_record: called with a version that has begun, changed or ended, for the log.
    """

    def __init__(
        self,
        room: VersionedRoom,
        clock: Clock,
        settings: RoomSettings,
        *,
        on_record: Callable[[VersionRecord], None],
    ) -> None:
        self.retention_s = settings.version_retention_s
        self._room = room
        self._clock = clock
        self._pause_s = settings.version_pause_s
        self._longest_s = settings.version_longest_s
        self._on_record = on_record
        self._versions: dict[int, VersionRecord] = {}
        self._current: VersionRecord | None = None
        self._state = Version()
        self._has_begun = False
        self._edited_at = self._began_at = 0.0
        self._timer: Timer | None = None

    # The room's life.

    def begin(self, logged: Iterable[Mapping[str, Any]] = (), logged_heads: Heads | None = None) -> None:
        """The document is whole.

        Args:
            logged: the versions that the log has given back.
            logged_heads: the notebook document's heads as the log has them.
        """
        self._versions = {record.number: record for record in map(_read, logged) if record and not record.is_void}
        self._has_begun = True
        self._state = Version.of(self._room.notebook)
        heads = self._replica.heads
        last = self._last()
        if last is None:
            self._put(VersionRecord(0, ended=self._now(), before=heads, heads=heads, touched=Touched()))
            return
        if last.heads is None:  # the process ended in the middle of it
            last = replace(last, heads=logged_heads or heads, touched=None)
            self._put(last)
        if last.heads != heads:  # the file was changed while the room was closed
            now = self._now()
            self._put(VersionRecord(last.number + 1, now, now, (ON_DISK,), last.heads or (), heads))

    def stop(self) -> None:
        """The room ends, and with it what is going on."""
        self.cut()
        self._has_begun = False

    def forget(self) -> None:
        """The document was renewed: there is only the present."""
        self._stop_timer()
        self._current = None
        self._versions.clear()
        self.begin()

    def to_log(self) -> list[dict[str, Any]]:
        """All versions, for a log that is written anew."""
        self._prune()
        return [record.to_json() for record in self._versions.values()]

    # Editing.

    def edited(self, before: Heads, people: Iterable[Person]) -> None:
        """The notebook document has changed. On the path of every keystroke.

        Args:
            before: the heads before.
            people: who did it; nobody when it was the server.
        """
        if not self._has_begun:
            return
        self._edited_at = self._clock.monotonic()
        current = self._current
        if current is None:
            self._began_at = self._edited_at
            last = self._last()
            number = last.number + 1 if last is not None else 0
            self._note(VersionRecord(number, self._now(), self._now(), tuple(people), before))
            self._timer = self._clock.call_later(self._pause_s, self._on_timer)
            return
        joined = [person for person in people if person not in current.people]
        if joined:
            self._note(replace(current, people=(*current.people, *joined), ended=self._now()))

    def cut(self) -> None:
        """What is going on is a version now; what comes is the next."""
        self._stop_timer()
        current, self._current = self._current, None
        if current is None:
            return
        state = Version.of(self._room.notebook)
        touched = Touched.between(self._state, state)
        self._state = state
        ended = self._clock.now() - timedelta(seconds=self._clock.monotonic() - self._edited_at)
        done = replace(current, ended=iso(ended), heads=self._replica.heads, touched=touched, is_void=not touched)
        self._put(done)
        if done.is_void:
            del self._versions[done.number]

    def _on_timer(self) -> None:
        self._timer = None
        now = self._clock.monotonic()
        left = min(self._edited_at + self._pause_s, self._began_at + self._longest_s) - now
        if left > 0:
            self._timer = self._clock.call_later(left, self._on_timer)
        else:
            self.cut()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    # Looking.

    def all(self) -> list[VersionRecord]:
        """All versions, latest first; the one that goes on with what it has touched so far."""
        self._prune()
        found = dict(self._versions)
        if self._current is not None:
            touched = Touched.between(self._state, Version.of(self._room.notebook))
            found[self._current.number] = replace(self._current, heads=self._replica.heads, touched=touched)
            if not touched:
                del found[self._current.number]
        return sorted(found.values(), key=lambda record: record.number, reverse=True)

    def get(self, number: str) -> VersionRecord:
        """One version. Raises NoSuchVersion, BadRequest."""
        if not number.isdecimal():
            raise BadRequest("a version is named by its number")
        for record in self.all():
            if record.number == int(number[:20]):
                return record
        raise NoSuchVersion(f"there is no version {number[:20]} any more, or never was")

    def complete(self, record: VersionRecord, touched: Touched) -> None:
        """What a version touched has been found out later."""
        if self._versions.get(record.number) == record:
            self._put(replace(record, touched=touched))

    # The records.

    @property
    def _replica(self) -> Replica:
        return self._room.notebook.replica

    def _now(self) -> str | None:
        return iso(self._clock.now())

    def _last(self) -> VersionRecord | None:
        return self._versions[max(self._versions)] if self._versions else None

    def _note(self, record: VersionRecord) -> None:
        self._current = record
        self._put(record)

    def _put(self, record: VersionRecord) -> None:
        self._versions[record.number] = record
        self._on_record(record)

    def _prune(self) -> None:
        oldest = self._clock.now() - timedelta(seconds=self.retention_s)
        done = sorted(number for number, record in self._versions.items() if record.heads is not None)
        for number in done[:-1]:
            ended = self._versions[number].ended
            if len(self._versions) > MAX_VERSIONS or ended is None or _time(ended) < oldest:
                del self._versions[number]


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def _read(value: Mapping[str, Any]) -> VersionRecord | None:
    try:
        return VersionRecord.from_json(value)
    except (ValueError, KeyError, TypeError, BadRequest):
        return None  # of a later version of the format
