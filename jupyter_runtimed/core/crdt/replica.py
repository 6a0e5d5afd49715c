"""A replica: one Automerge document, as little of it in the engine as can be.

A replica is a *snapshot* (bytes of a document chunk), the *log* of changes since, and, once somebody changed
something, the *engine*. While it is cold (no engine) it answers reads of its heads and history, takes in changes
that we wrote ourselves, and can be sent; becoming hot costs about a microsecond an operation, once.

Invariants:
1. `heads` are the heads of snapshot + log, hot or cold.
2. The log holds changes in an order in which they can be applied; its indices only grow.
3. `on_advance` is called, synchronously, after each change of the heads, and never otherwise.
4. Snapshot and log load: a snapshot that the engine wrote is loaded once before it takes the place of the log.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager

from jupyter_runtimed.core.crdt.admission import Admission
from jupyter_runtimed.core.crdt.change_reader import ChangeInfo, read_chunk
from jupyter_runtimed.core.crdt.change_writer import ChangeBuilder, OpId
from jupyter_runtimed.core.crdt.document_chunk import take_apart
from jupyter_runtimed.core.crdt.engine import Engine, EnginePanic, EngineRefused, EngineSyncState, Writer
from jupyter_runtimed.core.crdt.history import History, read_history
from jupyter_runtimed.core.crdt.log import Advance, LogEntry, heads_after, in_steps
from jupyter_runtimed.core.crdt.parts import Parts
from jupyter_runtimed.core.errors import Malformed
from jupyter_runtimed.core.ids import Hash, Heads
from jupyter_runtimed.core.limits import Limits

_SMALL_LOG = 64 * 1024
"""Bytes: a log that is smaller than this, or than its snapshot, is not worth a new snapshot when a replica cools."""


class Replica:
    """See the module.

    Args:
        snapshot: a document chunk, or b"" for a replica that begins with its log.
        actor: whom this replica's own changes are by; unique for each life of a replica.
        heads: heads of the snapshot.
        known: hashes of all changes in the snapshot.
        limits: of what foreign changes may do.
        log: the changes behind the snapshot; `heads` and `known` then are of both.
        parts: the changes of the snapshot.

    Attributes:
        on_advance: told of every change of the heads.
        panics: how often the engine has panicked, and was made again from snapshot and log.
    """

    def __init__(
        self,
        snapshot: bytes,
        *,
        actor: bytes,
        heads: Heads,
        known: Iterable[Hash],
        limits: Limits | None = None,
        log: Iterable[LogEntry] = (),
        parts: Parts | None = None,
    ) -> None:
        self.actor = actor
        self.on_advance: Callable[[Advance], None] | None = None
        self.panics = 0
        self._limits = limits or Limits()
        self._snapshot = snapshot
        self._heads = heads
        self._known = set(known)
        self._knows_all = True
        self._log = list(log)
        self._log_start = 0
        self._parts = parts
        self._engine: Engine | None = None
        self._history: History | None = None
        self._admission = Admission()
        self._saved: tuple[Heads, bytes] | None = (heads, snapshot) if snapshot and not self._log else None

    @classmethod
    def load(cls, data: bytes, *, actor: bytes) -> Replica:
        """A replica of any Automerge bytes (a document chunk, changes behind it). It is hot.

        Raises:
            EngineRefused, EnginePanic: the bytes are broken.
        """
        engine = Engine.load(data, actor)
        names = engine.names()
        found = take_apart(data, names)
        snapshot, changes = found if found is not None else (engine.save(), [])
        log = [LogEntry(chunk, digest, None) for chunk, digest in changes]
        replica = cls(snapshot, actor=actor, heads=engine.heads, known=[name.hash for name in names], log=log)
        replica._engine = engine
        return replica

    # What it is.

    @property
    def heads(self) -> Heads:
        """The hashes at the tip, sorted."""
        return self._heads

    @property
    def is_hot(self) -> bool:
        """Whether the engine has the document."""
        return self._engine is not None

    @property
    def snapshot(self) -> bytes:
        """The document chunk that the log continues; b"" when the log begins with the first change."""
        return self._snapshot

    @property
    def log_start(self) -> int:
        """Index of the first entry of the log that is still there."""
        return self._log_start

    @property
    def log_end(self) -> int:
        """Index behind the last entry."""
        return self._log_start + len(self._log)

    def log(self, start: int) -> list[LogEntry]:
        """The entries from an index on; raises IndexError when they have been compacted away."""
        if start < self._log_start:
            raise IndexError("that part of the log is in the snapshot")
        return self._log[start - self._log_start :]

    @property
    def n_changes(self) -> int:
        """How many changes the history has."""
        return len(self._known)

    def contains(self, heads: Iterable[Hash]) -> bool:
        """Whether every one of these changes is in the history."""
        wanted = set(heads)
        if not self._knows_all and not wanted <= self._known:
            self.engine  # noqa: B018  (it tells what is in the snapshot)
        return wanted <= self._known

    def surely_contains(self, heads: Iterable[Hash]) -> bool:
        """As `contains`, but false as well where only the engine could tell and is not there."""
        return self._known.issuperset(heads)

    def changes_since(self, heads: Heads) -> list[bytes]:
        """Chunks of the changes that are not in the history of some known heads, in order."""
        if heads == self._heads:
            return []
        return [chunk for _, chunk in self.engine.changes_since(heads)]

    # The engine, and what is known of the history.

    @property
    def engine(self) -> Engine:
        """The engine; made from snapshot and log at first use."""
        if self._engine is None or self._engine.is_broken:
            engine = Engine.load(self._snapshot, self.actor) if self._snapshot else Engine.empty(self.actor)
            if self._log:
                engine.apply([entry.chunk for entry in self._log])
            if not self._knows_all:
                self._known.update(engine.hashes())
                self._knows_all = True
            self._engine = engine
        return self._engine

    @property
    def is_heavy(self) -> bool:
        """Whether `engine` would now take so long that `warm` should come first."""
        return self._engine is None and self._parts is not None and self._parts.is_heavy

    @property
    def parts(self) -> Parts | None:
        """The changes of the snapshot, if they are known and the engine would take long for the snapshot."""
        return self._parts if self._parts is not None and self._parts.is_heavy else None

    def warm(self) -> Iterator[None]:
        """Make the engine a step at a time, if that can be done; the replica may be used between the steps."""
        if self._engine is not None or (self._parts is None and self._snapshot):
            return
        parts, engine = self._parts, Engine.empty(self.actor)
        try:
            for step in in_steps(parts or (), self._log):
                engine.apply(step)
                yield
                if self.is_hot or self._parts is not parts:
                    return  # somebody could not wait, or the history is another one
            if engine.heads == self._heads:
                self._engine = engine
        finally:
            if self._engine is None:
                self._parts = None  # it did not work: it would not work a second time

    @property
    def history(self) -> History:
        """The index of the history; made at first use, at about 2 µs a change of the snapshot, 30 µs one of the log."""
        if self._history is None:
            logged = {entry.hash for entry in self._log}
            names = [name for name in self.engine.names() if name.hash not in logged]
            self._history = read_history(self._snapshot, names, self._limits.max_depth)
            for entry in self._log:
                self._history.enter(read_chunk(entry.chunk))
        return self._history

    def _start_over(self) -> None:
        """The engine is not as it should be: it is made again from snapshot and log at the next use."""
        self._engine = self._history = None
        self._admission.clear()

    # Taking changes in.

    def begin(self, snapshot: bytes, heads: Heads) -> None:
        """Make a document chunk what a replica begins with, in place of an older one, if any. It stays cold."""
        assert self._engine is None and not self._log
        before = self._heads
        self._snapshot, self._heads = snapshot, heads
        self._known, self._knows_all = set(heads), False
        self._saved = (heads, snapshot)
        if self.on_advance is not None:
            self.on_advance(Advance((), before))

    def append(self, changes: Sequence[tuple[bytes, Hash]], *, origin: str | None = None) -> None:
        """Take in changes that we wrote ourselves: each builds on the one before, the first on what we have."""
        if not changes:
            return
        before = self._heads
        if self._engine is not None:
            try:
                self.engine.apply([chunk for chunk, _ in changes])
            except (EnginePanic, EngineRefused):
                self._start_over()
                raise
            self._heads = self.engine.heads
        else:
            self._heads = (changes[-1][1],)
        self._enter([LogEntry(chunk, digest, origin) for chunk, digest in changes], before)

    def apply(self, infos: Sequence[ChangeInfo], *, origin: str | None) -> list[LogEntry]:
        """Take in vetted foreign changes. Known ones are left out; early ones wait for their dependencies.

        Returns:
            What became part of the document, in order.

        Raises:
            Malformed: a change does not fit the document, or the engine could not take it; the replica is as before.
            OverLimit: too many changes wait for others; the replica is as before.
        """
        if all(info.hash in self._known for info in infos):
            return []
        admitted = self._admission.admit(infos, origin, self._known, self.history)
        if not admitted.infos:
            return []
        before = self._heads
        heads = heads_after(before, admitted.infos)
        engine = self.engine
        try:
            engine.take([info.chunk for info in admitted.infos], heads)
        except (EnginePanic, EngineRefused) as error:
            self.panics += isinstance(error, EnginePanic)
            admitted.withdraw()
            self._engine = None
            raise Malformed(f"changes that the engine does not take: {error}") from error
        self._heads = heads
        entries = [
            LogEntry(info.chunk, info.hash, brought_by, info.touched)
            for info, brought_by in zip(admitted.infos, admitted.origins, strict=True)
        ]
        self._enter(entries, before)
        return entries

    def missing(self, origin: str) -> Heads:
        """What changes that somebody brought early are waiting for."""
        return self._admission.missing(origin, self._known)

    def forget_early(self, origin: str) -> None:
        """Somebody has left: the changes that they brought early wait no longer."""
        self._admission.forget(origin)

    def _enter(self, entries: list[LogEntry], before: Heads) -> None:
        self._log += entries
        if self._history is not None:
            for entry in entries:
                if entry.hash not in self._history:
                    self._history.enter(read_chunk(entry.chunk))
        self._known.update(entry.hash for entry in entries)
        if self.on_advance is not None:
            self.on_advance(Advance(tuple(entries), before))

    # The engine's own sync protocol: for a client, and for peers that are not level.

    @staticmethod
    def new_sync_state() -> EngineSyncState:
        """A fresh state of the protocol, for one peer and one connection."""
        return EngineSyncState()

    def sync_receive(self, state: EngineSyncState, message: bytes, *, origin: str | None = None) -> list[LogEntry]:
        """Take a sync message in. Changes in it are believed: they come from a server, or were vetted and applied.

        Returns:
            What became part of the document, in order.

        Raises:
            Malformed: the engine could not take it; the replica is as before.
        """
        before = self._heads
        engine = self.engine
        try:
            engine.receive(state, message)
            heads = engine.heads
            arrived = [] if heads == before else engine.changes_since(before)
        except (EnginePanic, EngineRefused) as error:
            self.panics += isinstance(error, EnginePanic)
            self._start_over()
            raise Malformed(f"a message that the engine does not take: {error}") from error
        if not arrived:
            return []
        self._heads = heads
        entries = [LogEntry(chunk, digest, origin) for digest, chunk in arrived]
        self._enter(entries, before)
        return entries

    def sync_generate(self, state: EngineSyncState) -> bytes | None:
        """What the protocol has to say to a peer, or None."""
        return self.engine.generate(state)

    # Own edits.

    @contextmanager
    def transact(self, *, origin: str | None = None) -> Iterator[Writer]:
        """A transaction of the engine; what it changed is in the log when the block ends."""
        try:
            with self.engine.transaction() as writer:
                yield writer
        except EnginePanic:
            self.panics += 1
            self._start_over()
            raise
        before, heads = self._heads, self.engine.heads
        if heads != before:
            arrived, self._heads = self.engine.changes_since(before), heads
            self._enter([LogEntry(chunk, digest, origin) for digest, chunk in arrived], before)

    def insert(self, obj: OpId, after: OpId | None, string: str) -> bool:
        """Insert a string as one element behind another (None: at the front) without the engine; whether it could."""
        return False

    def append_own(self, write: Callable[[ChangeBuilder], object], *, origin: str | None = None) -> None:
        """Write one change by our own actor with a ChangeBuilder, on the present heads."""
        builder = self.history.begin_change(self.actor, self._heads)
        write(builder)
        self.append([builder.finish()], origin=origin)

    # Bytes.

    def save(self) -> bytes:
        """The whole document: one chunk, or the snapshot and the changes behind it. Cached until the heads change."""
        if self._saved is None or self._saved[0] != self._heads:
            if self._engine is None:
                return self._snapshot + b"".join(entry.chunk for entry in self._log)
            self._saved = (self._heads, self.engine.save())
        return self._saved[1]

    def compact(self) -> None:
        """Make the present document the snapshot, and empty the log.

        The snapshot is tried first: should it not load, snapshot and log stay as they are.
        """
        if not self._log and self._snapshot:
            return
        snapshot = self.engine.save()
        try:
            engine = Engine.load(snapshot, self.actor)
        except (EnginePanic, EngineRefused):
            return
        if engine.heads == self._heads:
            self.adopt_snapshot(snapshot)

    def adopt_snapshot(self, snapshot: bytes) -> None:
        """Take a document chunk of exactly the present heads as the snapshot (the import wrote it).

        An import may do so several times while it goes on.
        """
        if self._parts is not None or not self._snapshot:
            self._parts = self._parts or Parts()
            self._parts.add([entry.chunk for entry in self._log])
        self._snapshot = snapshot
        self._saved = (self._heads, snapshot)
        self._log_start += len(self._log)
        self._log.clear()

    def cool(self) -> None:
        """Give the engine back; the next edit makes it again."""
        if self._engine is None:
            return
        if sum(len(entry.chunk) for entry in self._log) > max(_SMALL_LOG, len(self._snapshot)):
            self.compact()
        self._engine = self._history = None
        if self._saved is not None and self._saved[1] is not self._snapshot:
            self._saved = None
