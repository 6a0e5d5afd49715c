"""Blobs: the bytes that documents refer to.

What a kernel made is served on the server's own origin, so it must never act there: the type comes from a list of
types that browsers only show, everything else is an attachment; nothing is sniffed; and should a browser render it
after all, it does so in a sandbox, without scripts, forms or an origin.
"""

from __future__ import annotations

import re

from jupyter_server.auth.decorator import authorized
from tornado import web

from jupyter_runtimed.core.errors import RuntimedError
from jupyter_runtimed.handlers.base import RuntimedHandler
from jupyter_runtimed.handlers.identity import principals

SHOWN_TYPES = frozenset(
    {
        "application/json",
        "application/pdf",
        "audio/aac",
        "audio/flac",
        "audio/mp4",
        "audio/mpeg",
        "audio/ogg",
        "audio/wav",
        "audio/webm",
        "audio/x-wav",
        "image/apng",
        "image/avif",
        "image/bmp",
        "image/gif",
        "image/jpeg",
        "image/png",
        "image/svg+xml",
        "image/tiff",
        "image/webp",
        "image/x-icon",
        "text/plain",
        "video/mp4",
        "video/mpeg",
        "video/ogg",
        "video/quicktime",
        "video/webm",
    }
)
"""Types that are served as themselves. None of them is a page; SVG could carry scripts, which the sandbox forbids."""

OTHER_TYPE = "application/octet-stream"

CACHE_CONTROL = "private, max-age=31536000, immutable"
CONTENT_SECURITY_POLICY = "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; media-src 'self'"

CHUNK_BYTES = 1 << 20
"""So much is handed to the connection at a time; it is asked for more when that has gone out."""

_RANGE = re.compile(r"bytes=(\d*)-(\d*)")


class RangeNotSatisfiable(RuntimedError):
    """The blob has no such part."""

    code = "range_not_satisfiable"
    status = 416


def read_range(header: str | None, size: int) -> tuple[int, int] | None:
    """The part of a blob that a `Range` header asks for, as slice bounds.

    Returns:
        None for the whole: no header, or one that names another unit, several parts, or nothing that makes sense.

    Raises:
        RangeNotSatisfiable: the part lies outside.
    """
    found = _RANGE.fullmatch(header.strip()) if header else None
    if found is None or found.group(1, 2) == ("", ""):
        return None
    first, last = found.group(1, 2)
    if not first:  # the last so many bytes
        start, end = max(0, size - int(last)), size
    else:
        start, end = int(first), size if not last else min(int(last) + 1, size)
        if last and int(last) < int(first):
            return None
    if start >= end:
        raise RangeNotSatisfiable(f"the blob has {size:,} bytes")
    return start, end


class BlobHandler(RuntimedHandler):
    """`/api/runtimed/blobs/{sha256}`"""

    @property
    def content_security_policy(self) -> str:
        return CONTENT_SECURITY_POLICY

    @web.authenticated
    @authorized("read", resource="contents")
    async def get(self, name: str) -> None:
        if self._begin(name):
            data = memoryview(await self.services.blobs.get(name))[self._start : self._end]
            for offset in range(0, len(data), CHUNK_BYTES):
                self.write(bytes(data[offset : offset + CHUNK_BYTES]))
                await self.flush()
        await self.finish(set_content_type=self._type())

    @web.authenticated
    @authorized("read", resource="contents")
    async def head(self, name: str) -> None:
        self._begin(name)
        await self.finish(set_content_type=self._type())

    def _begin(self, name: str) -> bool:
        """Set status and headers; whether bytes are wanted."""
        size = self.services.blobs.find(principals(self), name)
        etag = f'"{name}"'
        self.set_header("Content-Type", self._type())
        self.set_header("Cache-Control", CACHE_CONTROL)
        self.set_header("Etag", etag)
        self.set_header("Accept-Ranges", "bytes")
        if self._type() == OTHER_TYPE:
            self.set_header("Content-Disposition", f'attachment; filename="{name[:16]}"')
        if self.check_etag_header():
            self.set_status(304)
            return False
        headers = self.request.headers
        part = read_range(headers.get("Range"), size) if headers.get("If-Range", etag) == etag else None
        self._start, self._end = part or (0, size)
        if part is not None:
            self.set_status(206)
            self.set_header("Content-Range", f"bytes {self._start}-{self._end - 1}/{size}")
        self.set_header("Content-Length", str(self._end - self._start))
        return True

    def _type(self) -> str:
        wanted = self.get_query_argument("type", "").split(";")[0].strip().lower()
        if wanted not in SHOWN_TYPES:
            return OTHER_TYPE
        return f"{wanted}; charset=utf-8" if wanted.startswith("text/") else wanted


class BlobsHandler(RuntimedHandler):
    """`/api/runtimed/blobs`: what is stored is meant for an edit, so it takes the right to edit."""

    @web.authenticated
    @authorized("write", resource="contents")
    async def post(self) -> None:
        data = self.read_body(self.services.limits.max_frame_bytes)
        name = await self.services.blobs.put(principals(self), data)
        await self.answer({"blob": name, "size": len(data)}, 201)
