"""The limits of the protocol, with their reasons. Served as `limits` by `GET /api/runtimed`."""

from __future__ import annotations

from dataclasses import asdict, dataclass

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Limits:
    """Sizes in bytes, times in seconds.

    Attributes:
        max_frame_bytes: one WebSocket message. An offline merge is one message, so it is large.
        max_inflated_bytes: all changes of one sync message after inflation; deflate reaches 1:1000.
        max_request_bytes: one request frame or REST request body (blobs and merges have max_frame_bytes).
        max_presence_bytes: one presence frame.
        max_depth: nesting of JSON values and of objects in a document.
        max_inline_bytes: a longer piece of content goes to the blob store.
        max_message_ops: operations in one sync message; the engine takes about 1 µs and 305 bytes for each.
        required_heads_timeout_s: how long a request waits for changes it names.
        autosave_s: the longest time between a change and the save that the server makes by itself.
        disk_check_s: how often the file is looked at while peers are connected.
    """

    max_frame_bytes: int = 64 * MIB
    max_inflated_bytes: int = 64 * MIB
    max_request_bytes: int = 16 * MIB
    max_presence_bytes: int = 4096
    max_depth: int = 64
    max_inline_bytes: int = 1024
    max_message_ops: int = 2_000_000
    required_heads_timeout_s: float = 10.0
    autosave_s: float = 5.0
    disk_check_s: float = 2.0

    def to_json(self) -> dict[str, int | float]:
        """The `limits` object of the capability probe."""
        return asdict(self)
