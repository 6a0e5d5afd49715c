"""The names of changes that a peer need not bring: their content was forgotten, or came here by a merge before.

Half a hash is kept of each; the names say nothing of the content.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable

from jupyter_runtimed.core.ids import Hash

_BYTES = 12
MAX_CHANGES = 200_000
"""Of more only the latest are kept; a peer that has older ones is merged against its own import."""


class ForgottenChanges:
    """See the module.

    Args:
        text: what `text` was, or None.
    """

    def __init__(self, text: str | None = None) -> None:
        self.text = text
        try:
            packed = base64.b64decode(text or "", validate=True)
        except binascii.Error:
            packed = b""
        self._names = dict.fromkeys(packed[place : place + _BYTES] for place in range(0, len(packed), _BYTES))

    def __contains__(self, change: Hash) -> bool:
        return change[:_BYTES] in self._names

    def add(self, changes: Iterable[Hash]) -> None:
        """Remember the names of changes."""
        self._names.update(dict.fromkeys(change[:_BYTES] for change in changes))
        for name in list(self._names)[:-MAX_CHANGES]:
            del self._names[name]
        self.text = base64.b64encode(b"".join(self._names)).decode() or None
