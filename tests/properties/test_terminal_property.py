"""The terminal against one that goes character by character, and against itself with other cuts."""

from __future__ import annotations

import re

from hypothesis import given, settings
from hypothesis import strategies as st

from jupyter_runtimed.core.terminal import Terminal

TOKENS = st.sampled_from(
    ["a", "bc", "\n", "\r", "\b", "\r\n", "defgh", "\u2588", "\x1b[K", "\x1b[2K", "\x1b[1K", "\x1b[A", "\x1b[2B", "\x1b[3C", "\x1b[D"]
)  # fmt: skip
TEXTS = st.lists(TOKENS, max_size=40).map("".join)
PLAIN = st.text(alphabet=st.sampled_from("ab \n\u00e9\U0001f600\x1b[3m1"), max_size=80)


def step_by_step(text: str) -> str:
    rows: list[list[str]] = [[]]
    at = column = 0
    for token in re.findall(r"\x1b\[\d*[A-K]|\r\n|.", text, re.DOTALL):
        if token in ("\n", "\r\n"):
            at, column = at + 1, 0
            if at == len(rows):
                rows.append([])
        elif token == "\r":
            column = 0
        elif token == "\b":
            column = max(0, column - 1)
        elif token.startswith("\x1b["):
            number, command = int(token[2:-1] or 0), token[-1]
            if command == "K":
                width = len(rows[at])
                blank = [" "] * min(column + 1, width)
                rows[at] = [rows[at][:column], blank + rows[at][len(blank) :], []][number]
            elif command in "AB":
                at = min(max(0, at + (-1 if command == "A" else 1) * max(1, number)), len(rows) - 1)
            else:
                column = max(0, column + (1 if command == "C" else -1) * max(1, number))
        else:
            rows[at] += [" "] * (column - len(rows[at]))
            rows[at][column : column + 1] = [token]
            column += 1
    return "\n".join("".join(row) for row in rows)


def picture(chunks: list[str], keep_bytes: int = 1 << 30) -> str:
    terminal = Terminal()
    sealed = ""
    for chunk in chunks:
        terminal.feed(chunk)
        sealed += terminal.take(keep_bytes)[0]
    terminal.close()
    more, tail = terminal.take(keep_bytes)
    return sealed + more + tail


@given(TEXTS)
@settings(max_examples=200, deadline=None)
def test_it_shows_what_a_terminal_shows(text: str) -> None:
    assert picture([text]) == step_by_step(text)


@given(TEXTS, st.lists(st.integers(0, 120), max_size=6))
@settings(max_examples=200, deadline=None)
def test_it_does_not_matter_where_the_text_is_cut(text: str, cuts: list[int]) -> None:
    places = sorted({min(cut, len(text)) for cut in cuts})
    chunks = [text[a:b] for a, b in zip([0, *places], [*places, len(text)], strict=True)]
    assert picture(chunks) == picture([text])


@given(st.lists(PLAIN, max_size=6), st.integers(0, 60))
@settings(max_examples=200, deadline=None)
def test_text_that_controls_nothing_is_kept_to_the_letter(chunks: list[str], keep_bytes: int) -> None:
    assert picture(chunks, keep_bytes) == "".join(chunks)
