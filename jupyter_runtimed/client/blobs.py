"""Blobs that have been fetched, and outputs with all their values.

A blob never changes, so only space is a reason to forget one.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

from jupyter_runtimed.client.outputs import Output, output_from_manifest, references
from jupyter_runtimed.core.errors import Forbidden

_CACHE_BYTES = 64 * 1024 * 1024


class BlobCache:
    """See the module.

    Args:
        fetch: gets a blob's bytes by its hash.
        store: gives bytes to the server; what a document may refer to them with.
        max_bytes: what is kept; the longest unused go first.
    """

    def __init__(
        self,
        fetch: Callable[[str], Awaitable[bytes]],
        max_bytes: int = _CACHE_BYTES,
        *,
        store: Callable[[bytes], Awaitable[dict[str, Any]]] | None = None,
    ) -> None:
        self._fetch = fetch
        self._store = store
        self._max_bytes = max_bytes
        self._size = 0
        self._kept: OrderedDict[str, bytes] = OrderedDict()

    async def get(self, blob_hash: str) -> bytes:
        """The bytes of a blob."""
        kept = self._kept.get(blob_hash)
        if kept is not None:
            self._kept.move_to_end(blob_hash)
            return kept
        raw = await self._fetch(blob_hash)
        if blob_hash not in self._kept and len(raw) <= self._max_bytes:
            self._kept[blob_hash] = raw
            self._size += len(raw)
            while self._size > self._max_bytes:
                _, old = self._kept.popitem(last=False)
                self._size -= len(old)
        return raw

    async def put(self, data: bytes) -> dict[str, Any]:
        """Store bytes on the server; `{"blob", "size"}`. Raises as the server refuses."""
        if self._store is None:
            raise Forbidden("this client stores nothing")
        return await self._store(data)

    @property
    def kept(self) -> Mapping[str, bytes]:
        """What needs no fetching."""
        return self._kept

    async def load(self, outputs: Iterable[tuple[str, Mapping[str, Any]]]) -> tuple[Output, ...]:
        """Outputs with all their values fetched.

        Args:
            outputs: (output id, manifest).
        """
        loaded = []
        for output_id, manifest in outputs:
            here = {reference.hash: await self.get(reference.hash) for reference in references(manifest)}
            loaded.append(output_from_manifest(output_id, manifest, here))
        return tuple(loaded)
