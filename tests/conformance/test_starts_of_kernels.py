"""Kernels that are on their way: what others do to them meanwhile, and those that never come."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conformance.conftest import code_cell
from tests.conformance.test_bad_kernels import kernel_of, with_kernel
from tests.conformance.test_running import finished, run, text_of
from tests.conformance.test_shared_kernels import jupyter, kernel_is, session_at
from tests.support.server_process import ServerProcess
from tests.support.waiting import becomes

LAUNCH = f"exec {sys.executable} -m ipykernel_launcher -f $0"
OPTIONS = ("--RuntimedApp.kernel_start_timeout_s=8", "--KernelManager.shutdown_wait_time=0.2")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    home = tmp_path_factory.mktemp("starts")
    wait = f"while [ ! -e {home / 'go'} ]; do sleep 0.02; done"
    specs = {
        "slow": f"echo >> {home / 'launches'}; {wait}; {LAUNCH}",
        "mute": "sleep 60",
    }
    for name, script in specs.items():
        folder = home / "data" / "kernels" / name
        folder.mkdir(parents=True)
        spec = {"argv": ["sh", "-c", script, "{connection_file}"], "display_name": name, "language": name}
        (folder / "kernel.json").write_text(json.dumps(spec))
    with ServerProcess(home, arguments=OPTIONS) as process:
        yield process


class Slow:
    """Kernels that get no further than their launch, until they may."""

    def __init__(self, home: Path) -> None:
        self.go = home / "go"
        self.log = home / "launches"
        self.go.unlink(missing_ok=True)
        self.log.unlink(missing_ok=True)

    async def launched(self, times: int) -> None:
        await becomes(
            lambda: self.log.exists() and len(self.log.read_text()) >= times, f"the kernel launched {times} times"
        )


async def session_of(v: Any, slow: Slow, path: str) -> Any:
    """The session at a path, whose kernel was launched."""
    await slow.launched(1)
    return await becomes(lambda: session_at(v, path), "a session at the path")


async def test_a_kernel_that_others_restart_while_it_starts_is_waited_for(visit: Any) -> None:
    async with visit() as v:
        slow = Slow(v.server.home)
        room = await v.open(v.write(with_kernel("slow", "print('ran')", "print('too')")))
        async with v.peer(room) as peer:
            await peer.ready()
            await peer.request("run_all_cells")
            session = await session_of(v, slow, room["path"])
            for times in (1, 2):
                await jupyter(v, "POST", f"kernels/{session['kernel']['id']}/restart")
                await slow.launched(times + 1)
            slow.go.touch()
            assert [(await finished(peer, cell_id))["status"] for cell_id in ("c0", "c1")] == ["done", "done"]
            assert text_of(peer.outputs_of("c1")[0]) == "too\n"
            assert kernel_of(peer)["kernel_id"] == session["kernel"]["id"]


async def test_a_kernel_that_others_choose_while_another_one_starts_is_the_one(visit: Any) -> None:
    async with visit() as v:
        slow = Slow(v.server.home)
        room = await v.open(v.write(with_kernel("slow", "echo ran")))
        async with v.peer(room) as peer:
            await peer.ready()
            await peer.request("execute_cell", cell_id="c0")
            session = await session_of(v, slow, room["path"])
            await jupyter(v, "PATCH", f"sessions/{session['id']}", {"kernel": {"name": "bash"}})
            assert (await finished(peer, "c0"))["status"] == "done"
            assert text_of(peer.outputs_of("c0")[0]) == "ran\n" and kernel_of(peer)["name"] == "bash"
            await peer.until(lambda: peer.root()["metadata"]["kernelspec"]["name"] == "bash")


async def test_a_kernel_that_others_shut_down_while_it_starts_ends_what_waits_for_it(visit: Any) -> None:
    async with visit() as v:
        slow = Slow(v.server.home)
        room = await v.open(v.write(with_kernel("slow", "print('ran')")))
        async with v.peer(room) as peer:
            await peer.ready()
            await peer.request("execute_cell", cell_id="c0")
            session = await session_of(v, slow, room["path"])
            await jupyter(v, "DELETE", f"sessions/{session['id']}")
            ended = await finished(peer, "c0", 5)
            assert ended["status"] == "error" and ended["error"]["code"] == "kernel_died"
            assert await session_at(v, room["path"]) is None and kernel_of(peer)["kernel_id"] is None


@pytest.mark.parametrize("way_out", ["shutdown_kernel", "start_kernel"])
async def test_nobody_has_to_wait_for_a_kernel_that_others_chose_and_that_does_not_answer(
    visit: Any, way_out: str
) -> None:
    async with visit() as v, v.joined(code_cell("print('ran')", "a")) as (peer, room):
        await run(peer, "a")
        session = await session_at(v, room["path"])
        await jupyter(v, "PATCH", f"sessions/{session['id']}", {"kernel": {"name": "mute"}})
        await peer.until(lambda: kernel_of(peer)["status"] == "restarting")
        answer = await peer.request(way_out, **({"kernel_name": "python3"} if way_out == "start_kernel" else {}))
        assert answer["ok"], answer
        now = await session_at(v, room["path"])
        assert now is None if way_out == "shutdown_kernel" else now["kernel"]["name"] == "python3"
        names = [kernel["name"] for kernel in await jupyter(v, "GET", "kernels")]
        assert "mute" not in names, "it was left to itself"
        assert (await peer.request("start_kernel", kernel_name="python3"))["ok"]
        assert (await run(peer, "a"))["status"] == "done"


async def test_a_kernel_that_others_chose_can_be_restarted_before_it_answers(visit: Any) -> None:
    async with visit() as v, v.joined(code_cell("print('ran')", "a")) as (peer, room):
        await run(peer, "a")
        slow = Slow(v.server.home)
        session = await session_at(v, room["path"])
        await jupyter(v, "PATCH", f"sessions/{session['id']}", {"kernel": {"name": "slow"}})
        await peer.until(lambda: kernel_of(peer)["status"] == "restarting")
        await slow.launched(1)
        restarting = asyncio.ensure_future(peer.request("restart_kernel"))
        await slow.launched(2)
        slow.go.touch()
        assert (await restarting)["ok"]
        await kernel_is(peer, name="slow", status="idle")
        assert (await run(peer, "a"))["status"] == "done"


@pytest.mark.parametrize("is_waited_for", [False, True])
async def test_a_kernel_that_others_started_can_be_restarted_before_it_answers(visit: Any, is_waited_for: bool) -> None:
    async with visit() as v:
        slow = Slow(v.server.home)
        path = v.write(with_kernel("slow", "print('ran')"))
        room = await v.open(path)
        async with v.peer(room) as peer:
            await peer.ready()
            body = {"path": path, "name": path, "type": "notebook", "kernel": {"name": "slow"}}
            session = await jupyter(v, "POST", "sessions", body)
            await slow.launched(1)
            if is_waited_for:
                assert (await peer.request("execute_cell", cell_id="c0"))["ok"]
                await peer.until(lambda: kernel_of(peer)["status"] == "starting")
            restarting = asyncio.ensure_future(peer.request("restart_kernel"))
            await slow.launched(2)
            slow.go.touch()
            answer = await restarting
            assert answer["ok"] and answer["result"]["kernel_id"] == session["kernel"]["id"], answer
            await kernel_is(peer, status="idle", kernel_id=session["kernel"]["id"])
            assert (await (finished(peer, "c0") if is_waited_for else run(peer, "c0")))["status"] == "done"
            assert len(slow.log.read_text()) == 2, "it was launched once more than was asked for"


async def test_a_kernel_that_never_answers_is_given_up_in_the_time_there_is(visit: Any) -> None:
    async with visit() as v:
        room = await v.open(v.write(with_kernel("mute", "1", "2")))
        async with v.peer(room) as peer:
            await peer.ready()
            await peer.request("execute_cell", cell_id="c0")
            await peer.request("execute_cell", cell_id="c1")
            for cell_id in ("c0", "c1"):
                ended = await finished(peer, cell_id)
                assert ended["status"] == "error" and "did not answer within 8 seconds" in ended["error"]["message"]
            assert await session_at(v, room["path"]) is None
            assert (await peer.request("start_kernel", kernel_name="python3"))["ok"]
            assert (await run(peer, "c0"))["status"] == "done"
