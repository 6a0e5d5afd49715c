"""What people hold: an open notebook."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any

from jupyter_runtimed.client.blobs import BlobCache
from jupyter_runtimed.client.cells import Cell, Cells
from jupyter_runtimed.client.execution import Execution, InputCallback, Runner
from jupyter_runtimed.client.outputs import ExecutionResult
from jupyter_runtimed.client.peer import Peer
from jupyter_runtimed.client.status import Cursor, Person, Status
from jupyter_runtimed.client.view import Change
from jupyter_runtimed.core.errors import Internal
from jupyter_runtimed.core.ids import Heads, heads_from_hex


class Metadata:
    """The notebook's metadata: reads like a mapping of plain values, written with `set` and `delete`."""

    def __init__(self, peer: Peer) -> None:
        self._peer = peer

    def __getitem__(self, key: str) -> Any:
        return self.to_dict()[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self.to_dict())

    def __len__(self) -> int:
        return len(self.to_dict())

    def __contains__(self, key: object) -> bool:
        return key in self.to_dict()

    def get(self, key: str, default: Any = None) -> Any:
        return self.to_dict().get(key, default)

    def to_dict(self) -> dict[str, Any]:
        """A copy of all of it."""
        return dict(self._peer.view.notebook.metadata())

    async def set(self, key: str, value: Any) -> None:
        await self._peer.edit(lambda document: document.set_metadata(key, value))

    async def delete(self, key: str) -> None:
        """Remove a key; a key that is not there is no error."""
        await self._peer.edit(lambda document: document.delete_metadata(key))


class Presence:
    """Where we are, for the others to see, and where they are. Never stored."""

    def __init__(self, peer: Peer) -> None:
        self._peer = peer

    @property
    def peers(self) -> dict[str, Person]:
        """The others in the room, by peer id."""
        return self._peer.view.others()

    def set(self, *, cursor: Cursor | None = None, focus: Cell | str | None = None) -> None:
        """Tell where we are. What is left out is not shown any more.

        Args:
            cursor: a caret or selection in a cell's source.
            focus: the cell we are in.
        """
        said: dict[str, Any] = {}
        if cursor is not None:
            said["cursor"] = {"cell_id": cursor.cell_id, "anchor": cursor.anchor, "head": cursor.head}
        if focus is not None:
            said["focus"] = focus.id if isinstance(focus, Cell) else focus
        self._peer.post_presence(said)

    def clear(self) -> None:
        """Show nothing of us but that we are here."""
        self.set()


