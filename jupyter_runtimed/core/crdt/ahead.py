"""A replica that may be ahead of its engine: what is typed is entered at once, the engine gets it when it is asked.

An insertion says itself where it has to stand (`LogEntry.insertion`), and whether it fits the document is found out
without the engine: a server asks the history, a client believes its server. So on the way of a key nobody waits for
the engine, and twenty keys together cost it little more than one.
"""

from __future__ import annotations

from collections.abc import Sequence

from jupyter_runtimed.core.crdt.change_reader import ChangeInfo
from jupyter_runtimed.core.crdt.engine import Engine, EnginePanic, EngineRefused
from jupyter_runtimed.core.crdt.log import LogEntry
from jupyter_runtimed.core.crdt.replica import Replica
from jupyter_runtimed.core.ids import Heads

MAX_DUE = 32
"""Changes that the engine lacks: it takes so many within a millisecond."""


class AheadReplica(Replica):
    """See the module; the arguments are those of `Replica`."""

    _due: tuple[bytes, ...] = ()

    @property
    def engine(self) -> Engine:
        """The engine, which is given what it lacks. Raises EngineRefused, EnginePanic when it does not take that."""
        if self._engine is None or self._engine.is_broken:
            self._due = ()  # it is in the log
        elif self._due:
            self._give_due(self._engine)
        return super().engine

    def _give_due(self, engine: Engine) -> None:
        due, self._due = self._due, ()
        try:
            engine.take(due, self._heads)
        except (EnginePanic, EngineRefused) as error:  # the log decides: the engine is made anew of it
            self.panics += isinstance(error, EnginePanic)
            self._start_over()

    def apply(self, infos: Sequence[ChangeInfo], *, origin: str | None) -> list[LogEntry]:
        insertion = infos[0].insertion if len(infos) == 1 else None
        if insertion is None or self._engine is None or self._heads != (insertion.dep,) or self._admission.is_waiting:
            return super().apply(infos, origin=origin)
        (info,) = infos
        if info.hash in self._known:
            return []
        self._admission.admit(infos, origin, self._known, self.history)
        entry = LogEntry(info.chunk, info.hash, origin, info.touched, insertion)
        self._enter_ahead([entry], (info.hash,))
        return [entry]

    def _enter_ahead(self, entries: list[LogEntry], heads: Heads) -> None:
        before, self._heads = self._heads, heads
        engine = self._engine
        if engine is not None:
            self._due += tuple([entry.chunk for entry in entries])
        self._enter(entries, before)
        if engine is not None and len(self._due) > MAX_DUE:
            self._give_due(engine)
