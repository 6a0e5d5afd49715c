"""Which blobs the room logs of a folder name, whoever's logs they are."""

from __future__ import annotations

import json
from collections.abc import Set
from pathlib import Path

from jupyter_runtimed.core.crdt.mentions import mentions, mentions_in
from jupyter_runtimed.core.errors import CannotTell, ProtocolError
from jupyter_runtimed.core.journal import CorruptJournal, read_journal

_ASIDE = (".unreadable-", ".damaged-")


def is_set_aside(name: str) -> bool:
    """Whether a file of this name is a log, or a copy of one, that could not be read."""
    return any(word in name for word in _ASIDE)


def check_readable(folder: Path) -> None:
    """Raise CannotTell when a log was set aside: nobody knows what it names."""
    for path in sorted(folder.glob("*.log.*")):
        if is_set_aside(path.name):
            raise CannotTell(f"{path} could not be read and was set aside; mend it, or remove it if nobody wants it")


def log_mentions(path: Path, wanted: Set[bytes]) -> set[bytes]:
    """Those of the wanted names that a log holds, in any of its documents' history or in its fields.

    Raises:
        CannotTell: the log cannot be read to its end.
    """
    try:
        journal = read_journal(path.read_bytes())
        if journal.damage == "corrupt":
            raise CannotTell(f"{path} is damaged")
        found = mentions_in(json.dumps(journal.meta).encode(), wanted)
        for chunk in (*journal.notebook, *journal.runtime):
            found |= mentions(chunk, wanted)
    except FileNotFoundError:  # it was retired meanwhile
        return set()
    except (OSError, CorruptJournal, ProtocolError) as error:
        raise CannotTell(f"{path} cannot be read: {error}") from error
    return found
