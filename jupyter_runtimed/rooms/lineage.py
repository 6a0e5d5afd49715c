"""Which changes belong to a notebook document's history, and which to another import of the notebook.

A document begins with the frozen genesis change and, when it has a file, the changes of its import. Two imports put
the same cells into the same map twice; a union of such histories hides or doubles cells, so changes of another import
are refused as a whole (4410) and go through the merge call. So are changes whose content came by that call before:
who still has them must not bring it a second time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from jupyter_runtimed.core.crdt import ChangeInfo
from jupyter_runtimed.core.document import GENESIS_HASH
from jupyter_runtimed.core.errors import Malformed, OtherLineage
from jupyter_runtimed.core.forgotten import ForgottenChanges
from jupyter_runtimed.core.ids import Heads
from jupyter_runtimed.core.ipynb import IMPORT_ACTOR_PREFIX

_BEGINNING = frozenset({GENESIS_HASH})


class Lineage:
    """The lineage of one notebook document.

    Args:
        contains: whether the document's history has these changes.
        import_actor: who wrote its import; None for a notebook that began without a file.
        merged: changes whose content came by the merge call, or was forgotten.
    """

    def __init__(
        self, contains: Callable[[Heads], bool], import_actor: bytes | None, merged: ForgottenChanges | None = None
    ) -> None:
        self._contains = contains
        self._merged = merged or ForgottenChanges()
        self._import_actor = import_actor

    def has_unread(self, infos: Iterable[ChangeInfo]) -> bool:
        """Whether some of the changes may be of our import, from a part of the file that was not read yet."""
        return any(info.actor == self._import_actor and not self._contains((info.hash,)) for info in infos)

    def check(self, infos: Iterable[ChangeInfo]) -> None:
        """Look at foreign changes.

        Raises:
            OtherLineage: some of them cannot have begun as this document did, or came by a merge.
            Malformed: one takes all cells away at once, without deleting them.
        """
        for info in infos:
            if "cells" in info.touched.get(None, ()) and not self._contains((info.hash,)) and info.deps:
                raise Malformed("the `cells` map stays the one the document began with; cells are deleted in it")
            if self._is_foreign(info) and not self._contains((info.hash,)):
                raise OtherLineage(
                    "these changes belong to another import of the notebook, or were merged before; send the whole"
                    " document to the merge call, then start with an empty one"
                )

    def _is_foreign(self, info: ChangeInfo) -> bool:
        if info.actor.startswith(IMPORT_ACTOR_PREFIX) or not info.deps or info.hash in self._merged:
            return True
        # Nobody has ever seen an imported document with nothing but the genesis change in it.
        return self._import_actor is not None and _BEGINNING.issuperset(info.deps)