class Notebook:
    """An open notebook: a replica of its own, kept level with the server.

    Reads are immediate. Writes change the replica at once and return when they are on their way; `confirm_sync` waits
    for the server's word. Use it as an async context manager, or call `close`.

    Attributes:
        cells: in order.
        metadata: of the notebook.
        presence: who else is here.
        on_input: answers `input()` of cells that are run through this object; `None` leaves it to others.
    """

    def __init__(self, peer: Peer, blobs: BlobCache) -> None:
        self._peer = peer
        self._runner = Runner(peer, blobs)
        self.cells = Cells(peer, self._runner)
        self.metadata = Metadata(peer)
        self.presence = Presence(peer)

    async def __aenter__(self) -> Notebook:
        self._peer.check_alive()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    def __repr__(self) -> str:
        return f"<Notebook {self.path or 'without a file'} in room {self.room_id}>"

    async def close(self) -> None:
        """Leave the room. The notebook stays open on the server, and what runs there goes on."""
        await self._peer.stop()

    # ---- what is known ----

    @property
    def room_id(self) -> str:
        return self._peer.room_id

    @property
    def path(self) -> str | None:
        """Of the file; None while there is none."""
        return self.status.path

    @property
    def status(self) -> Status:
        """What the server said last about load, rights, and what is saved."""
        status = self._peer.view.status
        if status is None:
            raise Internal("an open notebook has had a status")
        return status

    @property
    def is_connected(self) -> bool:
        """Whether a connection stands. Without one, edits wait here and go up with the next."""
        return self._peer.is_connected

    @property
    def heads(self) -> Heads:
        """The tips of our replica's history."""
        return self._peer.view.notebook.replica.heads

    @property
    def dirty(self) -> bool:
        """Whether the file lacks something, as the server said last."""
        return self.status.dirty

    @property
    def saved_heads(self) -> Heads:
        return self.status.saved_heads

    @property
    def durable_heads(self) -> Heads:
        return self.status.durable_heads

    @property
    def kernel(self) -> Mapping[str, Any]:
        """The kernel as the runtime document has it: `name`, `status`, `language`, `kernel_id`, …."""
        return self._peer.view.runtime.kernel

    @property
    def kept_aside(self) -> tuple[Cell, ...]:
        """Cells that hold edits a merge after a reconnect could place nowhere else."""
        return tuple(self.cells[cell_id] for cell_id in self._peer.kept_aside if cell_id in self.cells)

    def document_bytes(self) -> bytes:
        """Our replica, loadable by any Automerge library."""
        return self._peer.view.notebook.replica.save()

    def on_change(self, callback: Callable[[Change], None]) -> Callable[[], None]:
        """Call back after each change, ours and others'; returns a function that ends it."""
        return self._peer.on_change(callback)

    # ---- certainty ----

    async def confirm_sync(self, timeout: float = 10.0) -> Heads:
        """Return when the server has said that it has everything we have now.

        Raises:
            HeadsUnconfirmed: it did not within `timeout` seconds. Nothing is lost: the edits will still go up.
        """
        return await self._peer.confirm(timeout)

    async def wait_durable(self, timeout: float = 10.0) -> Heads:
        """Return when everything we have now, outputs too, would survive the death of the server.

        Raises:
            HeadsUnconfirmed: not within `timeout` seconds.
        """
        return await self._peer.durable(timeout)

    async def save(self, path: str | None = None, *, overwrite: bool = False) -> Heads:
        """Write the file, with all that we have now.

        Args:
            path: save under this name from now on.
            overwrite: over a file that is there and not open.

        Returns:
            The heads that are in the file.

        Raises:
            PathAlreadyOpen: another room in use has this path; `details` names it.
            FileExists: a file is there and `overwrite` was not said.
            FileChanged: what is on disk is no notebook any more.
        """
        fields: dict[str, Any] = {}
        if path is not None:
            fields = {"path": path, "overwrite": overwrite}
        answer = await self._peer.request("save_notebook", with_heads=True, **fields)
        return heads_from_hex(answer.get("saved_heads", []))

    # ---- running ----

    @property
    def on_input(self) -> InputCallback | None:
        return self._runner.on_input

    @on_input.setter
    def on_input(self, callback: InputCallback | None) -> None:
        self._runner.on_input = callback

    async def execute_all(
        self, cells: Sequence[Cell | str] | None = None, *, on_input: InputCallback | None = None
    ) -> list[Execution]:
        """Queue cells (None: every code cell) and return their handles; the first error cancels the rest."""
        ids = None if cells is None else [cell.id if isinstance(cell, Cell) else cell for cell in cells]
        return await self._runner.execute_all(ids, on_input)

    async def run_all(
        self,
        cells: Sequence[Cell | str] | None = None,
        *,
        timeout: float | None = None,
        on_input: InputCallback | None = None,
    ) -> list[ExecutionResult]:
        """Run cells (None: every code cell) and return their results, in order; the first error cancels the rest.

        Args:
            cells: which, in the order to run them.
            timeout: seconds for each.
            on_input: answers `input()`.
        """
        return [await handle.result(timeout) for handle in await self.execute_all(cells, on_input=on_input)]

    async def interrupt(self) -> None:
        """Interrupt what runs; what is queued now is cancelled."""
        await self._peer.request("interrupt_kernel")

    async def start_kernel(self, kernel_name: str | None = None) -> Mapping[str, Any]:
        """Start a kernel, the notebook's own unless another is named; the kernel object."""
        fields = {} if kernel_name is None else {"kernel_name": kernel_name}
        return await self._kernel("start_kernel", **fields)

    async def restart(self) -> Mapping[str, Any]:
        """Restart the kernel; what runs ends with an error, what is queued is cancelled."""
        return await self._kernel("restart_kernel")

    async def shutdown_kernel(self) -> Mapping[str, Any]:
        return await self._kernel("shutdown_kernel")

    async def _kernel(self, action: str, **fields: Any) -> Mapping[str, Any]:
        answer: Mapping[str, Any] = await self._peer.request(action, **fields)
        return answer

    async def clear_outputs(self) -> None:
        """Clear the outputs of every cell."""
        await self._peer.request("clear_outputs", with_heads=True)

    # ---- questions to the kernel; each gives the kernel's own reply ----

    async def complete(self, code: str, cursor_pos: int | None = None) -> Mapping[str, Any]:
        """Completions at a position (Unicode code points; default: the end)."""
        position = len(code) if cursor_pos is None else cursor_pos
        return await self._kernel("complete", code=code, cursor_pos=position)

    async def inspect(self, code: str, cursor_pos: int | None = None, detail_level: int = 0) -> Mapping[str, Any]:
        """Documentation of what stands at a position (Unicode code points; default: the end)."""
        position = len(code) if cursor_pos is None else cursor_pos
        return await self._kernel("inspect", code=code, cursor_pos=position, detail_level=detail_level)

    async def history(self, n: int = 100, pattern: str | None = None) -> Mapping[str, Any]:
        """The last inputs the kernel has had, or the last that match a pattern."""
        fields = {} if pattern is None else {"pattern": pattern}
        return await self._kernel("history", n=n, **fields)

    async def is_complete(self, code: str) -> Mapping[str, Any]:
        """Whether code is a whole statement."""
        return await self._kernel("is_complete", code=code)

    # ---- widgets ----

    @property
    def comms(self) -> Mapping[str, Any]:
        """The state of the kernel's widgets, by comm id."""
        return self._peer.view.runtime.comms

    async def send_comm(
        self,
        msg_type: str,
        content: Mapping[str, Any],
        *,
        metadata: Mapping[str, Any] | None = None,
        buffers: Sequence[bytes] = (),
    ) -> None:
        """Send a comm message to the kernel: "comm_open", "comm_msg" or "comm_close"."""
        fields: dict[str, Any] = {"msg_type": msg_type, "content": dict(content)}
        if metadata:
            fields["metadata"] = dict(metadata)
        if buffers:
            fields["buffers"] = [base64.b64encode(buffer).decode() for buffer in buffers]
        await self._peer.request("comm", **fields)

    def on_event(self, callback: Callable[[Mapping[str, Any]], None]) -> Callable[[], None]:
        """Call back with each event (widgets' custom messages); returns a function that ends it."""
        return self._peer.on_event(callback)
