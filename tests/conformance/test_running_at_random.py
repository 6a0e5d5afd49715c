"""Two people and the world do anything at any time; afterwards everything has ended, and all see the same."""

from __future__ import annotations

import asyncio
import contextlib
import random
from typing import Any

import aiohttp
import psutil
import pytest

from tests.conformance.conftest import Visitor, code_cell
from tests.conformance.test_running import ENDED, run, text_of
from tests.support.bare_peer import BarePeer, to_python

SOURCES = (
    "print('x')\n1",
    "import time\nfor i in range(20):\n    print(i, flush=True)\n    time.sleep(0.05)",
    "1/0",
    "import time\ntime.sleep(30)",
    "for i in range(300): display(i)",
    "print('y' * 200_000)",
    "import os\nos.kill(os.getpid(), 9)",
    "input('? ')",
    "from IPython.display import clear_output\nfor i in range(50):\n    clear_output(wait=True)\n    print(i)",
)
STEPS = 40
MAY_BE_SAID = {"no_kernel", "kernel_died", "kernel_busy", "already_answered", "no_such_cell"}


class Crowd:
    """Does something at random, and keeps the executions that were accepted."""

    def __init__(self, visitor: Visitor, path: str, peers: list[BarePeer], rng: random.Random) -> None:
        self.visitor = visitor
        self.path = path
        self.peers = peers
        self.rng = rng
        self.accepted: list[str] = []
        self.done: list[str] = []
        self._asking: list[asyncio.Future[None]] = []

    async def step(self) -> None:
        actions = {
            self.execute: 12, self.run_some: 4, self.interrupt: 6, self.restart: 3, self.shut_down: 2, self.start: 2,
            self.clear: 3, self.answer: 4, self.ask: 3, self.delete: 1, self.kill: 2, self.others_restart: 2,
            self.others_start: 2, self.others_choose: 1, self.others_shut_down: 1, self.pause: 8,
        }  # fmt: skip
        (action,) = self.rng.choices(list(actions), list(actions.values()))
        self.done.append(action.__name__)
        await action(self.rng.choice(self.peers))
        await asyncio.sleep(self.rng.random() * 0.05)

    async def all_answered(self) -> None:
        await asyncio.wait_for(asyncio.gather(*self._asking), 90)

    # ---- by request ----

    def _request(self, peer: BarePeer, action: str, **fields: Any) -> None:
        async def ask() -> None:
            answer = await peer.request(action, deadline_s=80, **fields)
            assert answer["ok"] or answer["error"]["code"] in MAY_BE_SAID, (action, answer)
            result = answer.get("result", {})
            queued = result.get("queued", [result] if action == "execute_cell" and answer["ok"] else [])
            self.accepted += [entry["execution_id"] for entry in queued]

        self._asking.append(asyncio.ensure_future(ask()))

    def _ids(self, peer: BarePeer) -> list[str]:
        return [cell["id"] for cell in peer.cells()]

    async def execute(self, peer: BarePeer) -> None:
        self._request(peer, "execute_cell", cell_id=self.rng.choice(self._ids(peer)))

    async def run_some(self, peer: BarePeer) -> None:
        self._request(peer, "run_all_cells", cell_ids=self.rng.sample(self._ids(peer), 3))

    async def interrupt(self, peer: BarePeer) -> None:
        self._request(peer, "interrupt_kernel")

    async def restart(self, peer: BarePeer) -> None:
        self._request(peer, "restart_kernel")

    async def shut_down(self, peer: BarePeer) -> None:
        self._request(peer, "shutdown_kernel")

    async def start(self, peer: BarePeer) -> None:
        self._request(peer, "start_kernel", kernel_name=self.rng.choice(["python3", "bash"]))

    async def clear(self, peer: BarePeer) -> None:
        self._request(peer, "clear_outputs")

    async def ask(self, peer: BarePeer) -> None:
        self._request(peer, "complete", code="pri", cursor_pos=3)

    async def answer(self, peer: BarePeer) -> None:
        for execution in peer.executions().values():
            if execution.get("input_request"):
                self._request(peer, "input_reply", request_id=execution["input_request"]["request_id"], value="v")

    # ---- by other ways ----

    async def delete(self, peer: BarePeer) -> None:
        if len(self._ids(peer)) > 6:
            peer.delete_cell(self.rng.choice(self._ids(peer)))
            await peer.flush()

    async def pause(self, _: BarePeer) -> None:
        await asyncio.sleep(self.rng.random() * 0.8)

    async def kill(self, peer: BarePeer) -> None:
        kernel_id = to_python(peer.runtime)["kernel"].get("kernel_id")
        assert self.visitor.server.process is not None
        for child in psutil.Process(self.visitor.server.process.pid).children(recursive=True):
            with contextlib.suppress(psutil.Error):
                if kernel_id and any(kernel_id in part for part in child.cmdline()):
                    child.kill()

    async def _jupyter(self, method: str, route: str, body: Any = None) -> Any:
        """A call of Jupyter's own API, which may find that what it is about is gone."""
        address = f"{self.visitor.server.url}api/{route}"
        with contextlib.suppress(aiohttp.ClientError):
            async with self.visitor.session.request(method, address, json=body) as answer:
                return await answer.json() if answer.content_type == "application/json" else None

    async def _session(self) -> dict[str, Any] | None:
        sessions = await self._jupyter("GET", "sessions")
        return next((session for session in sessions if session["path"] == self.path), None)

    async def others_start(self, _: BarePeer) -> None:
        """What JupyterLab does when it opens a notebook."""
        if await self._session() is None:
            body = {"path": self.path, "name": self.path, "type": "notebook", "kernel": {"name": "python3"}}
            self._asking.append(asyncio.ensure_future(self._jupyter("POST", "sessions", body)))

    async def others_restart(self, _: BarePeer) -> None:
        session = await self._session()
        if session is not None:
            route = f"kernels/{session['kernel']['id']}/restart"
            self._asking.append(asyncio.ensure_future(self._jupyter("POST", route)))

    async def others_choose(self, _: BarePeer) -> None:
        session, name = await self._session(), self.rng.choice(["python3", "bash"])
        if session is not None:
            await self._jupyter("PATCH", f"sessions/{session['id']}", {"kernel": {"name": name}})

    async def others_shut_down(self, _: BarePeer) -> None:
        session = await self._session()
        if session is not None:
            await self._jupyter("DELETE", f"sessions/{session['id']}")


