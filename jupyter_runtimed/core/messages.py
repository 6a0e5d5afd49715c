"""Kernels and what they say, as values: the words that rooms and the kernel adapter share."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Any


@dataclass(frozen=True, slots=True)
class KernelInfo:
    """Which kernel it is.

    Attributes:
        kernel_id: the server's name for the process.
        name: of its kernelspec.
        display_name: what people call it.
        language: as the kernel or its kernelspec says, lower or upper case.
        language_info: what the kernel itself says of its language, for the notebook's metadata; may be empty.
    """

    kernel_id: str
    name: str
    display_name: str
    language: str
    language_info: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class KernelMessage:
    """A message of Jupyter's kernel protocol, without its envelope.

    Attributes:
        channel: "shell", "iopub", "stdin" or "control".
        parent_id: message id of what this answers or belongs to; "" when there is none.
        parent_type: message type of that.
        buffers: binary parts.
        size: bytes of content and buffers on the wire.
    """

    channel: str
    msg_type: str
    msg_id: str
    parent_id: str
    parent_type: str
    content: dict[str, Any]
    metadata: dict[str, Any] = field(default_factory=dict)
    buffers: list[bytes] = field(default_factory=list)
    size: int = 0


class KernelNews(Enum):
    """What can become of a room's kernel, whoever did it."""

    LOST = "lost"
    """What it was doing is lost: it died, is being restarted or another one took its place. One may come back."""

    READY = "ready"
    """There is a kernel and it answers. It knows nothing of what was asked before."""

    GONE = "gone"
    """There is no kernel any more: it was shut down, culled, or died for good."""


@dataclass(frozen=True, slots=True)
class KernelNotice:
    """News of the kernel, in order with its messages.

    Attributes:
        message: what happened, for people.
        kernel: the one that is ready, else None.
        status: the kernel status to show: "restarting", "idle", "busy", "dead" or "not_started".
        is_chosen: of one that is ready: others have put it in the place of the one there was.
    """

    news: KernelNews
    message: str
    status: str
    kernel: KernelInfo | None = None
    is_chosen: bool = False


KernelEvent = KernelMessage | KernelNotice
