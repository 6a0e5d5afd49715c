"""A server whose kernels run behind a real kernel gateway: for a client nothing is different."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from typing import Any

import pytest

from tests.conformance.conftest import code_cell
from tests.conformance.test_interaction import asked
from tests.conformance.test_running import finished, run, text_of
from tests.conformance.test_shared_kernels import jupyter, session_at
from tests.support.gateway_process import TOKEN, gateway_process
from tests.support.server_process import ServerProcess

pytest.importorskip("kernel_gateway", reason="the kernel gateway is not installed")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with gateway_process(tmp_path_factory.mktemp("gateway")) as (_, url):
        arguments = (f"--GatewayClient.url={url}", f"--GatewayClient.auth_token={TOKEN}")
        with ServerProcess(tmp_path_factory.mktemp("behind"), arguments=arguments) as process:
            yield process


async def test_cells_run_are_interrupted_and_asked_behind_a_gateway(visit: Any) -> None:
    cells = [
        code_cell("x = 1\nprint('on', flush=True)\nx", "a"),
        code_cell("import time\nprint('go', flush=True)\ntime.sleep(60)", "s"),
        code_cell("print('queued')", "q"),
        code_cell("print(input('who? '))", "i"),
        code_cell("print(x)", "x"),
    ]
    async with visit() as v, v.joined(*cells) as (peer, room), v.peer(room) as other:
        await other.ready()
        assert (await run(peer, "a"))["status"] == "done"
        assert [o["output_type"] for o in peer.outputs_of("a")] == ["stream", "execute_result"]
        await peer.request("execute_cell", cell_id="s")
        await peer.request("execute_cell", cell_id="q")
        await other.until(lambda: other.outputs_of("s"), 30)
        assert (await other.request("interrupt_kernel"))["ok"]
        assert (await finished(peer, "s"))["status"] == "error"
        assert peer.outputs_of("s")[-1]["ename"] == "KeyboardInterrupt"
        assert (await finished(peer, "q"))["status"] == "cancelled"
        await peer.request("execute_cell", cell_id="i")
        question = await asked(other, "i")
        assert (await other.request("input_reply", request_id=question["request_id"], value="ada"))["ok"]
        assert (await finished(peer, "i"))["status"] == "done"
        assert text_of(peer.outputs_of("i")[0]) == "who? ada\nada\n"
        assert "x" in (await peer.request("complete", code="x", cursor_pos=1))["result"]["matches"]


async def test_restart_shutdown_and_death_behind_a_gateway_end_what_runs(visit: Any) -> None:
    cells = [
        code_cell("import os, time\nx = 1\nprint(os.getpid(), flush=True)\ntime.sleep(60)", "s"),
        code_cell("print('queued')", "q"),
        code_cell("print('x' in globals())", "x"),
    ]
    async with visit() as v, v.joined(*cells) as (peer, _):
        for how in ("restart_kernel", "shutdown_kernel", "kill"):
            await peer.request("execute_cell", cell_id="s")
            await peer.request("execute_cell", cell_id="q")
            await peer.until(lambda: peer.execution_of("s").get("status") == "running" and peer.outputs_of("s"), 60)
            if how == "kill":
                os.kill(int(text_of(peer.outputs_of("s")[0])), signal.SIGKILL)
            else:
                assert (await peer.request(how))["ok"]
            ended = await finished(peer, "s")
            assert ended["status"] == "error" and ended["error"]["code"] == "kernel_died"
            assert (await finished(peer, "q"))["status"] == "cancelled"
            assert (await run(peer, "x"))["status"] == "done" and text_of(peer.outputs_of("x")[0]) == "False\n"


async def test_what_others_do_to_a_kernel_behind_a_gateway_ends_what_runs(visit: Any) -> None:
    cells = [
        code_cell("import time\nprint('go', flush=True)\ntime.sleep(60)", "s"),
        code_cell("print('queued')", "q"),
        code_cell("echo ran", "sh"),
        code_cell("print('ran')", "py"),
    ]
    async with visit() as v, v.joined(*cells) as (peer, room):
        for how, after in (("restart", "py"), ("shutdown", "py"), ("other kernel", "sh")):
            await peer.request("execute_cell", cell_id="s")
            await peer.request("execute_cell", cell_id="q")
            await peer.until(lambda: peer.execution_of("s").get("status") == "running" and peer.outputs_of("s"), 60)
            session = await session_at(v, room["path"])
            if how == "restart":
                await jupyter(v, "POST", f"kernels/{session['kernel']['id']}/restart")
            elif how == "shutdown":
                await jupyter(v, "DELETE", f"sessions/{session['id']}")
            else:
                await jupyter(v, "PATCH", f"sessions/{session['id']}", {"kernel": {"name": "bash"}})
            ended = await finished(peer, "s", 10)
            assert ended["status"] == "error" and ended["error"]["code"] == "kernel_died", how
            assert (await finished(peer, "q", 10))["status"] == "cancelled", how
            assert (await run(peer, after))["status"] == "done", how
            assert text_of(peer.outputs_of(after)[0]) == "ran\n", how
        await peer.until(lambda: peer.root()["metadata"]["kernelspec"]["name"] == "bash")
