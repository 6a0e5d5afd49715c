"""The two merges of a room: a file that was changed outside, and a replica that comes from another epoch."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass, replace
from typing import Any

from jupyter_runtimed.core.content import FetchBlob
from jupyter_runtimed.core.crdt import Replica
from jupyter_runtimed.core.document import NotebookDocument
from jupyter_runtimed.core.ids import Hash
from jupyter_runtimed.core.ipynb import Import
from jupyter_runtimed.core.merge.cells import Merged, merge_version
from jupyter_runtimed.core.merge.outputs import merge_outputs
from jupyter_runtimed.core.merge.version import Version, heads_before_edits
from jupyter_runtimed.core.residue import Residue
from jupyter_runtimed.core.runtime import Execution, RuntimeDocument


@dataclass(frozen=True, slots=True)
class MergedFile:
    """What merging a file did.

    Attributes:
        base: the file as the last common version from now on.
        residue: what the documents cannot hold of the notebook from now on.
        cells: what happened to the cells.
    """

    base: Version
    residue: Residue
    cells: Merged


def merge_file(
    document: NotebookDocument,
    runtime: RuntimeDocument,
    base: Version,
    incoming: Import,
    executions: Mapping[str, Execution],
    *,
    residue: Residue,
    fetch: FetchBlob,
    is_fresh: Callable[[Execution], bool],
) -> MergedFile:
    """Merge a file that was changed outside into the room's documents.

    Args:
        document: the live notebook document.
        runtime: the live runtime document.
        base: the last common version of file and room; an empty one if none is known.
        incoming: the file's import, run to its end.
        executions: what its outputs became, by execution id; their blobs are stored.
        residue: of the live document.
        fetch: blobs.
        is_fresh: whether an execution has ended or changed after the last common version.
    """
    theirs = Version(tuple(incoming.cells), incoming.metadata, _unknown(incoming.root))
    merged = merge_version(document, base, theirs, derived=incoming.derived_ids)
    found: dict[str, Execution | None] = {}
    for cell in incoming.cells:
        live_id = merged.cells.get(cell.id)
        if live_id is not None:
            found[live_id] = executions.get(cell.execution_id or "")
    pointers = {cell.id: cell.execution_id for cell in base.cells}
    common = merge_outputs(document, runtime, pointers, found, fetch=fetch, is_fresh=is_fresh)
    cells = tuple(
        replace(cell, execution_id=common[cell.id]) if cell.id in common else cell for cell in merged.base.cells
    )
    left = _merged_residue(residue, incoming.residue, merged, runtime)
    return MergedFile(replace(merged.base, cells=cells), left, merged)


def _unknown(root: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in root.items() if key not in ("nbformat", "nbformat_minor")}


def _merged_residue(live: Residue, theirs: Residue, merged: Merged, runtime: RuntimeDocument) -> Residue:
    """The file's residue in terms of our ids, and ours for cells and executions that the file does not have."""
    named = set(merged.cells.values())
    entries = []
    for entry in live.entries:
        owner, *rest = entry[0]
        is_ours_alone = owner == "cell" and rest[0] not in named
        if is_ours_alone or (owner == "execution" and runtime.execution(rest[0]) is not None):
            entries.append(entry)
    for place, substitute, original in theirs.entries:
        if place[0] == "cell":
            live_id = merged.cells.get(place[1])
            if live_id is not None:
                entries.append((("cell", live_id, *place[2:]), substitute, original))
        elif place[0] != "execution" or runtime.execution(place[1]) is not None:
            entries.append((place, substitute, original))
    return Residue(entries)


@dataclass(frozen=True, slots=True)
class MergedReplica:
    """What merging a replica did.

    Attributes:
        kept_aside: cells whose place in the notebook is gone: they were removed here, or by others, and carry edits
            of the replica. They stand in the notebook as cells.
        cells: what happened to the cells.
    """

    kept_aside: tuple[str, ...]
    cells: Merged


def merge_replica(
    document: NotebookDocument,
    theirs: Replica,
    is_known: Callable[[Hash], bool] = lambda _: False,
    server_had: Container[Hash] = (),
) -> MergedReplica:
    """Merge the unsent edits of a replica whose history is of another import.

    Args:
        document: the live document.
        theirs: the replica; vetted.
        is_known: whether a change had reached the server in an earlier epoch. What is known is common to both; with
            nothing known, the replica's own import is.
        server_had: changes that the server once had, and may have saved. Where all that they did to a source stands in
            the live document, whatever was put into it since, they are common to both as well.
    """
    base = Version.at(theirs, heads_before_edits(theirs, is_known))
    version = Version.of(NotebookDocument(theirs))
    likely = Version.at(theirs, heads_before_edits(theirs, lambda change: is_known(change) or change in server_had))
    merged = merge_version(document, base, version, likely=likely, is_other_lineage=True)
    return MergedReplica(tuple(merged.restored), merged)
