"""In whose name the server changes a notebook at this moment: a request's, or that of whoever wrote the file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from jupyter_runtimed.core.versions import Person

_ACTING: ContextVar[Person | None] = ContextVar("acting", default=None)


@contextmanager
def acting_as(person: Person | None) -> Iterator[None]:
    """Within the block, and in tasks it starts, changes are noted in somebody's name."""
    token = _ACTING.set(person)
    try:
        yield
    finally:
        _ACTING.reset(token)


def acting() -> Person | None:
    """Who acts; None for the server itself."""
    return _ACTING.get()
