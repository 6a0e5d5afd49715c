"""How many frames a peer may send: a bucket that is emptied by frames and filled by time."""

from __future__ import annotations

from collections.abc import Callable

from jupyter_runtimed.core.errors import RateExceeded

FRAMES_PER_S = 1_000
"""Much faster than anybody types and any program waits for answers; much slower than a flood."""

BURST_FRAMES = 5_000
"""So many at once are no flood: somebody who was away, a script that makes many cells."""


class FrameRate:
    """The bucket of one peer.

    Args:
        now: seconds that only grow.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._left = float(BURST_FRAMES)
        self._filled_at = now()

    def count(self) -> None:
        """One frame came. Raises RateExceeded."""
        self._left -= 1
        if self._left >= 0:
            return
        now = self._now()
        self._left = min(BURST_FRAMES, self._left + (now - self._filled_at) * FRAMES_PER_S)
        self._filled_at = now
        if self._left < 0:
            raise RateExceeded(f"more than {FRAMES_PER_S:,} messages a second")
