"""`join(hub)`: a notebook on a server in memory, left at the end."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest

from jupyter_runtimed.client.blobs import BlobCache
from jupyter_runtimed.client.connection import Backoff
from jupyter_runtimed.client.notebook import Notebook
from jupyter_runtimed.client.peer import Peer
from jupyter_runtimed.core.crdt import new_actor
from jupyter_runtimed.core.errors import NotFound
from tests.support.client_hub import Hub

AT_ONCE = Backoff(first_s=0, max_s=0, give_up_after_s=60)

Join = Callable[..., AbstractAsyncContextManager[Notebook]]


@pytest.fixture
def join() -> Join:
    @asynccontextmanager
    async def enter(
        hub: Hub, *, blobs: dict[str, bytes] | None = None, backoff: Backoff = AT_ONCE
    ) -> AsyncIterator[Notebook]:
        async def fetch(blob_hash: str) -> bytes:
            if blob_hash not in (blobs or {}):
                raise NotFound(f"no blob {blob_hash}")
            return (blobs or {})[blob_hash]

        peer = Peer(hub, hub.room_id, new_actor=new_actor, backoff=backoff)
        await peer.start(5)
        async with Notebook(peer, BlobCache(fetch)) as notebook:
            yield notebook

    return enter
