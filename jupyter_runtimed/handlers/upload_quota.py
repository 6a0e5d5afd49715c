"""How much one user may upload in an hour, so that nobody fills the disk unnoticed."""

from __future__ import annotations

from collections.abc import Callable, Set
from dataclasses import dataclass

from jupyter_runtimed.core.errors import QuotaExceeded

HOUR_S = 3600.0

MAX_NAMES = 10_000
"""When more names are known, those whose hour is over are forgotten."""


@dataclass(slots=True)
class _Hour:
    began: float
    used: int = 0


class UploadQuota:
    """Counts bytes by user, in hours that begin with a user's first upload.

    Args:
        max_bytes: so many in an hour.
        now: seconds of a clock that never goes back.
    """

    def __init__(self, max_bytes: int, now: Callable[[], float]) -> None:
        self._max_bytes = max_bytes
        self._now = now
        self._hours: dict[str, _Hour] = {}

    def charge(self, who: Set[str], size: int) -> None:
        """Count an upload of somebody who is known under these names.

        Raises:
            QuotaExceeded: it would be too much under one of them; nothing is counted. Says when to try again.
        """
        hours = [self._hour(name) for name in who]
        over = [hour for hour in hours if hour.used + size > self._max_bytes]
        if over:
            wait_s = max(hour.began for hour in over) + HOUR_S - self._now()
            raise QuotaExceeded(
                f"you may upload {self._max_bytes:,} bytes an hour; try again in {max(1, round(wait_s))} s",
                retry_after_s=max(1, round(wait_s)),
            )
        for hour in hours:
            hour.used += size

    def _hour(self, name: str) -> _Hour:
        now = self._now()
        hour = self._hours.get(name)
        if hour is None or now - hour.began >= HOUR_S:
            if len(self._hours) >= MAX_NAMES:
                self._hours = {key: value for key, value in self._hours.items() if now - value.began < HOUR_S}
            hour = self._hours[name] = _Hour(now)
        return hour
