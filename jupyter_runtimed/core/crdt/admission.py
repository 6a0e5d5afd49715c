"""Who may in: foreign changes are compared with the history, and those that came early wait for the others."""

from __future__ import annotations

from collections.abc import Sequence, Set

from jupyter_runtimed.core.crdt.change_reader import ChangeInfo
from jupyter_runtimed.core.crdt.history import History, Mark
from jupyter_runtimed.core.errors import Malformed, OtherLineage, OverLimit
from jupyter_runtimed.core.ids import Hash, Heads

_MAX_EARLY = 10_000
_MAX_EARLY_BYTES = 64 * 1024 * 1024
"""What may wait for others. A real peer has a handful, after a false positive of a bloom filter."""


class Admitted:
    """Changes that may go to the engine, in order, and who brought each; `withdraw` when it does not take them."""

    def __init__(
        self, history: History, infos: Sequence[ChangeInfo], origins: Sequence[str | None], marks: Sequence[Mark]
    ) -> None:
        self.infos = infos
        self.origins = origins
        self._history = history
        self._marks = marks

    def withdraw(self) -> None:
        """Take them out of the history again."""
        for mark in reversed(self._marks):
            self._history.forget(mark)


class Admission:
    """The changes that wait."""

    def __init__(self) -> None:
        self._early: dict[Hash, ChangeInfo] = {}
        self._origins: dict[Hash, str | None] = {}

    @property
    def is_waiting(self) -> bool:
        """Whether any change waits."""
        return bool(self._early)

    def clear(self) -> None:
        """Forget the changes that wait."""
        self._early.clear()
        self._origins.clear()

    def missing(self, origin: str | None, known: Set[Hash]) -> Heads:
        """What the waiting changes that somebody brought wait for, through those that others brought too."""
        wanted: set[Hash] = set()
        looked: set[Hash] = set()
        stack = [digest for digest, brought_by in self._origins.items() if brought_by == origin]
        while stack:
            info = self._early[stack.pop()]
            for dep in info.deps:
                if dep not in self._early:
                    wanted.add(dep)
                elif dep not in looked:
                    looked.add(dep)
                    stack.append(dep)
        return tuple(sorted(wanted - known))

    def forget(self, origin: str) -> None:
        """Somebody has left: nobody will bring what the changes that they brought wait for."""
        for digest in [digest for digest, brought_by in self._origins.items() if brought_by == origin]:
            del self._early[digest], self._origins[digest]

    def admit(self, infos: Sequence[ChangeInfo], origin: str | None, known: Set[Hash], history: History) -> Admitted:
        """Of these and the waiting changes: those whose dependencies are here, checked, in order. The others wait.

        Args:
            infos: vetted changes.
            origin: who brings them.
            known: hashes of the changes that are here.
            history: enters what is admitted.

        Raises:
            Malformed, OtherLineage: one of `infos` does not fit the history; nothing is admitted.
            OverLimit: too many would wait; nothing is admitted.
        """
        if len(infos) == 1 and not self._early and infos[0].hash not in known and known >= set(infos[0].deps):
            return Admitted(history, infos, (origin,), (history.check(infos[0]),))  # a key that somebody hits
        fresh = {info.hash: info for info in infos if info.hash not in known}
        origins = {**self._origins, **dict.fromkeys(fresh, origin)}
        ready, early = self._sort_out({**self._early, **fresh}, known)
        if len(early) > _MAX_EARLY or sum(len(info.chunk) for info in early.values()) > _MAX_EARLY_BYTES:
            raise OverLimit("too many changes that build on changes nobody has sent")
        refused: set[Hash] = set()
        passed: list[ChangeInfo] = []
        marks: list[Mark] = []
        for info in ready:
            if not refused.isdisjoint(info.deps):
                refused.add(info.hash)
                continue
            try:
                marks.append(history.check(info))
            except (Malformed, OtherLineage):
                if info.hash in fresh:
                    Admitted(history, passed, (), marks).withdraw()
                    raise
                refused.add(info.hash)  # it waited; who brought it must not harm who brings this message
            else:
                passed.append(info)
        self._early = early
        self._origins = {digest: origins[digest] for digest in early}
        return Admitted(history, passed, [origins[info.hash] for info in passed], marks)

    @staticmethod
    def _sort_out(infos: dict[Hash, ChangeInfo], known: Set[Hash]) -> tuple[list[ChangeInfo], dict[Hash, ChangeInfo]]:
        """(those whose dependencies are here, in an order in which they can be applied; the others)."""
        ready: list[ChangeInfo] = []
        here: set[Hash] = set()
        waiting: dict[Hash, list[ChangeInfo]] = {}
        missing: dict[Hash, int] = {}
        for first in infos.values():
            lacking = [dep for dep in first.deps if dep not in known and dep not in here]
            if lacking:
                missing[first.hash] = len(lacking)
                for dep in lacking:
                    waiting.setdefault(dep, []).append(first)
                continue
            stack = [first]
            while stack:
                info = stack.pop()
                ready.append(info)
                here.add(info.hash)
                for other in waiting.pop(info.hash, ()):
                    missing[other.hash] -= 1
                    if not missing[other.hash]:
                        stack.append(other)
        return ready, {digest: info for digest, info in infos.items() if digest not in here}
