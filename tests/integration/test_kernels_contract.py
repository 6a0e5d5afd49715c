"""The kernel adapter keeps the rules of the port."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.contracts.kernel_session import SUITE
from tests.support.kernels import KernelServer, kernel_server


class JupyterKit:
    def __init__(self, server: KernelServer) -> None:
        self.server = server
        self.session = server.adapter.session("room", "a.ipynb")

    async def _row(self) -> dict[str, Any]:
        (row,) = await self.server.sessions.list_sessions()
        found: dict[str, Any] = row
        return found

    async def others_start(self) -> None:
        await self.server.sessions.create_session(
            path="a.ipynb", name="a.ipynb", type="notebook", kernel_name="python3"
        )

    async def others_restart(self) -> None:
        await self.server.kernels.restart_kernel((await self._row())["kernel"]["id"])

    async def others_shut_down(self) -> None:
        await self.server.sessions.delete_session((await self._row())["id"])

    async def kill(self) -> None:
        kernel = self.server.kernels.get_kernel((await self._row())["kernel"]["id"])
        os.kill(kernel.provisioner.pid, signal.SIGKILL)


@pytest.mark.parametrize("rule", SUITE, ids=lambda rule: rule.__name__)
async def test_the_adapter_keeps_the_rules(rule: Any, tmp_path: Path) -> None:
    async with kernel_server(tmp_path) as server:
        await rule(JupyterKit(server))
