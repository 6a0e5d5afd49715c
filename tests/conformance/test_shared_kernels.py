"""A notebook has one kernel, whoever looks: rooms, JupyterLab and Jupyter's own REST API share it."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from tests.conformance.conftest import code_cell
from tests.conformance.test_running import finished, run, text_of
from tests.support.bare_peer import BarePeer, to_python

SLEEP = "import time\nprint('go', flush=True)\ntime.sleep(60)"


async def jupyter(v: Any, method: str, path: str, body: Any = None) -> Any:
    """A call of Jupyter's REST API."""
    async with v.session.request(method, f"{v.server.url}api/{path}", json=body) as answer:
        assert answer.status < 300, (answer.status, await answer.text())
        return await answer.json() if answer.content_type == "application/json" else None


async def session_at(v: Any, path: str) -> Any:
    """The one session at a path, or None."""
    found = [session for session in await jupyter(v, "GET", "sessions") if session["path"] == path]
    assert len(found) < 2
    return found[0] if found else None


async def kernel_is(peer: BarePeer, **fields: Any) -> None:
    def shown() -> bool:
        kernel = to_python(peer.runtime).get("kernel", {})
        return all(kernel.get(key) == value for key, value in fields.items())

    await peer.until(shown, 30, f"kernel {fields}")


async def test_the_rooms_kernel_is_the_session_at_its_path(visit: Any) -> None:
    async with visit() as v, v.joined(code_cell("x = 1", "a")) as (peer, room):
        assert await session_at(v, room["path"]) is None
        await run(peer, "a")
        session = await session_at(v, room["path"])
        assert session["type"] == "notebook" and session["kernel"]["name"] == "python3"
        await kernel_is(peer, kernel_id=session["kernel"]["id"], name="python3", language="python")
        answer = await peer.request("shutdown_kernel")
        assert answer["ok"] and await session_at(v, room["path"]) is None


async def test_a_kernel_that_was_there_first_is_the_rooms(visit: Any) -> None:
    async with visit() as v, v.joined(code_cell("print('ran')", "a")) as (peer, room):
        name = room["path"]
        session = await jupyter(v, "POST", "sessions", {"path": name, "name": name, "type": "notebook", "kernel": {"name": "python3"}})  # fmt: skip
        await kernel_is(peer, kernel_id=session["kernel"]["id"])
        await run(peer, "a")
        assert text_of(peer.outputs_of("a")[0]) == "ran\n"
        assert (await session_at(v, name))["kernel"]["id"] == session["kernel"]["id"]


@pytest.mark.parametrize("how", ["restart", "other kernel", "shutdown"])
async def test_what_others_do_to_the_kernel_ends_what_ran_on_it(visit: Any, how: str) -> None:
    async with visit() as v, v.joined(code_cell(SLEEP, "a"), code_cell("print('queued')", "b")) as (peer, room):
        await peer.request("execute_cell", cell_id="a")
        await peer.request("execute_cell", cell_id="b")
        await peer.until(lambda: peer.outputs_of("a"), 60)
        session = await session_at(v, room["path"])
        if how == "restart":
            doing = jupyter(v, "POST", f"kernels/{session['kernel']['id']}/restart")
        elif how == "other kernel":
            doing = jupyter(v, "PATCH", f"sessions/{session['id']}", {"kernel": {"name": "bash"}})
        else:
            doing = jupyter(v, "DELETE", f"sessions/{session['id']}")
        start = time.monotonic()
        call = asyncio.ensure_future(doing)
        first = await finished(peer, "a", 15)
        assert first["status"] == "error" and first["error"]["code"] == "kernel_died"
        assert (await finished(peer, "b", 15))["status"] == "cancelled"
        assert time.monotonic() - start < 10
        await call
        if how == "other kernel":
            await kernel_is(peer, name="bash", status="idle")
        elif how == "restart":
            await kernel_is(peer, status="idle", kernel_id=session["kernel"]["id"])
        else:
            await kernel_is(peer, status="not_started", kernel_id=None)
        assert (await run(peer, "b"))["status"] in ("done", "error")


@pytest.mark.parametrize("how", ["restart", "other kernel", "shutdown"])
async def test_what_is_asked_right_after_others_changed_the_kernel_runs(visit: Any, how: str) -> None:
    async with visit() as v, v.joined(code_cell("print('ran')", "a")) as (peer, room):
        await run(peer, "a")
        for _ in range(5):
            session = await session_at(v, room["path"])
            if how == "restart":
                await jupyter(v, "POST", f"kernels/{session['kernel']['id']}/restart")
            elif how == "other kernel":
                await jupyter(v, "PATCH", f"sessions/{session['id']}", {"kernel": {"name": "python3"}})
            else:
                await jupyter(v, "DELETE", f"sessions/{session['id']}")
            await run(peer, "a")
            assert text_of(peer.outputs_of("a")[0]) == "ran\n"


async def test_the_notebook_names_the_kernel_that_others_chose_for_it(visit: Any) -> None:
    async with visit() as v, v.joined(code_cell("print(1)", "a")) as (peer, room), v.peer(room) as other:
        await other.ready()
        before = peer.root()["metadata"]
        await run(peer, "a")
        for name, language in (("bash", "bash"), ("python3", "python")):
            session = await session_at(v, room["path"])
            await jupyter(v, "PATCH", f"sessions/{session['id']}", {"kernel": {"name": name}})
            await kernel_is(other, name=name, status="idle")
            await other.until(lambda name=name: other.root()["metadata"]["kernelspec"]["name"] == name)
            named = other.root()["metadata"]
            assert named["kernelspec"]["language"] == named["language_info"]["name"] == language
            assert (await peer.request("save_notebook"))["ok"]
            assert v.read(room["path"])["metadata"] == named
        assert named["kernelspec"]["name"] == before["kernelspec"]["name"]


async def test_the_session_follows_a_rename(visit: Any) -> None:
    async with visit() as v, v.joined(code_cell("x = 41", "a"), code_cell("print(x + 1)", "b")) as (peer, room):
        await run(peer, "a")
        kernel_id = (await session_at(v, room["path"]))["kernel"]["id"]
        new = "renamed-" + room["path"]
        await jupyter(v, "PATCH", f"contents/{room['path']}", {"path": new})
        for _ in range(200):
            session = await session_at(v, new)
            if session is not None:
                break
            await asyncio.sleep(0.05)
        assert session["kernel"]["id"] == kernel_id and await session_at(v, room["path"]) is None
        await run(peer, "b")
        assert text_of(peer.outputs_of("b")[0]) == "42\n"


async def test_an_untitled_rooms_kernel_goes_with_it_to_its_file(visit: Any) -> None:
    async with visit() as v:
        _, _, room = await v.call("POST", "/rooms", json={"untitled": True})
        async with v.peer(room) as peer:
            await peer.ready()
            peer.add_cell("a", "x = 41", "m")
            await peer.flush()
            await run(peer, "a")
            answer = await peer.request("save_notebook", path="saved-with-kernel.ipynb")
            assert answer["ok"], answer
            for _ in range(200):
                session = await session_at(v, "saved-with-kernel.ipynb")
                if session is not None:
                    break
                await asyncio.sleep(0.05)
            assert session is not None
            peer.add_cell("b", "print(x + 1)", "n")
            await peer.flush()
            await run(peer, "b")
            assert text_of(peer.outputs_of("b")[0]) == "42\n"
