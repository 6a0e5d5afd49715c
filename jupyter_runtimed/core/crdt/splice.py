"""Own edits of a text, by code points."""

from __future__ import annotations

from jupyter_runtimed.core.crdt.change_writer import HEAD, ChangeBuilder
from jupyter_runtimed.core.crdt.engine import EngineRefused, op_id
from jupyter_runtimed.core.crdt.replica import Replica

_BY_ENGINE = 64
"""Characters: up to so many a splice is cheaper as engine operations than as a change of our own."""


def splice_text(
    replica: Replica, text: bytes, index: int, delete: int, insert: str, *, origin: str | None = None
) -> None:
    """Delete and insert characters of a text, as one change. Indices are code points.

    Raises:
        EngineRefused: the place is outside the text.
        UnicodeEncodeError: the text has lone surrogates.
    """
    if delete + len(insert) > _BY_ENGINE and _write(replica, text, index, delete, insert, origin):
        return
    try:
        with replica.transact(origin=origin) as writer:
            writer.splice_text(text, index, delete, insert)
    except EngineRefused:
        before = replica.engine.text(text)
        if not 0 <= index <= index + delete <= len(before):
            raise
        # Somebody put strings of several characters in as one element; the engine loses count in such texts.
        with replica.transact(origin=origin) as writer:
            while writer.length(text):
                writer.delete(text, 0)
            writer.splice_text(text, 0, 0, before[:index] + insert + before[index + delete :])


def _write(replica: Replica, text: bytes, index: int, delete: int, insert: str, origin: str | None) -> bool:
    """Write the change ourselves. False when there is more than plain characters there: the engine knows how."""
    obj = op_id(text)
    start = max(0, index - 1)
    ids = replica.engine.element_ids(text, start, index + delete)
    history = replica.history
    if obj is None or len(set(ids)) < len(ids) or any(history.element_of(obj, each) != each for each in ids):
        return False

    def write(builder: ChangeBuilder) -> None:
        for element in ids[index - start :]:
            builder.delete(obj, element, [element])
        builder.text(obj, insert, ids[0] if index else HEAD)

    replica.append_own(write, origin=origin)
    return True