@pytest.mark.parametrize("seed", [1, 2])
async def test_whatever_is_done_everything_ends_and_all_see_the_same(visit: Any, seed: int) -> None:
    cells = [code_cell(source, f"c{index}") for index, source in enumerate(SOURCES)]
    async with visit() as v, v.joined(*cells) as (alice, room), v.peer(room) as bob:
        await bob.ready()
        crowd = Crowd(v, room["path"], [alice, bob], random.Random(seed))
        for _ in range(STEPS):
            await crowd.step()
        await crowd.all_answered()
        assert (await alice.request("shutdown_kernel"))["ok"]
        for execution_id in crowd.accepted:
            ended = await alice.request("wait_for_execution", execution_id=execution_id, timeout=2)
            assert ended["ok"] and ended["result"]["status"] in ENDED, (ended, crowd.done)

        assert (await alice.request("start_kernel", kernel_name="python3"))["ok"], crowd.done
        alice.add_cell("fresh", "print('fresh')", "zz")
        await alice.flush()
        assert (await run(alice, "fresh"))["status"] == "done", crowd.done
        assert text_of(alice.outputs_of("fresh")[0]) == "fresh\n"
        async with v.peer(room) as late:
            await late.ready()
            for peer in (bob, late):
                await peer.until(lambda peer=peer: to_python(peer.runtime) == to_python(alice.runtime))
                await peer.until(lambda peer=peer: peer.heads() == alice.heads())
        executions = alice.executions()
        assert all(e["status"] in ENDED and e.get("input_request") is None for e in executions.values())
        assert {cell["execution_id"] for cell in alice.cells()} - {None} <= set(executions)
        assert (await alice.request("save_notebook"))["ok"]
        saved = {cell["id"]: len(cell["outputs"]) for cell in v.read(room["path"])["cells"]}
        assert saved == {cell["id"]: len(alice.outputs_of(cell["id"])) for cell in alice.cells()}
