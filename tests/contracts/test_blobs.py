"""What rooms may expect of the blob store."""

from __future__ import annotations

import asyncio
import hashlib
from pathlib import Path

import pytest

from jupyter_runtimed.adapters.blob_store import BlobStore
from jupyter_runtimed.core.errors import NotFound
from jupyter_runtimed.rooms.ports.blobs import Blobs
from tests.support.room_ports import FakeBlobs


@pytest.fixture(params=["files", "fake"])
def blobs(request: pytest.FixtureRequest, tmp_path: Path) -> Blobs:
    return BlobStore(tmp_path / "state" / "blobs") if request.param == "files" else FakeBlobs()


async def test_a_blob_is_named_by_its_sha256_and_given_back(blobs: Blobs) -> None:
    for data in (b"", b"x", bytes(range(256)) * 5000):
        name = await blobs.put(data)
        assert name == hashlib.sha256(data).hexdigest()
        assert await blobs.get(name) == blobs.read(name) == data
        assert blobs.has(name)
        assert blobs.size(name) == len(data)


async def test_several_blobs_are_named_in_order(blobs: Blobs) -> None:
    items = [b"%d" % number for number in range(20)]
    assert await blobs.put_many(items) == [hashlib.sha256(item).hexdigest() for item in items]
    assert await blobs.put_many([]) == []


async def test_the_same_bytes_at_the_same_time_are_one_blob(blobs: Blobs) -> None:
    data = b"same" * 100_000
    names = await asyncio.gather(*(blobs.put(data) for _ in range(16)))
    assert set(names) == {hashlib.sha256(data).hexdigest()}
    assert await blobs.get(names[0]) == data


async def test_what_was_never_stored_is_not_found(blobs: Blobs) -> None:
    for name in ("0" * 64, "", "x", "../" * 20, "A" * 64):
        assert not blobs.has(name)
        assert blobs.size(name) is None
        with pytest.raises(NotFound):
            await blobs.get(name)
        with pytest.raises(NotFound):
            blobs.read(name)


_store: type[Blobs] = BlobStore
_fake: type[Blobs] = FakeBlobs
