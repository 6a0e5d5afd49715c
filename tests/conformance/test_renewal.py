"""The runtime document does not grow with runs: it is renewed under standing connections, and everybody follows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from jupyter_runtimed.client import Client
from tests.conformance.conftest import code_cell
from tests.conformance.test_running import finished, run, text_of
from tests.support.bare_peer import BarePeer
from tests.support.server_process import TOKEN, ServerProcess

LIMIT = 20


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    home = tmp_path_factory.mktemp("renewal")
    with ServerProcess(home, arguments=(f"--RuntimedApp.max_runtime_changes={LIMIT}",)) as process:
        yield process


def epochs(peer: BarePeer) -> list[str]:
    """The runtime epochs a peer was told of, in order."""
    return list(dict.fromkeys(status["epochs"]["runtime"] for status in peer.statuses))


async def test_peers_of_both_kinds_follow_renewals_between_runs(visit: Any) -> None:
    async with (
        visit() as v,
        v.joined(code_cell("n = 0", "a"), code_cell("n += 1; print('run', n)", "b")) as (peer, room),
        Client(v.server.url, TOKEN) as client,
        client.join(room["room_id"]) as notebook,
    ):
        await run(peer, "a")
        for number in range(1, 41):
            result = await notebook.cells["b"].run(timeout=60)
            assert result.stdout == f"run {number}\n"
        await finished(peer, "b")
        assert len(epochs(peer)) > 2 and len(peer.executions()) == 2
        assert text_of(peer.outputs_of("b")[0]) == "run 40\n" and text_of(peer.outputs_of("b")[0])
        assert len(peer.runtime.get_changes([])) <= 2 * LIMIT
        assert notebook.cells["b"].outputs[0].text == "run 40\n"
        async with v.peer(room) as late:
            await late.ready()
            assert late.outputs_of("b") == peer.outputs_of("b") and len(epochs(late)) == 1


async def test_a_cell_that_runs_on_and_on_is_followed_over_renewals(visit: Any) -> None:
    source = "import time\nfor i in range(150):\n    print(i, flush=True)\n    time.sleep(0.04)"
    async with (
        visit() as v,
        v.joined(code_cell(source, "a")) as (peer, room),
        Client(v.server.url, TOKEN) as client,
        client.join(room["room_id"]) as notebook,
    ):
        execution = await notebook.cells["a"].execute()
        told = ""
        async for output in execution.stream(timeout=60):
            told += output.new_text
        whole = "".join(f"{i}\n" for i in range(150))
        assert told == whole and (await execution).stdout == whole
        assert (await finished(peer, "a"))["status"] == "done"
        assert text_of(peer.outputs_of("a")[0]) == whole and len(epochs(peer)) > 1


async def test_a_question_and_a_widget_outlive_a_renewal(visit: Any) -> None:
    widget = (
        "from comm import create_comm\n"
        "w = create_comm('jupyter.widget', data={'state': {'_model_name': 'IntSliderModel', 'value': 3}})"
    )
    ask = "import time\nfor i in range(100):\n    print(i, flush=True)\n    time.sleep(0.04)\nprint(input('who? '))"
    async with visit() as v, v.joined(code_cell(widget, "w"), code_cell(ask, "a")) as (peer, _):
        await run(peer, "w")
        before = len(epochs(peer))
        await peer.request("execute_cell", cell_id="a")
        asked = await peer.until(lambda: peer.execution_of("a").get("input_request"), 60)
        assert len(epochs(peer)) > before
        assert [comm["state"]["value"] for comm in peer.comms().values()] == [3]
        assert (await peer.request("input_reply", request_id=asked["request_id"], value="ada"))["ok"]
        assert (await finished(peer, "a"))["status"] == "done"
        assert text_of(peer.outputs_of("a")[0]).endswith("who? ada\nada\n")
