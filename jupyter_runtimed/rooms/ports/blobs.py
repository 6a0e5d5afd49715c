"""Immutable bytes by their SHA-256: what is too large or too binary to stand in a document."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from jupyter_runtimed.core.files import StoredBlob
from jupyter_runtimed.core.ids import BlobHash


class BlobInventory(Protocol):
    """The part of a store that sees all of it: for collecting what nothing refers to."""

    async def inventory(self) -> list[StoredBlob]:
        """All blobs there are."""
        ...

    async def remove(self, names: Sequence[str], min_age_s: float) -> int:
        """Remove blobs, but none that was put within so many seconds; how many were removed."""
        ...


class Blobs(Protocol):
    """A content-addressed store. The suite that every implementation passes is `tests/contracts/blobs.py`.

    A blob that was put can be got by everybody who knows its name; who may ask is not the store's business.
    """

    async def put(self, data: bytes) -> BlobHash:
        """Store bytes, unless they are there; their name. Raises OutOfSpace."""
        ...

    async def put_many(self, items: Sequence[bytes]) -> list[BlobHash]:
        """Store several in one go, in the order given. Raises OutOfSpace; some may have been stored then."""
        ...

    async def get(self, name: str) -> bytes:
        """The bytes. Raises NotFound: there is no such blob, or what was stored is damaged."""
        ...

    def read(self, name: str) -> bytes:
        """As `get`, but blocking, for code that runs in a thread anyway."""
        ...

    def has(self, name: str) -> bool:
        """Whether there is such a blob."""
        ...

    def size(self, name: str) -> int | None:
        """How many bytes it has; None when there is no such blob."""
        ...
