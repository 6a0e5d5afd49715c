"""What a terminal would show of a stream: returns, backspaces, ANSI moves and erasures applied to the text.

A `Terminal` is fed the text of one stream and gives it back in two parts: what can never change any more (*sealed*)
and what the cursor can still reach (*tail*). Progress bars so leave one line, and a flood of plain lines costs a few
string operations a message: text without control characters is never looked at one character at a time, and every
piece of text is touched a bounded number of times (a property test compares with a terminal that goes step by step).

Rules
1. Colours (SGR sequences) stay in the text. Where a line is overwritten each column keeps its own.
2. Sequences that are no move and no erasure are kept as they are; the front end knows what to do with them.
3. The cursor reaches `REACH` lines up. Lines beyond are sealed.
4. A carriage return before a line end is part of it. A sequence may be cut anywhere between two feeds.
"""

from __future__ import annotations

import re

from jupyter_runtimed.core.terminal.pens import next_pen
from jupyter_runtimed.core.terminal.rows import ESCAPE, Row

REACH = 64
"""Lines the cursor can go back to; terminals are rarely higher."""

_FARTHEST_COLUMN = 4096
"""A move to the right goes no further: what follows is padded with spaces, which must not eat the memory."""

_LONGEST_ROW = 64 * 1024
"""A line that is being overwritten is sealed when it is longer than this."""

_SCREEN_BYTES = 8 * 1024
"""What `take` keeps in reach of a stream that has moved the cursor up."""

_CONTROL = re.compile(r"[\r\x08]|\x1b\[([0-9;]{0,32})([A-HJKf])")
_CUT_OFF = re.compile(r"\x1b(?:\[[0-9;:?]{0,32})?\Z")
_ONE_COLUMN_EACH = re.compile(r"[\n\r\x20-\u02ff\u2500-\u25ff\u2800-\u28ff]*\Z")


