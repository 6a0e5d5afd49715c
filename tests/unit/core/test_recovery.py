"""One test for each row of the table in `core.recovery`."""

from __future__ import annotations

import hashlib
import json

import pytest

from jupyter_runtimed.core.journal import LoggedRoom, RoomMeta
from jupyter_runtimed.core.recovery import Opening, choose_opening

LAST = b'{"cells": [1]}'
SAVE = b'{"cells": [1, 2]}'
OTHER = b'{"cells": [3]}'
JUNK = b"<<<<<<< HEAD"


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def log(
    *, pending: bytes | None = None, has_bytes: bool = True, settled: bool = False, path: str | None = "a.ipynb"
) -> LoggedRoom:
    meta = RoomMeta(
        "r",
        path=path,
        file_sha256=None if path is None else digest(LAST),
        pending=None if pending is None else digest(pending),
        settled=settled,
    )
    return LoggedRoom(meta, [b""], [], pending if has_bytes else None)


def is_notebook(content: bytes) -> bool:
    try:
        return isinstance(json.loads(content), dict)
    except ValueError:
        return False


@pytest.mark.parametrize(
    ("logged", "content", "opening"),
    [
        pytest.param(None, LAST, Opening.IMPORT, id="no log"),
        pytest.param(None, JUNK, Opening.IMPORT, id="no log, and the import will say why not"),
        pytest.param(None, None, Opening.NOT_FOUND, id="nothing at all"),
        pytest.param(log(path=None), None, Opening.LOG, id="untitled"),
        pytest.param(log(), LAST, Opening.LOG, id="as last known"),
        pytest.param(log(pending=SAVE), LAST, Opening.LOG, id="the save never began"),
        pytest.param(log(pending=SAVE), SAVE, Opening.LOG_SAVED, id="the save was done"),
        pytest.param(log(pending=SAVE), SAVE[:-3], Opening.LOG_THEN_SAVE, id="the save is torn"),
        pytest.param(log(pending=SAVE), b"", Opening.LOG_THEN_SAVE, id="the save has only emptied the file"),
        pytest.param(log(pending=SAVE, has_bytes=False), SAVE[:-3], Opening.LOG_THEN_SAVE, id="torn, bytes unknown"),
        pytest.param(log(pending=SAVE), JUNK, Opening.LOG_THEN_SAVE, id="torn in another way"),
        pytest.param(log(), OTHER, Opening.LOG_THEN_MERGE, id="changed outside"),
        pytest.param(log(settled=True), OTHER, Opening.LOG_THEN_MERGE, id="changed outside, nothing unsaved"),
        pytest.param(log(pending=SAVE), OTHER, Opening.LOG_THEN_MERGE, id="changed outside after a crash"),
        pytest.param(log(), JUNK, Opening.LOG_KEEP_FILE, id="no notebook any more"),
        pytest.param(log(), b"", Opening.LOG_KEEP_FILE, id="emptied by somebody"),
        pytest.param(log(), None, Opening.LOG_WITHOUT_FILE, id="gone, with unsaved work"),
        pytest.param(log(settled=True), None, Opening.NOT_FOUND, id="gone, and all of it was saved"),
    ],
)
def test_what_a_room_begins_with(logged: LoggedRoom | None, content: bytes | None, opening: Opening) -> None:
    assert choose_opening(logged, content, is_notebook) is opening


def test_the_file_is_not_parsed_when_its_hash_says_enough() -> None:
    def never(content: bytes) -> bool:
        raise AssertionError("parsed")

    assert choose_opening(log(), LAST, never) is Opening.LOG
    assert choose_opening(log(), b"unread", never, sha256=digest(LAST)) is Opening.LOG
    assert choose_opening(log(pending=SAVE), SAVE[:-3], never) is Opening.LOG_THEN_SAVE
