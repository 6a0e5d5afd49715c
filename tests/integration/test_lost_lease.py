"""A real server whose lease on an open notebook is taken by another server process."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from tests.conformance.conftest import code_cell, notebook
from tests.integration.conftest import Served


@pytest.mark.parametrize("how", ["taken over", "removed"])
async def test_the_socket_is_closed_with_4409_and_the_file_is_left_alone(served: Served, how: str) -> None:
    leases = Path(served.runtimed.state_dir) / "leases"
    async with served.visit() as v:
        path = v.write(notebook(code_cell("1", "c1")))
        room = await v.open(path)
        before = v.file(path).read_bytes()
        (lease,) = leases.iterdir()
        async with v.session.ws_connect(f"{v.api}/rooms/{room['room_id']}/sync") as socket:
            if how == "removed":
                lease.unlink()
            else:
                lease.write_text(json.dumps({**json.loads(lease.read_bytes()), "server": "another"}))
            assert await asyncio.wait_for(end_of(socket), 30) == 4409
        assert (await v.call("GET", "/rooms"))[2] == []
        assert v.file(path).read_bytes() == before
        assert (await v.open(path))["room_id"]  # nobody who lives has it, so it opens again


async def end_of(socket: Any) -> int | None:
    async for _ in socket:
        pass
    code: int | None = socket.close_code
    return code
