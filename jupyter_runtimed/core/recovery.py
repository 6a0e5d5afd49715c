"""What a room begins with when it is opened: its log, its file, or both.

| log | file | | then |
|---|---|---|---|
| none | there | `IMPORT` | a room of the file; the same bytes make the same document anywhere |
| none | gone | `NOT_FOUND` | |
| untitled | | `LOG` | |
| there | as the room last read or wrote it | `LOG` | the log has what was not saved |
| there | the save that was begun | `LOG_SAVED` | only the note that it was done is missing |
| there | a beginning of that save | `LOG_THEN_SAVE` | torn: the log completes it |
| there | no notebook, a save was begun | `LOG_THEN_SAVE` | torn in some other way |
| there | another notebook | `LOG_THEN_MERGE` | somebody changed it: three ways, by cell |
| there | no notebook | `LOG_KEEP_FILE` | somebody's: it is not overwritten |
| there, with unsaved work | gone | `LOG_WITHOUT_FILE` | as after a deletion: the next explicit save makes it again |
| there, all saved | gone | `NOT_FOUND` | |

The log is believed before the file wherever both speak of the same, because everything that is in the file went
through the log first.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from enum import Enum, auto

from jupyter_runtimed.core.journal import LoggedRoom


class Opening(Enum):
    """What to do; see the table of the module."""

    IMPORT = auto()
    LOG = auto()
    LOG_SAVED = auto()
    LOG_THEN_SAVE = auto()
    LOG_THEN_MERGE = auto()
    LOG_KEEP_FILE = auto()
    LOG_WITHOUT_FILE = auto()
    NOT_FOUND = auto()


def choose_opening(
    logged: LoggedRoom | None, content: bytes | None, is_notebook: Callable[[bytes], bool], sha256: str | None = None
) -> Opening:
    """Decide by the table.

    Args:
        logged: what the log holds; None when there is none.
        content: the file; None when it is gone or the room is untitled.
        is_notebook: whether such bytes can be opened. Asked only when it matters: it means parsing the file.
        sha256: of the content, hexadecimal, if it is known already.
    """
    if logged is None:
        return Opening.IMPORT if content is not None else Opening.NOT_FOUND
    meta = logged.meta
    if content is None:
        if meta.path is None:
            return Opening.LOG
        return Opening.NOT_FOUND if meta.settled else Opening.LOG_WITHOUT_FILE
    digest = sha256 or hashlib.sha256(content).hexdigest()
    if digest == meta.file_sha256:
        return Opening.LOG
    if meta.pending is not None:
        if digest == meta.pending:
            return Opening.LOG_SAVED
        if logged.pending is not None and logged.pending.startswith(content):
            return Opening.LOG_THEN_SAVE
    if is_notebook(content):
        return Opening.LOG_THEN_MERGE
    return Opening.LOG_THEN_SAVE if meta.pending is not None else Opening.LOG_KEEP_FILE
