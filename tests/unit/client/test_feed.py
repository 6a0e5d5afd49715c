"""Outputs as they come: each change once, and only what is new is fetched."""

from __future__ import annotations

from typing import Any

from jupyter_runtimed.client.blobs import BlobCache
from jupyter_runtimed.client.feed import OutputFeed
from jupyter_runtimed.core.references import blob_reference


def stream(*pieces: Any) -> dict[str, Any]:
    return {"output_type": "stream", "name": "stdout", "text": list(pieces)}


class Store:
    def __init__(self, *texts: str) -> None:
        self.blobs = {blob_reference(text.encode())["blob"]: text.encode() for text in texts}
        self.fetched: list[bytes] = []

    async def fetch(self, blob_hash: str) -> bytes:
        self.fetched.append(self.blobs[blob_hash])
        return self.blobs[blob_hash]


async def test_a_growing_stream_gives_what_is_new() -> None:
    feed = OutputFeed(BlobCache(Store().fetch))
    told = []
    for manifest in (stream("a"), stream("ab"), stream("abc", "d"), stream("abc", "d", "e\n", "f")):
        output = await feed.take("o", manifest)
        told.append((output.text, output.new_text))
    assert told == [("a", "a"), ("ab", "b"), ("abcd", "cd"), ("abcde\nf", "e\nf")]


async def test_a_line_that_was_written_over_gives_everything_anew() -> None:
    feed = OutputFeed(BlobCache(Store().fetch))
    for manifest in (stream("head\n", "10%"), stream("head\n", "20%")):
        output = await feed.take("o", manifest)
    assert output.new_text == output.text == "head\n20%"


async def test_a_tail_that_was_sealed_as_a_blob_goes_on_where_it_was_and_is_fetched_once() -> None:
    first, second = "x" * 2000, "y" * 2000
    store = Store(first, second)
    feed = OutputFeed(BlobCache(store.fetch, max_bytes=0))
    await feed.take("o", stream("x" * 500))
    sealed = stream(blob_reference(first.encode()), "y")
    output = await feed.take("o", sealed)
    assert output.new_text == "x" * 1500 + "y"
    output = await feed.take("o", stream(*sealed["text"][:1], blob_reference(second.encode()), "z"))
    assert output.new_text == "y" * 1999 + "z" and output.text == first + second + "z"
    assert store.fetched == [first.encode(), second.encode()]


async def test_what_did_not_change_is_no_news() -> None:
    feed = OutputFeed(BlobCache(Store().fetch))
    outputs = [("o", stream("a")), ("p", {"output_type": "display_data", "data": {"text/plain": "v1"}})]
    assert feed.news(outputs) == outputs
    for output_id, manifest in outputs:
        await feed.take(output_id, manifest)
    assert feed.news(outputs) == [] == feed.news([("o", stream("a"))])
    changed = ("p", {"output_type": "display_data", "data": {"text/plain": "v2"}})
    assert feed.news([outputs[0], changed]) == [changed]
    assert (await feed.take(*changed)).new_text == "v2"
