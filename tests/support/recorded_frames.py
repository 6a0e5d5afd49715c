"""What the server says to a tab in a short session, for the front end's own tests.

    python -m tests.support.recorded_frames

writes the fixture anew; a test of the rooms says when that is due.
"""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
from pathlib import Path
from typing import Any
from unittest import mock

from jupyter_runtimed.core.crdt import Engine
from jupyter_runtimed.rooms.room import Room
from tests.support import room_ports
from tests.support.room_peers import Client
from tests.support.room_ports import World
from tests.unit.rooms.test_room_loading import rest

FIXTURE = Path(__file__).parents[2] / "labextension" / "tests" / "fixtures" / "session.json"

_PRINTED = {"output_type": "stream", "name": "stdout", "text": ["from the file\n"]}
_CELLS = [
    {"cell_type": "code", "id": "one", "source": "x = 1", "metadata": {}, "outputs": [_PRINTED], "execution_count": 3},
    {"cell_type": "markdown", "id": "two", "source": "# hé 😀", "metadata": {"tags": ["a"]}},
]
_NOTEBOOK = {"cells": _CELLS, "metadata": {"authors": ["Ada"]}, "nbformat": 4, "nbformat_minor": 5}


class Recorder:
    """A tab that only looks on, and writes down what it was told and what it should show by then."""

    def __init__(self, room: Room) -> None:
        self.steps: list[dict[str, Any]] = []
        self._room = room
        self._tab = SteadyClient("tab", 3).connect(room.hub)
        self._told = 0

    async def rest(self, *others: Client) -> None:
        await rest(self._tab, *others)

    def note(self, name: str) -> None:
        """End a step."""
        document, runtime = self._room.notebook, self._room.runtime
        sent = self._tab.socket.sent
        cells = [
            {"id": cell.id, "source": cell.source, "type": cell.cell_type, "metadata": cell.metadata}
            for cell in document.cells()
        ]
        executions = {
            name: [execution.status, len(execution.outputs)] for name, execution in runtime.executions.items()
        }
        frames = [base64.b64encode(frame).decode() for frame in sent[self._told :]]
        heads = [head.hex() for head in document.replica.heads]
        self._told = len(sent)
        self.steps.append({"step": name, "frames": frames, "heads": heads, "cells": cells, "executions": executions})


class SteadyClient(Client):
    """A client whose actors are always the same."""

    def __init__(self, name: str, number: int) -> None:
        self._actors = (bytes([number, index]) * 8 for index in itertools.count())
        super().__init__(name)

    def _empty(self) -> Engine:
        return Engine.empty(next(self._actors))


async def record() -> list[dict[str, Any]]:
    """The session, from the greeting on."""
    actors = (bytes([1, index]) * 8 for index in itertools.count())
    with mock.patch.object(room_ports, "new_actor", side_effect=actors):
        world = World(a=json.dumps(_NOTEBOOK).encode())
        room = await world.open("a.ipynb")
        recorder = Recorder(room)
        await recorder.rest()
        recorder.note("open")
        bob = SteadyClient("bob", 2).connect(room.hub)
        await recorder.rest(bob)
        recorder.note("somebody comes")
        bob.type_text("two", 4, "🎉 ")
        bob.add_cell("three", "print(x)", position="zi")
        await recorder.rest(bob)
        recorder.note("somebody types and inserts")
        await _run(world, room, bob, recorder)
        bob.delete_cell("one")
        await recorder.rest(bob)
        recorder.note("somebody deletes")
        await room.saver.save(is_explicit=True)
        await world.clock.advance(1)
        await recorder.rest(bob)
        recorder.note("saved")
        bob.disconnect()
        await recorder.rest()
        recorder.note("somebody goes")
        await world.registry.stop()
    return recorder.steps


async def _run(world: World, room: Room, bob: Client, recorder: Recorder) -> None:
    asked = bob.request("execute_cell", cell_id="three")
    await recorder.rest(bob)
    answer = bob.answer(asked)
    assert answer is not None
    world.executor(room).output(answer["result"]["execution_id"], "1\n")
    await recorder.rest(bob)
    recorder.note("somebody runs")


def main() -> None:
    """Write the fixture."""
    FIXTURE.parent.mkdir(exist_ok=True)
    FIXTURE.write_text(json.dumps(asyncio.run(record()), indent=1) + "\n")


if __name__ == "__main__":
    main()
