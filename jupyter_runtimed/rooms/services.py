"""What a room needs from outside itself, as one value: ports, settings, and the makers of its parts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from jupyter_runtimed.core.requests import Comm, Complete, History, InputReply, Inspect, IsComplete, PutOutputs
from jupyter_runtimed.rooms.ports.blobs import Blobs
from jupyter_runtimed.rooms.ports.clock import Clock
from jupyter_runtimed.rooms.ports.contents import Contents
from jupyter_runtimed.rooms.ports.log import Leases, RoomLogs
from jupyter_runtimed.rooms.ports.signatures import Signatures
from jupyter_runtimed.rooms.settings import RoomSettings

if TYPE_CHECKING:
    from jupyter_runtimed.rooms.room import Room


class RoomExecutor(Protocol):
    """The part of a room that runs cells. It is made when the documents are whole."""

    @property
    def is_active(self) -> bool:
        """Whether something runs or is queued."""

    @property
    def has_kernel(self) -> bool:
        """Whether there is a kernel, or one is being started."""

    def kernel_object(self) -> dict[str, Any]:
        """`{"name", "status", "kernel_id"}`."""

    async def execute_cell(self, cell_id: str, submitted_by: str) -> dict[str, Any]: ...
    async def run_all(self, cell_ids: list[str] | None, submitted_by: str) -> list[dict[str, Any]]: ...
    async def interrupt(self) -> None: ...
    async def restart(self) -> dict[str, Any]: ...
    async def shutdown(self) -> dict[str, Any]: ...
    async def start(self, kernel_name: str | None) -> dict[str, Any]: ...
    async def clear_outputs(self, cell_ids: list[str] | None) -> None: ...
    async def put_outputs(self, request: PutOutputs, submitted_by: str) -> str: ...
    async def complete(self, request: Complete) -> dict[str, Any]: ...
    async def inspect(self, request: Inspect) -> dict[str, Any]: ...
    async def history(self, request: History) -> dict[str, Any]: ...
    async def is_complete(self, request: IsComplete) -> dict[str, Any]: ...
    async def input_reply(self, request: InputReply) -> None: ...
    async def comm(self, request: Comm) -> None: ...
    async def wait(self, execution_id: str, timeout_s: float) -> dict[str, Any]: ...

    def notebook_changed(self) -> None:
        """Cells may have been deleted: cancel what is queued for those."""

    async def path_changed(self, path: str) -> None:
        """The notebook has another path."""

    async def stop(self, *, shutdown_kernel: bool) -> None:
        """Let go of the kernel, or end it. Outputs that have come are in the document afterwards."""


class RoomMoves(Protocol):
    """Who owns the paths: gives rooms other files."""

    async def save_as(self, room: Room, path: str, overwrite: bool) -> None:
        """Save a room to another file, which is its file from then on."""

    async def follow_on_disk(self, room: Room) -> None:
        """If another program has moved the room's file, the room follows."""


MakeExecutor = Callable[["Room"], RoomExecutor]


@dataclass(frozen=True, slots=True)
class Services:
    """See the module.

    Attributes:
        make_executor: the executor of a room.
        new_id: a fresh UUID.
        new_actor: a fresh actor id.
        logs: where rooms are logged; None for a server without logs.
        signatures: of notebooks whose outputs are trusted; None for a server that signs nothing.
        leases: which server process owns a file; None for a server that shares its state with nobody.
    """

    contents: Contents
    blobs: Blobs
    clock: Clock
    make_executor: MakeExecutor
    new_id: Callable[[], str]
    new_actor: Callable[[], bytes]
    settings: RoomSettings = field(default_factory=RoomSettings)
    logs: RoomLogs | None = None
    leases: Leases | None = None
    signatures: Signatures | None = None
