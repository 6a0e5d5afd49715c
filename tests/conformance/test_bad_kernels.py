"""Kernels that do not start, start slowly, speak badly or die, and a disk that is full: a real server and processes."""

from __future__ import annotations

import asyncio
import json
import resource
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest

from tests.conformance.conftest import code_cell, notebook
from tests.conformance.test_running import finished, run, text_of
from tests.support import bad_kernel
from tests.support.bare_peer import BarePeer, to_python
from tests.support.server_process import ServerProcess

MAX_OUTPUTS = 300
LAUNCH = f"exec {sys.executable} -m ipykernel_launcher -f $0"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    home = tmp_path_factory.mktemp("bad-kernels")
    launches = home / "launches"
    specs = {
        "dies": ["sh", "-c", f"echo >> {launches}; exit 3", "{connection_file}"],
        "slow": ["sh", "-c", f"while [ ! -e {home / 'go'} ]; do sleep 0.05; done; {LAUNCH}", "{connection_file}"],
        "noisy": ["sh", "-c", f"head -c 3000000 /dev/zero | tr '\\0' x >&2; {LAUNCH}", "{connection_file}"],
        "bad": [sys.executable, bad_kernel.__file__, "{connection_file}"],
    }
    for name, argv in specs.items():
        folder = home / "data" / "kernels" / name
        folder.mkdir(parents=True)
        spec = {"argv": argv, "display_name": name, "language": name}
        (folder / "kernel.json").write_text(json.dumps(spec))
    arguments = ("--RuntimedApp.kernel_cooldown_s=600", f"--RuntimedApp.max_outputs={MAX_OUTPUTS}")
    with ServerProcess(home, arguments=arguments) as process:
        yield process


def with_kernel(name: str, *sources: str) -> dict[str, Any]:
    """A notebook of cells c0, c1, … that asks for a kernel."""
    cells = [code_cell(source, f"c{index}") for index, source in enumerate(sources)]
    return notebook(*cells, kernelspec={"name": name, "display_name": name, "language": name})


def kernel_of(peer: BarePeer) -> dict[str, Any]:
    kernel: dict[str, Any] = to_python(peer.runtime)["kernel"]
    return kernel


async def test_a_kernel_that_dies_at_its_start_is_launched_once_for_all_who_wait(visit: Any) -> None:
    async with visit() as v:
        launches: Path = v.server.home / "launches"
        room = await v.open(v.write(with_kernel("dies", "1", "2")))
        async with v.peer(room) as peer, v.peer(room) as other:
            await peer.ready()
            await other.ready()
            answers = await asyncio.gather(
                peer.request("execute_cell", cell_id="c0"), other.request("execute_cell", cell_id="c1")
            )
            assert all(answer["ok"] for answer in answers)
            for cell_id in ("c0", "c1"):
                ended = await finished(peer, cell_id)
                assert ended["status"] == "error" and ended["error"]["code"] == "kernel_died"
                assert "dies ended before it answered" in ended["error"]["message"]
            assert kernel_of(peer)["status"] == "error" and kernel_of(peer)["error"]["code"] == "kernel_died"
            assert launches.read_text() == "\n"
            assert (await run(peer, "c0"))["status"] == "error"
            assert launches.read_text() == "\n", "it has failed a moment ago"
            started = await peer.request("start_kernel")
            assert started["error"]["code"] == "kernel_died" and launches.read_text() == "\n\n", "somebody insisted"
            answer = await peer.request("start_kernel", kernel_name="python3")
            assert answer["ok"] and (await run(peer, "c0"))["status"] == "done"


async def test_what_is_asked_for_while_a_kernel_starts_waits_for_it(visit: Any) -> None:
    async with visit() as v:
        go: Path = v.server.home / "go"
        room = await v.open(v.write(with_kernel("slow", "x = 1", "print(x)", "print('after')")))
        async with v.peer(room) as peer:
            await peer.ready()
            for cell_id in ("c0", "c1"):
                assert (await peer.request("execute_cell", cell_id=cell_id))["ok"]
            await peer.until(lambda: kernel_of(peer)["status"] == "starting")
            async with v.peer(room) as late:
                await late.ready()
                assert [late.execution_of(cell_id)["status"] for cell_id in ("c0", "c1")] == ["queued", "queued"]
            assert (await peer.request("interrupt_kernel"))["ok"]
            for cell_id in ("c0", "c1"):
                assert (await finished(peer, cell_id))["status"] == "cancelled"
            for cell_id in ("c0", "c1", "c2"):
                assert (await peer.request("execute_cell", cell_id=cell_id))["ok"]
            go.touch()
            assert [(await finished(peer, f"c{index}"))["status"] for index in range(3)] == ["done"] * 3
            assert text_of(peer.outputs_of("c1")[0]) == "1\n" and kernel_of(peer)["name"] == "slow"


async def test_shutting_down_a_kernel_that_starts_ends_what_waits_for_it(visit: Any) -> None:
    async with visit() as v:
        (v.server.home / "go").unlink(missing_ok=True)
        room = await v.open(v.write(with_kernel("slow", "1")))
        async with v.peer(room) as peer:
            await peer.ready()
            await peer.request("execute_cell", cell_id="c0")
            await peer.until(lambda: kernel_of(peer)["status"] == "starting")
            assert (await peer.request("shutdown_kernel"))["ok"]
            assert (await finished(peer, "c0"))["status"] == "cancelled"
            await peer.until(lambda: kernel_of(peer)["status"] == "not_started")


async def test_a_kernel_that_floods_the_servers_stderr_runs(visit: Any) -> None:
    async with visit() as v:
        room = await v.open(v.write(with_kernel("noisy", "print(1)")))
        async with v.peer(room) as peer:
            await peer.ready()
            assert (await run(peer, "c0"))["status"] == "done"


