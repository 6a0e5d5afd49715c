"""Kernel and session managers may be anybody's: whatever they raise is an error somebody is told, and no more."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from jupyter_core.utils import ensure_async
from jupyter_server.services.kernels.kernelmanager import AsyncMappingKernelManager

from jupyter_runtimed.core.errors import Internal, KernelDied, NoKernel
from tests.integration.conftest import soon
from tests.support.kernel_room import kernel_room
from tests.support.kernels import KernelServer, Listener, kernel_server, text_of
from tests.support.waiting import becomes


class CloudTrouble(Exception):
    """What no library of Jupyter's raises."""


class CloudKernelManager(AsyncMappingKernelManager):
    """Kernels as on machines of somebody else, who does not always answer."""

    fails: frozenset[str] = frozenset()

    def _may(self, what: str) -> None:
        if what in self.fails:
            raise CloudTrouble(f"no {what}\n today")

    async def interrupt_kernel(self, kernel_id: str, **options: Any) -> Any:
        self._may("interrupt")
        return await ensure_async(super().interrupt_kernel(kernel_id, **options))

    async def restart_kernel(self, kernel_id: str, **options: Any) -> Any:
        self._may("restart")
        return await super().restart_kernel(kernel_id, **options)

    async def shutdown_kernel(self, kernel_id: str, **options: Any) -> Any:
        self._may("shutdown")
        return await super().shutdown_kernel(kernel_id, **options)

    async def start_kernel(self, **options: Any) -> Any:
        self._may("start")
        return await super().start_kernel(**options)


class Cloud(KernelServer):
    """The managers, and what they refuse to do."""

    def __init__(self, root: Path) -> None:
        super().__init__(root, CloudKernelManager)

    def refuse(self, *what: str) -> None:
        self.kernels.fails = frozenset(what)


@asynccontextmanager
async def cloud(root: Path) -> AsyncIterator[Cloud]:
    server = Cloud(root)
    try:
        yield server
    finally:
        server.refuse()
        await server.stop()


async def test_what_cannot_be_done_says_why(tmp_path: Path) -> None:
    async with cloud(tmp_path) as server:
        session = server.adapter.session("room", "a.ipynb")
        server.refuse("start")
        with pytest.raises(NoKernel, match=r"python3 could not be started: no start today"):
            await session.start("python3")
        server.refuse()
        kernel = await session.start("python3")
        server.refuse("interrupt")
        with pytest.raises(Internal, match="could not be interrupted: no interrupt today"):
            await session.interrupt()
        assert text_of(await Listener(session).run("print(1)")) == "1\n"
        server.refuse("restart")
        with pytest.raises(KernelDied, match="could not be restarted: no restart today"):
            await session.restart()
        assert session.kernel is None and kernel.kernel_id not in server.kernels
        server.refuse()
        assert (await session.start("python3")).kernel_id != kernel.kernel_id


async def test_a_kernel_that_cannot_be_shut_down_is_still_there(tmp_path: Path) -> None:
    async with cloud(tmp_path) as server:
        session = server.adapter.session("room", "a.ipynb")
        listener = Listener(session)
        kernel = await session.start("python3")
        await listener.notice("ready")
        server.refuse("shutdown")
        with pytest.raises(Internal, match=r"could not be shut down and is still there: no shutdown today\. Try"):
            await session.shutdown()
        assert session.kernel is None and kernel.kernel_id in server.kernels
        found = await listener.notice("ready")
        assert found.kernel is not None and found.kernel.kernel_id == kernel.kernel_id
        assert text_of(await listener.run("print(1)")) == "1\n"
        server.refuse()
        await session.shutdown()
        assert kernel.kernel_id not in server.kernels


async def test_a_room_says_that_its_kernel_could_not_be_shut_down_and_goes_on_with_it(tmp_path: Path) -> None:
    async with kernel_room(tmp_path, kernel_manager=CloudKernelManager) as room:
        await room.run("x = 1")
        kernel_id = room.runtime.kernel["kernel_id"]
        room.server.kernels.fails = frozenset({"shutdown"})
        running = await room.begin("import time\nprint('runs', flush=True)\ntime.sleep(0.5)")
        await room.until(lambda: "runs" in room.text(running))
        with pytest.raises(Internal) as refused:
            await room.executor.shutdown()
        assert refused.value.to_json() == {
            "code": "internal",
            "message": "the kernel could not be shut down and is still there: no shutdown today. Try it again",
        }
        assert room.runtime.kernel["kernel_id"] == kernel_id and room.runtime.kernel["status"] in ("idle", "busy")
        assert (await room.executor.wait(running, 2))["status"] == "error"
        assert room.text(await room.run("print(x)", "b")) == "1\n" and room.runtime.kernel["kernel_id"] == kernel_id
        room.server.kernels.fails = frozenset()
        assert (await room.executor.shutdown())["status"] == "not_started" and kernel_id not in room.server.kernels


async def test_a_kernel_that_cannot_be_shut_down_is_not_replaced_by_another(tmp_path: Path) -> None:
    async with cloud(tmp_path) as server:
        other = tmp_path / "specs" / "other"
        other.mkdir(parents=True)
        spec = {"argv": [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]}
        (other / "kernel.json").write_text(json.dumps({**spec, "display_name": "Other", "language": "python"}))
        server.specs.kernel_dirs.insert(0, str(other.parent))
        session = server.adapter.session("room", "a.ipynb")
        listener = Listener(session)
        kernel = await session.start("python3")
        await listener.notice("ready")
        server.refuse("shutdown")
        with pytest.raises(Internal, match="could not be shut down"):
            await session.start("other")
        found = await listener.notice("ready")
        assert found.kernel is not None and found.kernel.kernel_id == kernel.kernel_id
        assert len(await server.sessions.list_sessions()) == 1
        server.refuse()
        assert (await session.start("other")).name == "other" and kernel.kernel_id not in server.kernels


async def test_a_kernel_that_others_are_restarting_is_shut_down(tmp_path: Path) -> None:
    async with kernel_server(tmp_path) as server:
        session = server.adapter.session("room", "a.ipynb")
        kernel = await session.start("python3")
        manager = server.kernels.get_kernel(kernel.kernel_id)
        restarting = asyncio.ensure_future(server.kernels.restart_kernel(kernel.kernel_id))
        await becomes(lambda: not manager.ready.done(), "the restart")
        await session.shutdown()
        await asyncio.wait({restarting})
        assert kernel.kernel_id not in server.kernels and not await manager.is_alive()
        assert await server.sessions.list_sessions() == []
        await session.start("python3")
        assert text_of(await Listener(session).run("print(1)")) == "1\n"


async def test_sessions_that_cannot_be_listed_for_a_while_are_looked_at_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with kernel_server(tmp_path) as server:
        session = server.adapter.session("room", "a.ipynb")
        await session.start("python3")
        asked = []

        async def fail() -> Any:
            asked.append(True)
            raise CloudTrouble("the database is locked")

        with monkeypatch.context() as patch:
            patch.setattr(server.sessions, "list_sessions", fail)
            assert await soon(lambda: len(asked) > 1)
            with pytest.raises(Internal, match="the database is locked"):
                await server.adapter.session("other", "b.ipynb").start("python3")
        (row,) = await server.sessions.list_sessions()
        await server.sessions.delete_session(row["id"])
        assert (await Listener(session).notice("gone", 5)).status == "not_started"
