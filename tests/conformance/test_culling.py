"""A server that culls idle kernels: those that a room uses are not idle, those nobody uses are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.conformance.conftest import code_cell
from tests.conformance.test_running import run, text_of
from tests.conformance.test_shared_kernels import jupyter, kernel_is, session_at
from tests.support.server_process import ServerProcess
from tests.support.waiting import becomes

OPTIONS = (
    "--MappingKernelManager.cull_idle_timeout=2",
    "--MappingKernelManager.cull_interval=1",
    "--RuntimedApp.room_idle_s=0.5",
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with ServerProcess(tmp_path_factory.mktemp("culling"), arguments=OPTIONS) as process:
        yield process


async def is_there(v: Any, kernel_id: str) -> bool:
    return kernel_id in [kernel["id"] for kernel in await jupyter(v, "GET", "kernels")]


async def culled(v: Any, kernel_id: str) -> None:
    """Wait until the server has culled a kernel."""

    async def is_gone() -> bool:
        return not await is_there(v, kernel_id)

    await becomes(is_gone, "the end of the kernel", 60)


async def test_a_kernel_is_kept_while_somebody_is_in_its_room_and_culled_afterwards(visit: Any) -> None:
    async with visit() as v:
        async with v.joined(code_cell("x = 41", "a"), code_cell("print(x + 1)", "b")) as (peer, room):
            await run(peer, "a")
            kernel_id = (await session_at(v, room["path"]))["kernel"]["id"]
            nobodys = await jupyter(v, "POST", "kernels", {"name": "python3"})
            await culled(v, nobodys["id"])
            assert await is_there(v, kernel_id), "it has been idle for longer"
            await run(peer, "b")
            assert text_of(peer.outputs_of("b")[0]) == "42\n"
        await culled(v, kernel_id)


async def test_a_cell_that_says_nothing_runs_to_its_end_with_nobody_there(visit: Any) -> None:
    async with visit() as v:
        async with v.joined(code_cell("import time\ntime.sleep(6)\nprint('end')", "a")) as (peer, room):
            await peer.request("execute_cell", cell_id="a")
            await peer.until(lambda: peer.execution_of("a").get("status") == "running", 30)
            kernel_id = (await session_at(v, room["path"]))["kernel"]["id"]
            nobodys = await jupyter(v, "POST", "kernels", {"name": "python3"})
        await culled(v, nobodys["id"])
        assert await is_there(v, kernel_id)
        await culled(v, kernel_id)
        assert v.read(room["path"])["cells"][0]["outputs"][0]["text"] in ("end\n", ["end\n"])


async def test_a_kernel_that_others_shut_down_is_told_and_replaced(visit: Any) -> None:
    async with visit() as v, v.joined(code_cell("print(1)", "a")) as (peer, room):
        await run(peer, "a")
        kernel_id = (await session_at(v, room["path"]))["kernel"]["id"]
        await jupyter(v, "DELETE", f"kernels/{kernel_id}")
        await kernel_is(peer, kernel_id=None, status="not_started")
        assert (await run(peer, "a"))["status"] == "done"
