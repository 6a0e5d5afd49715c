"""The value columns of a change: that they say what an engine would have written, and nothing else."""

from __future__ import annotations

from jupyter_runtimed.core.crdt.column_reader import read_runs, read_sleb, read_uleb
from jupyter_runtimed.core.errors import Malformed

NULL, FALSE, TRUE, UINT, INT, FLOAT, STR, BYTES, COUNTER, TIMESTAMP = range(10)
"""Value types, as numbered by the format: the low four bits of the metadata; the others are the size in bytes."""

_WIDTHS = {2: ("\x80", "\u07ff"), 3: ("\u0800", "\uffff"), 4: ("\U00010000", "\U0010ffff")}
"""UTF-8 size -> first and last character of that size."""


class ValueCursor:
    """Walks the metadata and the values beside the other columns."""

    def __init__(self, body: bytes, metas: tuple[int, int], values: tuple[int, int]) -> None:
        self._body = body
        self._runs = read_runs(body, *metas)
        self._at, self._end = values
        self._meta: int | None = None
        self._left = 0

    def advance(self, times: int, required: int | None) -> None:
        """Check the values of the next operations.

        Args:
            times: how many.
            required: the type they must have (NULL, INT); None for any.
        """
        while times:
            if not self._left:
                self._meta, self._left = next(self._runs, (None, 0))
                if self._meta is None:
                    raise Malformed("an operation without a value")
            step = min(times, self._left)
            assert self._meta is not None
            kind, size = self._meta & 15, self._meta >> 4
            if required is not None and kind != required:
                raise Malformed("an operation with a value it cannot have")
            self._check(kind, size, step)
            self._left -= step
            times -= step

    def finish(self) -> None:
        """All operations are read."""
        if self._left or next(self._runs, None) is not None or self._at != self._end:
            raise Malformed("values of no operation")

    def _check(self, kind: int, size: int, times: int) -> None:
        start, end = self._at, self._at + size * times
        if end > self._end:
            raise Malformed("values that run over their column")
        self._at = end
        if kind == STR:
            self._check_strings(start, end, size, times)
        elif kind in (NULL, FALSE, TRUE):
            if size:
                raise Malformed("a value of a size it cannot have")
        elif kind in (UINT, INT, COUNTER, TIMESTAMP):
            read = read_uleb if kind == UINT else read_sleb
            for place in range(start, end, size or 1):
                if read(self._body, place)[1] != place + size:
                    raise Malformed("a number of another size than it says")
            if not size:
                raise Malformed("a number of no size")
        elif kind == FLOAT:
            if size != 8:
                raise Malformed("a float of another size than 8 bytes")
        elif kind != BYTES:
            raise Malformed("a value of an unknown type")

    def _check_strings(self, start: int, end: int, size: int, times: int) -> None:
        data = self._body[start:end]
        if size <= 1:
            if not data.isascii():
                raise Malformed("a string that is not UTF-8")
            return
        try:
            if times > 1 and size in _WIDTHS:
                text = data.decode()
                low, high = _WIDTHS[size]
                if len(text) == times and low <= min(text) and max(text) <= high:
                    return
            for place in range(0, len(data), size):
                data[place : place + size].decode()
        except UnicodeDecodeError:
            raise Malformed("a string that is not UTF-8") from None
