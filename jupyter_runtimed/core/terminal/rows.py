"""The rows of a terminal: text, or columns of which each has its character and its pen."""

from __future__ import annotations

import re
import unicodedata
from itertools import groupby

from jupyter_runtimed.core.terminal.pens import change_pen, next_pen

ESCAPE = re.compile(r"\x1b\[([0-9;:]{0,64})m|\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)")
"""Sequences without width: colours (the group has their parameters) and all others."""


class Row:
    """One line: text that only grew, or columns once the cursor went back into it."""

    __slots__ = ("_cells", "_parts", "_pens", "_size", "end_pen")

    def __init__(self, text: str = "") -> None:
        self._parts = [text] if text else []
        self._size = _utf8_size(text)
        self._cells: list[str] | None = None
        self._pens: list[str] | None = None
        self.end_pen = ""

    @property
    def is_edited(self) -> bool:
        return self._cells is not None

    @property
    def size(self) -> int:
        """UTF-8 bytes; of an edited row an estimate without its colours."""
        return self._size if self._cells is None else len(self._cells)

    def append(self, text: str) -> None:
        if self._cells is not None:
            self.put(len(self._cells), text, self.end_pen)
        elif text:
            self._parts.append(text)
            self._size += _utf8_size(text)

    def edit(self) -> tuple[int, str]:
        """Have columns from now on. Returns how many, and the pen at the end."""
        if self._cells is None:
            self._cells = []
            text = "".join(self._parts)
            self._parts.clear()
            pen, start = "", 0
            for escape in ESCAPE.finditer(text):
                if escape.group(1) is not None:
                    self.put(len(self._cells), text[start : escape.start()], pen)
                    pen = next_pen(pen, escape.group(1))
                    start = escape.end()
            self.put(len(self._cells), text[start:], pen)
            self.end_pen = pen
        return len(self._cells), self.end_pen

    def put(self, column: int, text: str, pen: str) -> int:
        """Overwrite from a column on. Returns the column behind."""
        cells = self._cells
        assert cells is not None
        glyphs = text if text.isascii() and "\x1b" not in text else _glyphs(text)
        if pen and self._pens is None:
            self._pens = [""] * len(cells)
        gap = column - len(cells)
        if gap > 0:
            cells += " " * gap
        cells[column : column + len(glyphs)] = glyphs
        if self._pens is not None:
            self._pens += [""] * max(0, gap)
            self._pens[column : column + len(glyphs)] = [pen] * len(glyphs)
        return column + len(glyphs)

    def erase(self, what: int, column: int) -> None:
        """What: 0 from the column on, 1 up to and with the column, 2 all."""
        assert self._cells is not None
        if what == 1:
            self.put(0, " " * min(column + 1, len(self._cells)), "")
            return
        start = column if what == 0 else 0
        del self._cells[start:]
        if self._pens is not None:
            del self._pens[start:]

    def render(self, end_pen: str) -> str:
        if self._cells is None:
            return "".join(self._parts)
        if self._pens is None and not end_pen:
            return "".join(self._cells)
        parts, start, pen = [], 0, ""
        for new_pen, group in groupby(self._pens or [""] * len(self._cells)):
            stop = start + sum(1 for _ in group)
            parts += [change_pen(pen, new_pen), *self._cells[start:stop]]
            start, pen = stop, new_pen
        return "".join([*parts, change_pen(pen, end_pen)])


def _utf8_size(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


def _glyphs(text: str) -> list[str]:
    """Columns of a text: combining characters and sequences without width belong to the column beside them."""
    glyphs: list[str] = []
    start = 0
    waiting = ""
    for escape in [*ESCAPE.finditer(text), None]:
        for char in text[start : escape.start() if escape else None]:
            if glyphs and not waiting and (unicodedata.combining(char) or char in "\u200d\ufe0e\ufe0f"):
                glyphs[-1] += char
            else:
                glyphs.append(waiting + char)
                waiting = ""
        if escape is not None:
            waiting += escape.group()
            start = escape.end()
    if waiting:
        if glyphs:
            glyphs[-1] += waiting
        else:
            glyphs.append(waiting)
    return glyphs
