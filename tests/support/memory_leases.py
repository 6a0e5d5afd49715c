"""Leases among servers of one test."""

from __future__ import annotations

from jupyter_runtimed.core.errors import ActiveElsewhere
from jupyter_runtimed.rooms.ports.log import Leases


class MemoryLeases:
    """The fake of `Leases`; servers that share `owners` compete."""

    def __init__(self, owners: dict[str, object] | None = None) -> None:
        self.owners: dict[str, object] = {} if owners is None else owners

    async def acquire(self, name: str) -> None:
        if self.owners.setdefault(name, self) is not self:
            raise ActiveElsewhere("another server of this test has it", host="test", pid=0)

    async def release(self, name: str) -> None:
        if self.owners.get(name) is self:
            del self.owners[name]


_leases: type[Leases] = MemoryLeases
