"""The cells of a notebook, as live handles: each read looks into the replica anew, each write is awaited."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from typing import Any

from jupyter_runtimed.client.attachments import bundle_of, read_attachment
from jupyter_runtimed.client.execution import Execution, InputCallback, Runner
from jupyter_runtimed.client.outputs import ExecutionResult, Output, output_from_manifest
from jupyter_runtimed.client.peer import Peer
from jupyter_runtimed.core.document import Cell as CellState
from jupyter_runtimed.core.errors import NoSuchCell


class Cell:
    """One cell. Handles compare equal when they name the same cell.

    Reading or writing a cell that has been deleted raises NoSuchCell.
    """

    def __init__(self, peer: Peer, runner: Runner, cell_id: str) -> None:
        self._peer = peer
        self._runner = runner
        self._id = cell_id

    def __repr__(self) -> str:
        return f"<Cell {self._id}>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Cell) and other._peer is self._peer and other._id == self._id

    def __hash__(self) -> int:
        return hash((id(self._peer), self._id))

    # ---- reads ----

    @property
    def id(self) -> str:
        return self._id

    @property
    def state(self) -> CellState:
        """All of it at this moment, as a frozen value."""
        return self._peer.view.notebook.cell(self._id)

    @property
    def exists(self) -> bool:
        return self._id in self._peer.view.notebook.cell_ids()

    @property
    def source(self) -> str:
        return self.state.source

    @property
    def cell_type(self) -> str:
        """One of "code", "markdown", "raw"."""
        return self.state.cell_type

    @property
    def metadata(self) -> dict[str, Any]:
        """A copy; change it with `set_metadata`."""
        return dict(self.state.metadata)

    @property
    def execution(self) -> Execution | None:
        """The execution whose outputs the cell shows, whoever started it."""
        execution_id = self.state.execution_id
        return None if execution_id is None else self._runner.follow(execution_id, self._id)

    @property
    def execution_count(self) -> int | None:
        execution = self.execution
        return None if execution is None else execution.execution_count

    @property
    def outputs(self) -> tuple[Output, ...]:
        """What the cell shows. Large values that were not fetched are `BlobRef`s; see `read_outputs`."""
        kept = self._runner.blobs.kept
        return tuple(output_from_manifest(key, manifest, kept) for key, manifest in self._manifests())

    async def read_outputs(self) -> tuple[Output, ...]:
        """What the cell shows, every value fetched."""
        return await self._runner.blobs.load(self._manifests())

    @property
    def attachments(self) -> dict[str, tuple[str, ...]]:
        """The MIME types of each attachment, by its name."""
        found = self.state.attachments or {}
        return {name: tuple(bundle) for name, bundle in found.items() if isinstance(bundle, Mapping)}

    async def read_attachment(self, name: str, mime: str | None = None) -> bytes:
        """The bytes of an attachment.

        Args:
            name: of the attachment.
            mime: which form of it; the first when it is not said.

        Raises:
            NotFound: there is no such attachment, or not of that type.
        """
        return await read_attachment(bundle_of(self.state.attachments, name), mime, self._runner.blobs)

    def _manifests(self) -> list[tuple[str, dict[str, Any]]]:
        execution_id = self.state.execution_id
        return [] if execution_id is None else self._peer.view.runtime.outputs(execution_id)

    # ---- edits ----

    async def set_source(self, source: str) -> None:
        """Make the source this text. What stays the same is not touched, so others' carets and edits stay."""
        await self._peer.edit(lambda document: document.set_source(self._id, source))

    async def append(self, text: str) -> None:
        """Add text at the end of the source, as one who writes token by token does."""
        await self._peer.edit(lambda document: document.append(self._id, text))

    async def splice(self, index: int, delete: int, text: str = "") -> None:
        """Replace part of the source.

        Args:
            index: where, in Unicode code points.
            delete: how many code points go.
            text: what comes in their place.
        """
        await self._peer.edit(lambda document: document.splice(self._id, index, delete, text))

    async def set_type(self, cell_type: str) -> None:
        """Make it a "code", "markdown" or "raw" cell."""
        await self._peer.edit(lambda document: document.set_cell_type(self._id, cell_type))

    async def set_metadata(self, key: str, value: Any) -> None:
        await self._peer.edit(lambda document: document.set_cell_metadata(self._id, key, value))

    async def delete_metadata(self, key: str) -> None:
        """Remove a key; a key that is not there is no error."""
        await self._peer.edit(lambda document: document.delete_cell_metadata(self._id, key))

    async def attach(self, name: str, data: bytes, mime: str) -> None:
        """Attach bytes, over an attachment of that name; Markdown shows an image by `![](attachment:name)`.

        Args:
            name: of the attachment.
            data: stored on the server as a blob.
            mime: their type.

        Raises:
            Forbidden: this user may not write; nothing was stored.
            QuotaExceeded, TooLarge, OutOfSpace: the server refused them.
        """
        self.state  # noqa: B018  (a cell that is gone takes no bytes)
        reference = await self._runner.blobs.put(data)
        await self._peer.edit(lambda document: document.set_attachment(self._id, name, {mime: reference}))

    async def detach(self, name: str) -> None:
        """Remove an attachment; one that is not there is no error."""
        await self._peer.edit(lambda document: document.delete_attachment(self._id, name))

    async def move(self, *, index: int | None = None, after: Cell | str | None = None) -> None:
        """Move the cell; its identity, outputs and text history stay.

        Args:
            index: its place among the other cells, from 0; beyond the end is the end.
            after: in place of an index, the cell to stand behind; with neither it goes to the end.
        """
        await self._peer.edit(lambda document: document.move_cell(self._id, **_place(index, after)))

    async def delete(self) -> None:
        await self._peer.edit(lambda document: document.delete_cell(self._id))

    async def clear_outputs(self) -> None:
        await self._peer.request("clear_outputs", with_heads=True, cell_ids=[self._id])

    # ---- running ----

    async def execute(self, *, on_input: InputCallback | None = None) -> Execution:
        """Queue the cell with the source as it is here now. Await the handle for the result.

        Args:
            on_input: answers `input()` in the cell.
        """
        return await self._runner.execute(self._id, on_input)

    async def run(self, *, timeout: float | None = None, on_input: InputCallback | None = None) -> ExecutionResult:
        """Run the cell to its end. A cell that raised is a result too; see `result.raise_for_error()`.

        Args:
            timeout: seconds; when it is up TimedOut is raised and the cell goes on.
            on_input: answers `input()` in the cell.
        """
        return await (await self.execute(on_input=on_input)).result(timeout)


