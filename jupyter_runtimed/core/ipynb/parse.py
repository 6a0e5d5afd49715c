"""Read the bytes of a notebook file: its cells one by one, then the rest.

There are three ways, and they read the same:

* A regular file of format 4 is taken apart without looking into the outputs, which are most of it; they are read when
  somebody asks for them (`Unread`).
* A large file is scanned cell by cell, so that the first cells are there before the last are parsed.
* Anything else is parsed whole; formats 2 and 3 go through nbformat.

Every complaint is a `LoadFailed` that says what is wrong and where.
"""

from __future__ import annotations

import codecs
import json
import re
import warnings
from collections.abc import Generator, Iterator
from typing import Any

import msgspec

from jupyter_runtimed.core.errors import LoadFailed

STREAM_ABOVE_BYTES = 16 * 1024 * 1024
"""A smaller file is taken apart within some milliseconds, which tells at once whether something is wrong with it."""

AT_ONCE_BYTES = 2 * 1024 * 1024
"""A file of format 4 up to this size is taken apart within two milliseconds, which no thread is worth."""

_PIECE_BYTES = 16 * 1024
"""What stays in a processor's cache."""

_SPACE = re.compile(r"[ \t\n\r]*")
_MAJOR = re.compile(rb'"nbformat"\s*:\s*(\d+)')
_DECODER = json.JSONDecoder()
_VALUE = msgspec.json.Decoder()
_OBJECT = msgspec.json.Decoder(dict[str, msgspec.Raw])
_OBJECTS = msgspec.json.Decoder(list[dict[str, msgspec.Raw]])


class Unread:
    """JSON that is well-formed but was not read yet."""

    __slots__ = ("_raw",)

    def __init__(self, raw: msgspec.Raw) -> None:
        self._raw = raw

    @property
    def is_list(self) -> bool:
        return bytes(memoryview(self._raw)[:1]) == b"["

    @property
    def is_empty_list(self) -> bool:
        return self.is_list and len(self._raw) < 64 and not self.read()

    def read(self) -> Any:
        """The value. Raises LoadFailed for what only Python cannot read."""
        try:
            return _VALUE.decode(self._raw)
        except (msgspec.DecodeError, RecursionError):  # NaN, half of a surrogate pair, a number that is out of range
            return _loads(str(memoryview(self._raw), "utf-8"))


class NotebookSource:
    """The content of a file. In a cell, `outputs` may be `Unread`.

    Attributes:
        root: every key of the top level but `cells`; complete once `cells()` has ended.
        total: how many cells there are; None when they have not been counted yet.
    """

    def __init__(self, cells: Iterator[Any], root: dict[str, Any], total: int | None = None) -> None:
        self._cells = cells
        self.root = root
        self.total = total

    def cells(self) -> Iterator[dict[str, Any]]:
        """The cells in order, each checked to be an object. Once only."""
        for index, cell in enumerate(self._cells):
            if not isinstance(cell, dict):
                raise LoadFailed(f"cells[{index}] is not an object")
            yield cell


def is_light(data: bytes) -> bool:
    """Whether it takes no time to speak of to begin to read a file."""
    return len(data) <= AT_ONCE_BYTES and _major(data) == b"4"


def parse_notebook(data: bytes) -> NotebookSource:
    """Begin to read a file.

    Raises:
        LoadFailed: now, or while the cells and outputs are read.
    """
    is_large = len(data) > STREAM_ABOVE_BYTES
    if not is_large and _is_utf8(data):
        source = _take_apart(data)
        if source is not None:
            return source
    text = _decode(data)
    if is_large and _can_be_scanned(data):
        root: dict[str, Any] = {}
        return NotebookSource(_scan(text, root), root)
    return _parse_whole(text)


def _take_apart(data: bytes) -> NotebookSource | None:
    """The content of a regular file; None for one that has to be looked at as a whole."""
    try:
        fields = _OBJECT.decode(data)
        cells = _OBJECTS.decode(fields.pop("cells"))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, KeyError):
        return None  # no notebook, or something that only Python's parser reads, such as NaN
    root = {key: Unread(raw).read() for key, raw in fields.items()}
    if root.get("nbformat") != 4 or "worksheets" in root:
        return None
    return NotebookSource(map(_read_cell, cells), root, len(cells))


def _read_cell(fields: dict[str, msgspec.Raw]) -> dict[str, Any]:
    return {key: Unread(raw) if key == "outputs" else Unread(raw).read() for key, raw in fields.items()}


def _is_utf8(data: bytes) -> bool:
    """Whether bytes are UTF-8, found out piece by piece: the whole as a string would be memory to clear and let go."""
    if data.isascii():
        return True
    view, at = memoryview(data), 0
    try:
        while at < len(data):
            end = at + _PIECE_BYTES
            at += codecs.utf_8_decode(view[at:end], "strict", end >= len(data))[1]
    except UnicodeDecodeError:
        return False
    return True


def _decode(data: bytes) -> str:
    if data[:2] in (b"\xff\xfe", b"\xfe\xff") or (len(data) > 1 and data[:2] in (b"{\x00", b"\x00{")):
        raise LoadFailed("the file is UTF-16 text; a notebook is UTF-8")
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        wrong = f"byte {error.start} on line {line} ({data[error.start]:#04x})"
        raise LoadFailed(f"the file is not UTF-8: {wrong} is wrong") from None
    if text[:1] == "\ufeff":
        text = text[1:]
    if not text or text.isspace():
        raise LoadFailed("the file is empty; delete it, or write a notebook into it")
    return text


