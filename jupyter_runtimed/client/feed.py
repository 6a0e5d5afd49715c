"""Outputs as they come: each change once, at the cost of what is new.

A stream of a hundred thousand lines is a list of pieces of which only the last changes, so what was read of it before
is not read, fetched or compared again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from jupyter_runtimed.client.blobs import BlobCache
from jupyter_runtimed.client.outputs import Output
from jupyter_runtimed.core.runtime import Manifest


class OutputFeed:
    """What has been given of one execution's outputs, and what has not.

    Args:
        blobs: where large values come from.
    """

    def __init__(self, blobs: BlobCache) -> None:
        self._blobs = blobs
        self._given: dict[str, tuple[Manifest, Output]] = {}

    def news(self, outputs: Sequence[tuple[str, Manifest]]) -> list[tuple[str, Manifest]]:
        """Those of the outputs that are new, or not as they were when they were given."""
        return [(key, manifest) for key, manifest in outputs if not self._was_given(key, manifest)]

    def _was_given(self, output_id: str, manifest: Manifest) -> bool:
        before = self._given.get(output_id)
        # A reader hands out the same object as long as nothing changed.
        return before is not None and (before[0] is manifest or before[0] == manifest)

    async def take(self, output_id: str, manifest: Manifest) -> Output:
        """An output with all its values, `new_text` being what is new of its text."""
        before = self._given.get(output_id)
        if before is not None and manifest.get("output_type") == before[1].output_type == "stream":
            output = await self._grown(output_id, manifest, *before)
        else:
            (output,) = await self._blobs.load([(output_id, manifest)])
            output = replace(output, new_text=output.text)
        self._given[output_id] = manifest, output
        return output

    async def _grown(self, output_id: str, manifest: Manifest, old: Manifest, before: Output) -> Output:
        """A stream that is known up to some piece."""
        pieces, old_pieces = manifest.get("text", []), old.get("text", [])
        same = _common(pieces, old_pieces)
        (rest,) = await self._blobs.load([(output_id, {**manifest, "text": pieces[same:]})])
        old_end, end = "".join(map(str, before.pieces[same:])), rest.text
        output = replace(rest, pieces=before.pieces[:same] + rest.pieces)
        return replace(output, new_text=end[len(old_end) :] if end.startswith(old_end) else output.text)


def _common(one: Sequence[Any], other: Sequence[Any]) -> int:
    """How many elements two sequences begin with alike."""
    number = 0
    for left, right in zip(one, other, strict=False):
        if left != right:
            break
        number += 1
    return number