class Cells:
    """The cells in order. `len`, iteration, `in` (an id or a handle), `[id]` and `[index]`."""

    def __init__(self, peer: Peer, runner: Runner) -> None:
        self._peer = peer
        self._runner = runner

    def __len__(self) -> int:
        return len(self.ids)

    def __iter__(self) -> Iterator[Cell]:
        return iter([self._handle(cell_id) for cell_id in self.ids])

    def __contains__(self, cell: object) -> bool:
        return (cell.id if isinstance(cell, Cell) else cell) in self.ids

    def __getitem__(self, key: str | int) -> Cell:
        """By id (NoSuchCell) or by index (IndexError)."""
        return self._handle(self.ids[key]) if isinstance(key, int) else self.get(key)

    @property
    def ids(self) -> list[str]:
        """The ids in order."""
        return list(self._peer.view.notebook.cell_ids())

    def get(self, cell_id: str) -> Cell:
        """The cell of an id.

        Raises:
            NoSuchCell: there is none.
        """
        if cell_id not in self.ids:
            raise NoSuchCell(f"there is no cell {cell_id!r}")
        return self._handle(cell_id)

    def find(self, text: str, cell_type: str | None = None) -> list[Cell]:
        """The cells whose source contains a text, in order; only of one type when it is given."""
        return [
            self._handle(state.id)
            for state in self._peer.view.notebook.cells()
            if text in state.source and cell_type in (None, state.cell_type)
        ]

    def index(self, cell: Cell | str) -> int:
        """Where a cell stands, from 0."""
        cell_id = cell.id if isinstance(cell, Cell) else cell
        try:
            return self.ids.index(cell_id)
        except ValueError:
            raise NoSuchCell(f"there is no cell {cell_id!r}") from None

    async def create(
        self,
        source: str = "",
        cell_type: str = "code",
        *,
        index: int | None = None,
        after: Cell | str | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> Cell:
        """Add a cell; at the end, unless a place is given.

        Args:
            source: its text.
            cell_type: "code", "markdown" or "raw".
            index: its place, from 0; beyond the end is the end.
            after: in place of an index, the cell to stand behind.
            metadata: of the cell.
        """
        cell_id = str(uuid.uuid4())
        place = _place(index, after)
        await self._peer.edit(
            lambda document: document.insert_cell(cell_type, source, id=cell_id, metadata=metadata, **place)
        )
        return self._handle(cell_id)

    async def insert(self, index: int, source: str = "", cell_type: str = "code") -> Cell:
        """Add a cell at a place, from 0."""
        return await self.create(source, cell_type, index=index)

    def _handle(self, cell_id: str) -> Cell:
        return Cell(self._peer, self._runner, cell_id)


def _place(index: int | None, after: Cell | str | None) -> dict[str, Any]:
    if index is not None and after is not None:
        raise ValueError("give an index or a cell to stand behind, not both")
    return {"index": index, "after": after.id if isinstance(after, Cell) else after}