def _can_be_scanned(data: bytes) -> bool:
    """Whether a file looks so regular that its cells may be shown before its end has been read."""
    return (
        _major(data) == b"4"
        and data[-64:].rstrip().endswith(b"}")  # else it was cut off, which should be said at once
        and data.count(b'"cells"') == 1
        and b'"worksheets"' not in data
    )


def _major(data: bytes) -> bytes | None:
    """The number of the format, as far as a glance at the file's ends tells."""
    majors: list[bytes] = _MAJOR.findall(data[:4096] + data[-65536:])
    return majors[-1] if majors else None


def _loads(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise _bad_json(error) from None
    except RecursionError:
        raise LoadFailed("the JSON is nested too deeply to be read") from None
    except ValueError as error:  # an integer of thousands of digits
        raise LoadFailed(f"the JSON has a number that cannot be read: {error}") from None


def _parse_whole(text: str) -> NotebookSource:
    notebook = _loads(text)
    if not isinstance(notebook, dict):
        raise LoadFailed("the file is JSON but not an object, so it is no notebook")
    if not isinstance(notebook.get("cells"), list) and "worksheets" not in notebook:
        raise LoadFailed("the notebook has no list of cells")
    major = _check_major(notebook)
    if major < 4:
        notebook = _upgrade(text, major)
    cells = notebook.pop("cells", None)
    if not isinstance(cells, list):
        raise LoadFailed("the notebook has no list of cells")
    return NotebookSource(iter(cells), notebook, len(cells))


def _check_major(root: dict[str, Any]) -> int:
    major = root.get("nbformat")
    if not isinstance(major, int) or isinstance(major, bool):
        raise LoadFailed("the notebook does not say its format: `nbformat` is missing or no number")
    if major > 4:
        raise LoadFailed(f"nbformat {major} is newer than this server knows (4)")
    if major < 2:
        raise LoadFailed(f"nbformat {major} is too old to be read")
    return major


def _upgrade(text: str, major: int) -> dict[str, Any]:
    """Formats 2 and 3, by nbformat. The random ids it gives are dropped: ids are derived from the content."""
    import nbformat

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            old = nbformat.reader.reads(text)  # type: ignore[no-untyped-call]
            upgraded = nbformat.converter.convert(old, 4)  # type: ignore[no-untyped-call]
        notebook: dict[str, Any] = json.loads(json.dumps(upgraded))
    except Exception as error:  # nbformat lets any exception of a malformed file through
        raise LoadFailed(f"nbformat {major} could not be converted to 4: {error}") from error
    for cell in notebook.get("cells", []):
        cell.pop("id", None)
    return notebook


def _bad_json(error: json.JSONDecodeError) -> LoadFailed:
    return LoadFailed(f"not valid JSON at line {error.lineno}, column {error.colno}: {error.msg}")


def _scan(text: str, root: dict[str, Any]) -> Iterator[Any]:
    """Yield the elements of the top level's `cells`, and put every other key into `root`."""
    try:
        at = _expect(text, 0, "{")
        seen = False
        while text[at : at + 1] == '"':
            key, at = _DECODER.raw_decode(text, at)
            at = _expect(text, at, ":")
            if key != "cells":
                root[key], at = _DECODER.raw_decode(text, at)
            elif seen or text[at : at + 1] != "[":
                raise LoadFailed("`cells` is no list, or stands twice")
            else:
                seen = True
                at = yield from _scan_list(text, at)
            at = _skip(text, at)
            if text[at : at + 1] != ",":
                break
            at = _skip(text, at + 1)
            if text[at : at + 1] != '"':
                raise json.JSONDecodeError("Expecting property name enclosed in double quotes", text, at)
        at = _expect(text, at, "}")
    except json.JSONDecodeError as error:
        raise _bad_json(error) from None
    except RecursionError:
        raise LoadFailed("the JSON is nested too deeply to be read") from None
    except ValueError as error:
        raise LoadFailed(f"the JSON has a number that cannot be read: {error}") from None
    if at != len(text):
        raise _bad_json(json.JSONDecodeError("Extra data", text, at))
    if not seen:
        raise LoadFailed("the notebook has no list of cells")
    if _check_major(root) != 4:
        raise LoadFailed("the notebook contradicts itself about its format")


def _scan_list(text: str, at: int) -> Generator[Any, None, int]:
    """Yield the elements of the list at a position; returns the position behind it."""
    at = _skip(text, at + 1)
    if text[at : at + 1] == "]":
        return at + 1
    while True:
        value, at = _DECODER.raw_decode(text, at)
        yield value
        at = _skip(text, at)
        if text[at : at + 1] == "]":
            return at + 1
        at = _expect(text, at, ",")


def _skip(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    return match.end() if match else at


def _expect(text: str, at: int, character: str) -> int:
    """The position behind a character and the space around it."""
    at = _skip(text, at)
    if text[at : at + 1] != character:
        raise json.JSONDecodeError(f"Expecting {character!r}", text, at)
    return _skip(text, at + 1)