async def test_malformed_messages_are_skipped_and_odd_ones_shown_as_far_as_they_go(visit: Any) -> None:
    async with visit() as v:
        room = await v.open(v.write(with_kernel("bad", "garbage", "odd outputs", "fine")))
        async with v.peer(room) as peer, v.peer(room) as other:
            await peer.ready()
            await other.ready()
            assert (await run(peer, "c0"))["status"] == "done"
            assert [text_of(output) for output in peer.outputs_of("c0")] == ["\ufffd\ufffd bytes\ngarbage\n"]
            assert (await run(peer, "c1"))["status"] == "done"
            kinds = [output["output_type"] for output in peer.outputs_of("c1")]
            assert kinds and kinds[-1] == "stream" and text_of(peer.outputs_of("c1")[-1]) == "odd outputs\n"
            assert (await run(peer, "c2"))["status"] == "done"
            await other.until(lambda: other.outputs_of("c2") == peer.outputs_of("c2"))
            saved = await peer.request("save_notebook")
            assert saved["ok"], saved
            content = v.read(room["path"])
            nbformat.validate(content)
            assert len(content["cells"][1]["outputs"]) == len(kinds)
            assert to_python(peer.runtime)["comms"]["w"]["state"] == {"kept": 1}


async def test_a_kernel_that_says_half_of_an_end_does_not_hold_the_queue_up(visit: Any) -> None:
    async with visit() as v:
        room = await v.open(v.write(with_kernel("bad", "no idle", "no reply", "odd reply", "fine")))
        async with v.peer(room) as peer:
            await peer.ready()
            ids = [f"c{index}" for index in range(4)]
            for cell_id in ids:
                await peer.request("execute_cell", cell_id=cell_id)
            ends = [await finished(peer, cell_id) for cell_id in ids]
            assert [end["status"] for end in ends] == ["done", "error", "cancelled", "done"]
            assert ends[1]["error"]["message"]
            assert text_of(peer.outputs_of("c0")[0]) == "no idle\n"


async def test_a_kernel_that_says_nothing_is_ended_by_a_restart(visit: Any) -> None:
    async with visit() as v:
        room = await v.open(v.write(with_kernel("bad", "strangers", "fine")))
        async with v.peer(room) as peer:
            await peer.ready()
            await peer.request("execute_cell", cell_id="c0")
            await peer.request("execute_cell", cell_id="c1")
            await peer.until(lambda: peer.execution_of("c0").get("status") == "running")
            assert (await peer.request("is_complete", code="1"))["error"]["code"] == "kernel_busy"
            assert peer.execution_of("c0")["status"] == "running" and not peer.outputs_of("c0")
            assert (await peer.request("restart_kernel"))["ok"]
            ended = await finished(peer, "c0")
            assert ended["status"] == "error" and ended["error"]["code"] == "kernel_died"
            assert (await finished(peer, "c1"))["status"] == "cancelled"
            assert (await run(peer, "c1"))["status"] == "done"


async def test_above_the_limit_of_outputs_a_note_stands_and_an_error_is_shown_all_the_same(visit: Any) -> None:
    flood = "for i in range(2000): display(i)\ndone = True\n1/0"
    async with visit() as v, v.joined(code_cell(flood, "a"), code_cell("print(done)", "b")) as (peer, room):
        assert (await run(peer, "a"))["status"] == "error"
        *shown, note, error = peer.outputs_of("a")
        assert [output["data"]["text/plain"] for output in shown] == [str(i) for i in range(MAX_OUTPUTS)]
        assert f"{MAX_OUTPUTS} outputs is reached" in text_of(note) and error["ename"] == "ZeroDivisionError"
        assert (await run(peer, "b"))["status"] == "done" and text_of(peer.outputs_of("b")[0]) == "True\n"
        assert (await peer.request("save_notebook"))["ok"]
        assert len(v.read(room["path"])["cells"][0]["outputs"]) == MAX_OUTPUTS + 2


async def test_a_disk_that_is_full_is_an_error_of_the_cell_and_the_server_lives(visit: Any) -> None:
    image = (
        "import os\nfrom IPython.display import Image, display\nprint('before', flush=True)\n"
        "display(Image(data=b'\\x89PNG\\r\\n\\x1a\\n' + os.urandom(3_000_000), format='png'))\nprint('after')"
    )
    async with visit() as v:
        room = await v.open(v.write(notebook(code_cell(image, "a"), code_cell("print('x' * 500_000)", "b"))))
        async with v.peer(room) as peer, v.peer(room) as other:
            await peer.ready()
            await other.ready()
            await run(peer, "b")
            pid = v.server.process.pid
            unlimited = resource.prlimit(pid, resource.RLIMIT_FSIZE)
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (2_000_000, unlimited[1]))  # as a quota would
            try:
                ended = await run(peer, "a")
                assert ended["status"] == "error" and ended["error"]["code"] == "out_of_space", ended
                assert "full" in ended["error"]["message"]
                assert (await run(peer, "b"))["status"] == "done", "the kernel goes on, and what fits is shown"
            finally:
                resource.prlimit(pid, resource.RLIMIT_FSIZE, unlimited)
            streams = "".join(text_of(o) for o in peer.outputs_of("a") if o["output_type"] == "stream")
            assert streams.startswith("before\n") and streams.endswith("after\n")
            assert any("full" in str(output.get("data")) for output in peer.outputs_of("a")), "a note in its place"
            assert (await run(other, "a"))["status"] == "done"
            assert (await peer.request("save_notebook"))["ok"]
