"""Base64 as it stands in notebooks: in lines, with a break at the end, without its padding. None of it may be lost.

A layout is a JSON object: `line`, how many characters a line has (0: all of them); `end`, what stands behind the last
one; `break`, if lines do not end in a plain newline; `padded`, when it is false. No layout: nothing but the base64.
"""

from __future__ import annotations

import binascii
from collections.abc import Mapping
from typing import Any

import pybase64

Layout = dict[str, Any]


def decode_base64(text: str) -> tuple[bytes, Layout] | None:
    """The bytes of base64 and its layout, or None when the text is none, or has no layout that gives it back."""
    try:
        packed = text.encode("ascii")
    except UnicodeEncodeError:
        return None
    data = _decode(packed)
    if data:
        return data, {}
    return _decode_laid_out(packed)


def _decode(packed: bytes) -> bytes:
    """The bytes of base64 that an encoder would write; empty when it is another."""
    try:
        data = pybase64.b64decode(packed, validate=True)
    except binascii.Error:
        return b""
    # The last character may have bits that mean nothing: then it does not come back.
    return data if pybase64.b64encode(data[-(len(data) % 3 or 3) :]) == packed[-4:] else b""


def _decode_laid_out(text: bytes) -> tuple[bytes, Layout] | None:
    body = text.rstrip(b" \t\r\n")
    line_break = b"\r\n" if b"\r" in body else b"\n"
    width = max(body.find(line_break), 0)
    packed = body.replace(line_break, b"") if width else body
    if width and not _is_in_lines(body, len(packed), width, line_break):
        return None
    padding = b"=" * (-len(packed) % 4)
    if padding and packed.endswith(b"="):
        return None
    data = _decode(packed + padding)
    if not data:
        return None
    layout: Layout = {"line": width, "end": text[len(body) :].decode()}
    if line_break != b"\n":
        layout["break"] = line_break.decode()
    if padding:
        layout["padded"] = False
    return data, layout


def _is_in_lines(body: bytes, characters: int, width: int, line_break: bytes) -> bool:
    """Whether there is a break behind each `width` of the characters, the last ones apart, and nowhere else."""
    breaks = (characters - 1) // width
    step = width + len(line_break)
    return len(body) == characters + breaks * len(line_break) and all(
        body[width + place :: step][:breaks] == character.to_bytes(1, "big") * breaks
        for place, character in enumerate(line_break)
    )


def encode_base64(data: bytes, layout: object = None) -> str:
    """The base64 of some bytes as a layout says; what is no layout says nothing."""
    packed = pybase64.b64encode(data).decode()
    if not isinstance(layout, Mapping):
        return packed
    if layout.get("padded") is False:
        packed = packed.rstrip("=")
    width = layout.get("line")
    if isinstance(width, int) and width > 0:
        line_break = str(layout.get("break", "\n"))
        packed = line_break.join([packed[start : start + width] for start in range(0, len(packed), width)])
    return packed + str(layout.get("end", ""))
