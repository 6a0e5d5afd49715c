"""Who may have which blob: a name is not a permission.

A blob is given to whoever may read notebooks when an open notebook refers to it, and to whoever stored it in this life
of the server. Any other name is answered as if there were no such blob, so that nobody can ask what others have stored.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Set
from typing import Protocol

from jupyter_runtimed.core.errors import BadRequest, NotFound
from jupyter_runtimed.core.ids import is_blob_hash
from jupyter_runtimed.handlers.upload_quota import UploadQuota

MAX_UPLOADS = 10_000
"""Of so many it is remembered who stored them; a notebook refers to what is wanted long before that."""


class BlobFiles(Protocol):
    """The blob store, as far as handlers use it."""

    async def put(self, data: bytes) -> str: ...
    async def get(self, blob: str) -> bytes: ...
    def size(self, blob: str) -> int | None: ...


class BlobAccess:
    """See the module.

    Args:
        store: where the blobs are.
        is_shown: whether a notebook that is open refers to a blob.
        quota: how much somebody may store; None for any amount.
    """

    def __init__(self, store: BlobFiles, is_shown: Callable[[str], bool], quota: UploadQuota | None = None) -> None:
        self._store = store
        self._quota = quota
        self._is_shown = is_shown
        self._uploads: OrderedDict[str, set[str]] = OrderedDict()

    async def put(self, who: Set[str], data: bytes) -> str:
        """Store a blob for somebody, known under any of these names. Raises QuotaExceeded, OutOfSpace."""
        if self._quota is not None:
            self._quota.charge(who, len(data))
        name = await self._store.put(data)
        self._uploads.setdefault(name, set()).update(who)
        self._uploads.move_to_end(name)
        if len(self._uploads) > MAX_UPLOADS:
            self._uploads.popitem(last=False)
        return name

    def find(self, who: Set[str], name: str) -> int:
        """The size of a blob that somebody may have.

        Raises:
            BadRequest: the name is none.
            NotFound: there is no such blob, or none for them.
        """
        if not is_blob_hash(name):
            raise BadRequest("a blob is named by the 64 lower-case hexadecimal digits of its SHA-256")
        size = self._store.size(name) if self._may(who, name) else None
        if size is None:
            raise NotFound("there is no such blob in a notebook that is open")
        return size

    async def get(self, name: str) -> bytes:
        """The bytes of a blob that was found. Raises NotFound: it is gone, or damaged."""
        return await self._store.get(name)

    def _may(self, who: Set[str], name: str) -> bool:
        return not who.isdisjoint(self._uploads.get(name, ())) or self._is_shown(name)
