"""Which room owns which file.

Invariant: a file has at most one owner and a room at most one file. A file is named by its *key*, which is equal for
every spelling of its path (`Identity.key`); the index never looks at paths. Every method is synchronous: between a
question and the claim that follows from it nobody else gets a turn.
"""

from __future__ import annotations

from jupyter_runtimed.core.ids import RoomId


class PathIndex:
    """Keys and their owners, both ways."""

    def __init__(self) -> None:
        self._owners: dict[str, RoomId] = {}
        self._keys: dict[RoomId, str] = {}

    def __len__(self) -> int:
        return len(self._owners)

    def owner(self, key: str) -> RoomId | None:
        """The room that owns a file."""
        return self._owners.get(key)

    def key(self, room_id: RoomId) -> str | None:
        """The file that a room owns."""
        return self._keys.get(room_id)

    def claim(self, key: str, room_id: RoomId) -> str | None:
        """Make a room the owner of a file; it gives up the one it had.

        Returns:
            The key it had, so that the claim can be taken back.

        Raises:
            ValueError: another room owns the file; ask `owner` first.
        """
        if self._owners.get(key, room_id) != room_id:
            raise ValueError(f"{key!r} is owned by room {self._owners[key]}")
        before = self._keys.get(room_id)
        self.release(room_id)
        self._owners[key] = room_id
        self._keys[room_id] = key
        return before

    def release(self, room_id: RoomId) -> None:
        """The room owns no file any more. No error when it owned none."""
        key = self._keys.pop(room_id, None)
        if key is not None:
            del self._owners[key]