class Terminal:
    """One stream's screen: rows of which the last `REACH` can be rewritten."""

    def __init__(self) -> None:
        self._sealed: list[str] = []
        self._rows = [Row()]
        self._at = 0
        # None: at the end of the last row, where text is simply appended.
        self._column: int | None = None
        self._pen = ""
        self._held = ""
        self._went_up = False
        self.pending_chars = 0

    def feed(self, text: str) -> None:
        """Write text at the cursor.

        Args:
            text: what the program wrote, cut anywhere.
        """
        self.pending_chars += len(text)
        if self._held:
            text = self._held + text
            self._held = ""
        if "\r" in text:
            text = text.replace("\r\n", "\n")
            if text.endswith("\r"):
                # It may be half of a line end; alone it shows nothing, so nobody misses it.
                text, self._held = text[:-1], "\r"
            if _ONE_COLUMN_EACH.match(text):
                text = "\n".join([_fold_returns(line) if "\r" in line else line for line in text.split("\n")])
        if "\x1b" in text:
            cut_off = _CUT_OFF.search(text)
            if cut_off is not None:
                text, self._held = text[: cut_off.start()], text[cut_off.start() :] + self._held
        start = 0
        # Searching for one character is ten times as fast as for a pattern, and most text has none of these.
        controls = _CONTROL.finditer(text) if "\x1b" in text or "\r" in text or "\x08" in text else ()
        for control in controls:
            self._write(text[start : control.start()])
            self._obey(control)
            start = control.end()
        self._write(text[start:] if start else text)

    def close(self) -> None:
        """No more text will come: what was held back as half a sequence is text after all."""
        held, self._held = self._held, ""
        if held.strip("\r"):
            self.pending_chars += len(held)
            self._write(held)

    def take(self, limit_bytes: int, keep_bytes: int | None = None) -> tuple[str, str]:
        """Seal what need not stay in reach.

        Args:
            limit_bytes: the longest tail that is left alone, UTF-8 bytes. A stream that has moved the cursor up may
                have a longer one, and a line that is being overwritten stays whole.
            keep_bytes: how much of the newest text a tail keeps that was too long; the limit if it is not given.

        Returns:
            The text that was sealed since the last call, and the tail as it stands now.
        """
        if self._went_up:
            limit_bytes = max(limit_bytes, _SCREEN_BYTES)
        if sum(row.size + 1 for row in self._rows) - 1 > limit_bytes:
            self._seal_rows(self._rows_to_keep(limit_bytes if keep_bytes is None else min(keep_bytes, limit_bytes)))
        last = self._rows[-1]
        if len(self._rows) == 1 and last.size > (_LONGEST_ROW if last.is_edited else limit_bytes):
            self._sealed.append(last.render(self._pen))
            self._rows[0] = Row()
            self._column = None
        sealed = "".join(self._sealed)
        self._sealed.clear()
        self.pending_chars = 0
        return sealed, "\n".join(self._texts(self._rows))

    # ---- writing ---------------------------------------------------------------------------------------------

    def _write(self, text: str) -> None:
        if not text:
            return
        while self._column is not None:
            line, newline, text = text.partition("\n")
            self._overwrite(line)
            if not newline:
                return
            self._next_row()
        self._append(text)

    def _append(self, text: str) -> None:
        """The cursor is at the very end: no need to look at anything but the line ends."""
        rows = self._rows
        lines = text.rsplit("\n", REACH)
        if len(lines) > REACH:
            self._seal_rows(1)
            self._sealed += [rows[0].render(""), lines[0], "\n"]
            rows[:] = [Row(line) for line in lines[1:]]
        else:
            rows[-1].append(lines[0])
            rows += [Row(line) for line in lines[1:]]
            if len(rows) > 2 * REACH:
                self._seal_rows(REACH)
        self._at = len(rows) - 1

    def _overwrite(self, line: str) -> None:
        row = self._rows[self._at]
        start = 0
        if "\x1b" in line:
            for escape in ESCAPE.finditer(line):
                if escape.group(1) is None:
                    continue
                self._put(row, line[start : escape.start()])
                self._pen = next_pen(self._pen, escape.group(1))
                start = escape.end()
        self._put(row, line[start:])

    def _put(self, row: Row, text: str) -> None:
        if text:
            assert self._column is not None
            self._column = row.put(self._column, text, self._pen)

    def _next_row(self) -> None:
        self._rows[self._at].end_pen = self._pen
        self._at += 1
        if self._at == len(self._rows):
            self._rows.append(Row())
            self._column = None
            self._pen = ""
            if len(self._rows) > 2 * REACH:
                self._seal_rows(REACH)
        else:
            self._column = 0
            self._rows[self._at].edit()

    # ---- moving and erasing ----------------------------------------------------------------------------------

    def _obey(self, control: re.Match[str]) -> None:
        command = control.group(2)
        if command == "K" and self._column is None and not control.group(1):
            # Nothing stands behind the end; `grep` writes one of these on every line.
            return
        column = self._settle()
        if command is None:
            self._column = 0 if control.group() == "\r" else max(0, column - 1)
            return
        parameters = [min(int(part), 2 * _FARTHEST_COLUMN) if part else 0 for part in control.group(1).split(";")]
        first = parameters[0]
        if command == "K":
            self._rows[self._at].erase(first, column)
        elif command == "J":
            self._erase_rows(first, column)
        elif command in "CDG":
            moved = {"C": column + max(1, first), "D": column - max(1, first), "G": max(1, first) - 1}[command]
            self._column = min(max(0, moved), _FARTHEST_COLUMN)
        elif command in "Hf":
            self._go_to_row(self._top() + max(1, first) - 1)
            self._column = min(max(1, parameters[1] if len(parameters) > 1 else 1) - 1, _FARTHEST_COLUMN)
        else:
            self._go_to_row(self._at + (-max(1, first) if command in "AF" else max(1, first)))
            if command in "EF":
                self._column = 0

    def _settle(self) -> int:
        """From appending to overwriting: give the cursor a column and its row columns."""
        row = self._rows[self._at]
        if self._column is None:
            width, self._pen = row.edit()
            self._column = width
        return self._column

    def _top(self) -> int:
        return max(0, len(self._rows) - REACH)

    def _go_to_row(self, index: int) -> None:
        if index < self._at:
            self._went_up = True
        self._at = min(max(self._top(), index), len(self._rows) - 1)
        self._rows[self._at].edit()

    def _erase_rows(self, what: int, column: int) -> None:
        if what == 0:
            self._rows[self._at].erase(0, column)
            del self._rows[self._at + 1 :]
        elif what == 1:
            self._rows[self._at].erase(1, column)
            self._rows[self._top() : self._at] = [Row() for _ in range(self._top(), self._at)]
        else:
            del self._rows[self._top() :]
            self._rows.append(Row())
            self._at = len(self._rows) - 1
            self._rows[self._at].edit()

    # ---- sealing ---------------------------------------------------------------------------------------------

    def _rows_to_keep(self, budget: int) -> int:
        below_cursor = len(self._rows) - self._at
        keep = 0
        for row in reversed(self._rows[-REACH:]):
            budget -= row.size + 1
            if budget < 0 and keep >= below_cursor:
                break
            keep += 1
        return max(1, keep)

    def _seal_rows(self, keep: int) -> None:
        surplus = len(self._rows) - keep
        if surplus > 0:
            self._sealed.append("\n".join([*self._texts(self._rows[:surplus]), ""]))
            del self._rows[:surplus]
            self._at -= surplus

    def _texts(self, rows: list[Row]) -> list[str]:
        current = self._rows[self._at]
        return [row.render(self._pen if row is current else row.end_pen) for row in rows]


def _fold_returns(line: str) -> str:
    """The same picture with at most two returns: what is overwritten before anyone saw it need not be written."""
    first, *others, last = line.split("\r")
    if len(others) < 2:
        return line
    shown = ""
    for part in reversed(others):
        if len(part) > len(shown):
            shown += part[len(shown) :]
    return f"{first}\r{shown}\r{last}"
