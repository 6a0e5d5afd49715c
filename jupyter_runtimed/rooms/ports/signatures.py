"""The signatures by which a Jupyter server knows the notebooks whose outputs it may show unsanitized."""

from __future__ import annotations

from typing import Protocol


class Signatures(Protocol):
    """Signs notebooks. What cannot be read or stored is not signed, which is said in the log and harms nobody."""

    async def knows(self, data: bytes) -> bool:
        """Whether a notebook file with this content was signed by this server's user."""
        ...

    async def sign(self, data: bytes) -> None:
        """Sign a notebook file."""
        ...
