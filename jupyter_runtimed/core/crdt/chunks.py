"""Automerge chunks: the framing of changes and documents.

```
magic 85 6f 4a 83 · first 4 bytes of the hash · type · length · body
hash = SHA-256(type · length · body); of a deflated change (type 2) that of the change (type 1) it holds
```
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterator

from jupyter_runtimed.core.crdt.column_reader import read_bytes
from jupyter_runtimed.core.crdt.columns import uleb
from jupyter_runtimed.core.errors import Malformed, OverLimit
from jupyter_runtimed.core.ids import Hash

MAGIC = b"\x85\x6f\x4a\x83"
DOCUMENT_CHUNK, CHANGE_CHUNK, COMPRESSED_CHUNK = 0, 1, 2


def chunk_hash(kind: int, body: bytes) -> Hash:
    """The hash of a chunk; of a change it is the name."""
    return hashlib.sha256(bytes((kind,)) + uleb(len(body)) + body).digest()


def make_chunk(kind: int, body: bytes, *, compress: bool = False) -> tuple[bytes, Hash]:
    """(chunk, hash) around a body; `compress` makes a deflated change."""
    digest = chunk_hash(kind, body)
    if compress:
        deflater = zlib.compressobj(6, zlib.DEFLATED, -15)
        kind, body = COMPRESSED_CHUNK, deflater.compress(body) + deflater.flush()
    return MAGIC + digest[:4] + bytes((kind,)) + uleb(len(body)) + body, digest


def split_chunks(data: bytes, max_inflated_bytes: int) -> Iterator[tuple[int, bytes, bytes, Hash]]:
    """The (type, body, chunk, hash) of chunks in a row; deflated changes come inflated, as type CHANGE_CHUNK.

    Raises:
        Malformed: bad magic, length, deflate stream or checksum.
        OverLimit: the inflated bytes are more than the limit, all chunks together.
    """
    at = 0
    left = max_inflated_bytes
    while at < len(data):
        if data[at : at + 4] != MAGIC or at + 9 >= len(data):
            raise Malformed("not an Automerge chunk")
        kind = data[at + 8]
        body, end = read_bytes(data, at + 9)
        chunk = data[at:end] if at or end < len(data) else data
        checksum = data[at + 4 : at + 8]
        if kind == COMPRESSED_CHUNK:
            body = _inflate(body, left)
            kind = CHANGE_CHUNK
            chunk = MAGIC + checksum + b"\x01" + uleb(len(body)) + body
        elif kind not in (DOCUMENT_CHUNK, CHANGE_CHUNK):
            raise Malformed(f"an unknown chunk type {kind}")
        left -= len(body)
        if left < 0:
            raise OverLimit(f"the changes of one message are over {max_inflated_bytes} bytes")
        digest = chunk_hash(kind, body)
        if digest[:4] != checksum:
            raise Malformed("a chunk with a bad checksum")
        yield kind, body, chunk, digest
        at = end


def _inflate(data: bytes, limit: int) -> bytes:
    inflater = zlib.decompressobj(-15)
    try:
        body = inflater.decompress(data, limit + 1)
    except zlib.error:
        raise Malformed("a deflated change that does not inflate") from None
    if len(body) > limit:
        raise OverLimit(f"the changes of one message inflate to over {limit} bytes")
    if not inflater.eof or inflater.unused_data:
        raise Malformed("a deflated change that does not end")
    return body
