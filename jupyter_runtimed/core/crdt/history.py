"""What a document's history holds: its objects and, run by run, its operations; what a foreign change may refer to.

The second half of the gate in front of the engine. The engine believes what a change says of other operations: that
this element is in that text, that those values stood under this key. When it is not so, it panics at some later read,
or saves documents that do not load, and JavaScript peers break. So each foreign change is compared with this index
first. Deleted objects and elements stay known: a peer that was away may still refer to them.

Memory: about 150 bytes a run of operations; a text that is typed on is one run.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from jupyter_runtimed.core.crdt.change_reader import ChangeInfo, read_chunk
from jupyter_runtimed.core.crdt.change_writer import DELETE, INCREMENT, MAP, ChangeBuilder, OpId
from jupyter_runtimed.core.crdt.chunks import DOCUMENT_CHUNK, split_chunks
from jupyter_runtimed.core.crdt.document_chunk import open_document, read_operations
from jupyter_runtimed.core.crdt.engine import ChangeName
from jupyter_runtimed.core.crdt.operations import MAKES, Ids, OpRun
from jupyter_runtimed.core.errors import Malformed, OtherLineage
from jupyter_runtimed.core.ids import Hash, Heads

_NO_LIMIT = 1 << 62

_MAX_GAP = 1_000_000
"""How far beyond all known operations a change may begin to count. Counters have 32 bits; honest gaps are rare
(edits at older heads) and small."""


class _Kept(NamedTuple):
    """Operations in a row that others may refer to.

    Attributes:
        last: counter of the last; that of the first is in `_Author.firsts`.
        obj: the object they are on.
        place: None when they made elements of it; else the map key, or the element, they wrote to.
    """

    last: int
    obj: OpId | None
    place: str | OpId | None


@dataclass(slots=True)
class _Author:
    seq: int = 0
    last: Hash = b""
    max_op: int = 0
    firsts: list[int] = field(default_factory=list)
    runs: list[_Kept] = field(default_factory=list)

    def find(self, counter: int) -> _Kept | None:
        at = bisect_right(self.firsts, counter) - 1
        if at < 0:
            return None
        run = self.runs[at]
        return run if counter <= run.last else None

    def keep(self, first: int, run: _Kept) -> None:
        if self.runs:
            before = self.runs[-1]
            if before.last + 1 == first and before.place == run.place and before.obj == run.obj:
                self.runs[-1] = before._replace(last=run.last)
                return
        self.firsts.append(first)
        self.runs.append(run)


class Mark(NamedTuple):
    """How things were before a change, to go back to."""

    info: ChangeInfo
    author: _Author | None
    seq: int
    last: Hash
    author_max_op: int
    length: int
    last_run: _Kept | None
    max_op: int


class History:
    """See the module.

    Args:
        max_depth: how deep objects may be nested; an object in the root has depth 1.
    """

    def __init__(self, max_depth: int) -> None:
        self._max_depth = max_depth
        self._authors: dict[bytes, _Author] = {}
        self._objects: dict[OpId | None, tuple[int, int]] = {None: (MAP, 0)}  # kind, depth
        self._max_ops: dict[Hash, int] = {}
        self._max_op = 0

    def __contains__(self, digest: Hash) -> bool:
        return digest in self._max_ops

    def begin_change(self, actor: bytes, heads: Heads) -> ChangeBuilder:
        """The next change of an actor, as the engine would begin it."""
        author = self._authors.get(actor)
        if author is None:
            return ChangeBuilder(actor, 1, self._max_op + 1, heads)
        return ChangeBuilder(actor, author.seq + 1, self._max_op + 1, {*heads, author.last})

    def element_of(self, obj: OpId, op: OpId) -> OpId | None:
        """The element of a list or text that an operation made or wrote to."""
        run = self._find(op)
        if run is None or run.obj != obj or isinstance(run.place, str):
            return None
        return op if run.place is None else run.place

    def enter_document(self, names: Iterable[ChangeName], runs: Iterable[tuple[bytes, OpRun]]) -> None:
        """Enter a whole document, as the first thing.

        Args:
            names: of all its changes, in order.
            runs: the (author, run) of all its operations that are no deletions.
        """
        for name in names:
            author = self._authors.setdefault(name.actor, _Author())
            author.seq, author.last, author.max_op = name.seq, name.hash, name.max_op
            self._max_ops[name.hash] = name.max_op
            self._max_op = max(self._max_op, name.max_op)
        for actor, run in sorted(runs, key=lambda item: (item[1].first, item[0])):
            self._keep(self._authors[actor], actor, run)

    def enter(self, info: ChangeInfo) -> None:
        """Enter a change that is known to be good: our own, or one that was checked in its time."""
        author = self._begin(info)
        for run in info.runs():
            self._keep(author, info.actor, run)

    def check(self, info: ChangeInfo) -> Mark:
        """Compare a foreign change with what is there, and enter it.

        Returns:
            What `forget` needs to take it back.

        Raises:
            Malformed: it refers to something that is not so; it is not entered.
            OtherLineage: its author's history goes on with another change here; likewise.
        """
        self._check_header(info)
        mark = self._mark(info)
        try:
            author = self._begin(info)
            for run in info.runs():
                self._check_run(info.actor, run)
                self._keep(author, info.actor, run)
        except Malformed:
            self.forget(mark)
            raise
        return mark

    def forget(self, mark: Mark) -> None:
        """Take back what was entered since a `check`, that change included; for several, last first."""
        info = mark.info
        self._max_op = mark.max_op
        self._max_ops.pop(info.hash, None)
        for obj in info.made:
            self._objects.pop(obj, None)
        author = mark.author
        if author is None:
            self._authors.pop(info.actor, None)
            return
        author.seq, author.last, author.max_op = mark.seq, mark.last, mark.author_max_op
        del author.firsts[mark.length :]
        del author.runs[mark.length :]
        if mark.last_run is not None:
            author.runs[-1] = mark.last_run

    def _mark(self, info: ChangeInfo) -> Mark:
        author = self._authors.get(info.actor)
        if author is None:
            return Mark(info, None, 0, b"", 0, 0, None, self._max_op)
        last_run = author.runs[-1] if author.runs else None
        return Mark(info, author, author.seq, author.last, author.max_op, len(author.runs), last_run, self._max_op)

    def _begin(self, info: ChangeInfo) -> _Author:
        author = self._authors.get(info.actor)
        if author is None:
            author = self._authors[info.actor] = _Author()
        author.seq = info.seq
        author.last = info.hash
        author.max_op = info.max_op
        self._max_ops[info.hash] = info.max_op
        self._max_op = max(self._max_op, info.max_op)
        return author

    def _keep(self, author: _Author, actor: bytes, run: OpRun) -> None:
        """Enter what later operations may refer to."""
        if run.action == DELETE or run.action == INCREMENT:
            return
        last = run.first + run.times - 1
        if run.insert:
            author.keep(run.first, _Kept(last, run.obj, None))
        elif run.key is not None:
            author.keep(run.first, _Kept(last, run.obj, run.key))
        elif run.elements is not None:
            for offset in range(run.times):
                counter = run.first + offset
                author.keep(counter, _Kept(counter, run.obj, run.elements.at(offset)))
        if run.action in MAKES:
            depth = self._objects[run.obj][1] + 1 if run.obj in self._objects else 1
            for counter in range(run.first, last + 1):
                self._objects[(counter, actor)] = (run.action, depth)

    def _find(self, op: OpId) -> _Kept | None:
        author = self._authors.get(op[1])
        return None if author is None else author.find(op[0])

    # What must be so.

    def _check_header(self, info: ChangeInfo) -> None:
        author = self._authors.get(info.actor)
        seq, own_max_op = (author.seq, author.max_op) if author else (0, 0)
        if info.seq <= seq:
            raise OtherLineage(
                "another change under this actor id came here before this one; send the whole document to the merge"
                " call, then start with an empty one and an actor id of its own"
            )
        if info.seq != seq + 1:
            raise Malformed("a change that is not its author's next one, and those between are missing")
        before = max([own_max_op, *[self._max_ops.get(dep, 0) for dep in info.deps]])
        if not before < info.start_op <= self._max_op + _MAX_GAP:
            raise Malformed("a change whose operations do not count on from those before it")

    def _check_run(self, actor: bytes, run: OpRun) -> None:
        known = self._objects.get(run.obj)
        if known is None or (run.obj is not None and run.obj[0] >= run.first):
            raise Malformed("an operation on an object nobody has made")
        kind, depth = known
        if (run.key is not None) != (kind == MAP):
            raise Malformed("an operation that treats a map as a list or text, or the reverse")
        if run.action in MAKES and depth >= self._max_depth:
            raise Malformed(f"objects nested more than {self._max_depth} levels deep")
        if run.elements is not None:
            self._check_elements(actor, run, run.elements)
        for pred in run.preds:
            self._check_preds(actor, run, pred)

    def _check_elements(self, actor: bytes, run: OpRun, elements: Ids) -> None:
        """Each is an element of the object, made before the operation that refers to it."""
        own = elements.actor == actor
        if elements.step in (0, 1) or run.times == 1:
            last = elements.first + (run.times - 1) * elements.step
            if own and run.insert:
                last = min(last, run.first - 1)  # what comes then are elements that this run makes
            self._check_stretch(run, elements.actor, elements.first, last, run.first)
            return
        for offset in range(run.times):
            counter = elements.first + elements.step * offset
            if not (own and run.insert and run.first <= counter < run.first + offset):
                self._check_stretch(run, elements.actor, counter, counter, run.first + offset)

    def _check_stretch(self, run: OpRun, actor: bytes, first: int, last: int, by: int) -> None:
        """The operations `first` to `last` of an actor made elements of the run's object, before operation `by`."""
        author = self._authors.get(actor)
        if author is None or not 0 < first < by:
            raise Malformed("an operation on an element nobody has made")
        while first <= last:
            found = author.find(first)
            if found is None or found.place is not None or found.obj != run.obj:
                raise Malformed("an operation on an element that is not in its list or text")
            first = found.last + 1

    def _check_preds(self, actor: bytes, run: OpRun, pred: Ids) -> None:
        """Each wrote to the key or element that the operation after it writes to, or made that element."""
        elements = run.elements
        if pred == elements:
            return  # what is deleted or overwritten is the element itself, and that has been looked at
        for offset in range(run.times):
            op = pred.at(offset)
            place: str | OpId | None = run.key
            if elements is not None:
                place = elements.at(offset)
                if op == place:
                    continue
            if op[0] >= run.first + offset or not self._stands_at(actor, run, op, place):
                raise Malformed("an operation on values that do not stand there")

    def _stands_at(self, actor: bytes, run: OpRun, op: OpId, place: str | OpId | None) -> bool:
        counter, author = op
        if author == actor and counter >= run.first:  # an operation of this very run
            written = run.key if run.elements is None else run.elements.at(counter - run.first)
            return run.action not in (DELETE, INCREMENT) and written == place
        found = self._find(op)
        return found is not None and found.place == place and found.obj == run.obj


def read_history(snapshot: bytes, names: Iterable[ChangeName], max_depth: int) -> History:
    """The index of a document that we wrote, or have loaded, ourselves.

    Args:
        snapshot: its chunks.
        names: of the changes in its document chunk, in order.
        max_depth: as of `History`.
    """
    history = History(max_depth)
    for kind, body, chunk, _ in split_chunks(snapshot, _NO_LIMIT):
        if kind == DOCUMENT_CHUNK:
            history.enter_document(names, read_operations(open_document(body, _NO_LIMIT)))
        else:
            history.enter(read_chunk(chunk))
    return history
