"""What a stream looks like after its control characters were obeyed."""

from __future__ import annotations

import pytest

from jupyter_runtimed.core.terminal import REACH, Terminal
from jupyter_runtimed.core.terminal.pens import next_pen


def shown(*texts: str) -> str:
    terminal = Terminal()
    for text in texts:
        terminal.feed(text)
    terminal.close()
    sealed, tail = terminal.take(1 << 30)
    return sealed + tail


@pytest.mark.parametrize(
    ("texts", "picture"),
    [
        (["plain\n", "text"], "plain\ntext"),
        (["10%\r20%\r30%\n"], "30%\n"),
        (["10%", "\r20%", "\r", "30%", "\n"], "30%\n"),
        (["long line\rshort\n"], "shortline\n"),
        (["a\r\nb\r\n"], "a\nb\n"),
        (["a\r", "\nb"], "a\nb"),
        (["a\r\r\nb"], "a\nb"),
        (["ends with a return\r"], "ends with a return"),
        (["abc\b\bX"], "aXc"),
        (["\b\bX"], "X"),
        (["|\b/\b-\b\\"], "\\"),
        (["12345\r\x1b[K67\n"], "67\n"),
        (["12345\x1b[2D\x1b[K\n"], "123\n"),
        (["12345\x1b[2K\rx\n"], "x\n"),
        (["12345\x1b[3G\x1b[1K\n"], "   45\n"),
        (["ab\x1b[3Ccd"], "ab   cd"),
        (["one\ntwo\nthree\x1b[2A\rONE\n"], "ONE\ntwo\nthree"),
        (["one\ntwo\x1b[FONE\x1b[Ex"], "ONE\nxwo"),
        (["bar 1\n\rbar 2\x1b[A\rBAR 1\n\rBAR 2\x1b[A\rDONE1\n"], "DONE1\nBAR 2"),
        (["one\ntwo\nthree\x1b[H\x1b[Jnew"], "new"),
        (["one\ntwo\x1b[2Jnew"], "   new"),
        (["one\ntwo\x1b[1;2HX"], "oXe\ntwo"),
        (["one\ntwo\nthree\x1b[A\x1b[J"], "one\ntwo"),
        (["one\ntwo\nthree\x1b[1J"], "\n\n     "),
        (["\x1b[?25lspinner\x1b[?25h"], "\x1b[?25lspinner\x1b[?25h"),
        (["\x1b]8;;http://x\x07link\x1b]8;;\x07"], "\x1b]8;;http://x\x07link\x1b]8;;\x07"),
        (["cut \x1b", "[3", "1mred"], "cut \x1b[31mred"),
        (["cut off at the end \x1b[3"], "cut off at the end \x1b[3"),
        (["e\u0301x\r\u00e9"], "\u00e9x"),
        (["e\u0301x\rab"], "ab"),
        (["\U0001f469\u200d\U0001f52c!\rab"], "ab!"),
        (["\x1b[99999999999999999999999999999999999999999999A"], "\x1b[99999999999999999999999999999999999999999999A"),
    ],
)  # fmt: skip
def test_the_picture_is_a_terminals(texts: list[str], picture: str) -> None:
    assert shown(*texts) == picture


@pytest.mark.parametrize(
    ("texts", "picture"),
    [
        (["\x1b[31mred\x1b[0m plain\n"], "\x1b[31mred\x1b[0m plain\n"),
        (["\x1b[31mred\x1b[0m\r\x1b[32mgre\x1b[0m\n"], "\x1b[0;32mgre\x1b[0m\n"),
        (["\x1b[31mABC\x1b[0m\rX\n"], "\x1b[0mX\x1b[31mBC\x1b[0m\n"),
        (["\x1b[31mABC\rX"], "\x1b[31mXBC"),
        (["\x1b[32m10%\r20%\n", "next"], "\x1b[32m20%\nnext"),
        (["ab\r\x1b[1mX\x1b]8;;u\x07Y"], "\x1b[1mX\x1b]8;;u\x07Y"),
    ],
)
def test_colours_stay_with_their_columns(texts: list[str], picture: str) -> None:
    assert shown(*texts) == picture


def test_a_pen_holds_one_code_for_each_property() -> None:
    pen = ""
    for parameters in ("31", "1", "32", "38;5;7", "48;2;1;2;3", "22", "4:3"):
        pen = next_pen(pen, parameters)
    assert pen == "\x1b[38;5;7;22;48;2;1;2;3;4:3m"
    assert next_pen(pen, "") == "\x1b[0m"
    assert next_pen("\x1b[0m", "31") == "\x1b[0;31m"
    assert next_pen("", "38") == "\x1b[38m"
    for _ in range(1000):
        pen = next_pen(pen, "31;1;7;9")
    assert len(pen) < 60


def test_complete_lines_are_sealed_once_the_tail_is_full() -> None:
    terminal = Terminal()
    terminal.feed("".join(f"line {i}\n" for i in range(20)))
    sealed, tail = terminal.take(40)
    assert sealed + tail == "".join(f"line {i}\n" for i in range(20))
    assert 0 < len(tail) <= 40 and sealed.endswith("\n")
    terminal.feed("more")
    again, new_tail = terminal.take(40)
    assert again + new_tail == tail + "more"


def test_a_line_that_never_ends_is_sealed_in_parts() -> None:
    terminal = Terminal()
    got = ""
    for _ in range(50):
        terminal.feed("." * 30)
        sealed, tail = terminal.take(100)
        got += sealed
        assert len(tail) <= 100
    assert got + tail == "." * 1500


def test_a_line_that_is_being_overwritten_stays_whole() -> None:
    terminal = Terminal()
    for i in range(5):
        terminal.feed(f"\r{i}" + "#" * 300)
        assert terminal.take(100) == ("", f"{i}" + "#" * 300)


def test_an_overwritten_line_without_end_is_sealed_in_the_end() -> None:
    terminal = Terminal()
    terminal.feed("\r")
    terminal.feed("x" * 70_000)
    assert terminal.take(100) == ("x" * 70_000, "")


def test_the_cursor_does_not_reach_sealed_lines() -> None:
    terminal = Terminal()
    terminal.feed("a\n" * (3 * REACH))
    sealed, _ = terminal.take(20)
    terminal.feed("\x1b[500A\rX")
    more, tail = terminal.take(20)
    assert "X" not in sealed and (more + tail).startswith("X") and (more + tail).count("X") == 1


def test_a_stream_that_moves_up_keeps_its_screen_in_reach() -> None:
    terminal = Terminal()
    bars = "".join(f"bar {i} {'#' * 60}\n" for i in range(30))
    terminal.feed(bars)
    for _ in range(3):
        terminal.feed("\x1b[30A" + bars)
        sealed, tail = terminal.take(100)
        assert sealed == "" and tail == bars


def test_a_far_move_to_the_right_costs_little() -> None:
    assert len(shown("\x1b[99999999Cx")) < 10_000


def test_pending_characters_are_counted_until_they_are_taken() -> None:
    terminal = Terminal()
    terminal.feed("abc\r")
    terminal.feed("de")
    assert terminal.pending_chars == 6
    terminal.take(10)
    assert terminal.pending_chars == 0
