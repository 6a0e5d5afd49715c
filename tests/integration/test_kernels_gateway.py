"""Kernels behind a real `jupyter kernelgateway` process, with a token."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from jupyter_server.gateway.gateway_client import GatewayClient
from jupyter_server.gateway.managers import (
    GatewayKernelSpecManager,
    GatewayMappingKernelManager,
    GatewaySessionManager,
)

from jupyter_runtimed.adapters.kernels_gateway import GatewayChannels
from jupyter_runtimed.core.errors import NoKernel
from jupyter_runtimed.core.messages import KernelMessage
from tests.support.gateway_process import TOKEN, gateway_process
from tests.support.kernels import KernelServer, Listener, text_of

pytest.importorskip("kernel_gateway", reason="the kernel gateway is not installed")

pytestmark = pytest.mark.filterwarnings("ignore:Passing unrecognized arguments:DeprecationWarning")


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[psutil.Process]:
    with gateway_process(tmp_path_factory.mktemp("gateway")) as (process, url):
        GatewayClient.clear_instance()
        GatewayClient.instance(url=url, auth_token=TOKEN)
        yield process
        GatewayClient.clear_instance()


class GatewayServer(KernelServer):
    def __init__(self, root: Path) -> None:
        super().__init__(root, GatewayMappingKernelManager)
        self.specs = GatewayKernelSpecManager()
        self.sessions = GatewaySessionManager(kernel_manager=self.kernels, contents_manager=self.contents)
        self.build()


async def test_a_kernel_behind_a_gateway_runs_is_interrupted_restarted_and_shut_down(
    gateway: psutil.Process, tmp_path: Path
) -> None:
    server = GatewayServer(tmp_path)
    try:
        session = server.adapter.session("room", "a.ipynb")
        kernel = await session.start("python3")
        assert isinstance(session._connection.line and session._connection.line._channels, GatewayChannels)
        assert (kernel.name, kernel.language) == ("python3", "python")
        listener = Listener(session)
        messages = await listener.run("x = 1\nprint('hello \\U0001f600')\nx")
        assert text_of(messages) == "hello \U0001f600\n"
        assert {"execute_result", "execute_reply"} <= {message.msg_type for message in messages}

        running = listener.execute("import time\nprint('go', flush=True)\ntime.sleep(60)")
        await listener.until(lambda e: isinstance(e, KernelMessage) and e.msg_type == "stream")
        await session.interrupt()
        reply = await listener.until(
            lambda e: isinstance(e, KernelMessage) and e.msg_type == "execute_reply" and e.parent_id == running
        )
        assert isinstance(reply, KernelMessage) and reply.content["ename"] == "KeyboardInterrupt"

        assert (await session.restart()).kernel_id == kernel.kernel_id
        assert "NameError" in str(await listener.run("x"))
        session.report_activity()
        other = await session.start("bash")
        assert (other.name, other.language) == ("bash", "bash") and await session.start("bash") is other
        await session.shutdown()
        assert await server.sessions.list_sessions() == []
        with pytest.raises(NoKernel, match="nope"):
            await session.start("nope")
    finally:
        await server.stop()


async def test_input_flood_and_buffers_pass_the_gateway(gateway: psutil.Process, tmp_path: Path) -> None:
    server = GatewayServer(tmp_path)
    try:
        session = server.adapter.session("room", "a.ipynb")
        await session.start("python3")
        listener = Listener(session)
        asking = listener.execute("print(input('who? '))")
        asked = await listener.until(lambda e: isinstance(e, KernelMessage) and e.msg_type == "input_request")
        assert isinstance(asked, KernelMessage) and asked.parent_id == asking and asked.content["prompt"] == "who? "
        session.send("stdin", "input_reply", {"value": "bob"}, msg_id="answer")
        printed = await listener.until(lambda e: isinstance(e, KernelMessage) and e.msg_type == "stream")
        assert isinstance(printed, KernelMessage) and printed.content["text"] == "bob\n"

        assert len(text_of(await listener.run("print('x' * 20_000_000)"))) == 20_000_001

        code = (
            "from comm import create_comm\n"
            "def echo(comm, message):\n"
            "    comm.on_msg(lambda m: comm.send({}, buffers=[b'<', *m['buffers']]))\n"
            "get_ipython().kernel.comm_manager.register_target('echo', echo)"
        )
        await listener.run(code)
        session.send("shell", "comm_open", {"comm_id": "c", "target_name": "echo", "data": {}}, msg_id="open")
        session.send("shell", "comm_msg", {"comm_id": "c", "data": {}}, msg_id="say", buffers=[b"\x00\xff", b"two"])
        echoed = await listener.until(lambda e: isinstance(e, KernelMessage) and e.msg_type == "comm_msg")
        assert isinstance(echoed, KernelMessage) and echoed.buffers == [b"<", b"\x00\xff", b"two"]
    finally:
        await server.stop()


async def test_a_broken_line_to_the_gateway_is_mended_and_nothing_is_missed(
    gateway: psutil.Process, tmp_path: Path
) -> None:
    server = GatewayServer(tmp_path)
    try:
        session = server.adapter.session("room", "a.ipynb")
        await session.start("python3")
        listener = Listener(session)
        running = listener.execute("import time\nfor i in range(20):\n    time.sleep(0.1)\n    print(i, flush=True)")
        await listener.until(lambda e: isinstance(e, KernelMessage) and e.msg_type == "stream")
        assert session._connection.line is not None
        socket = session._connection.line._channels._socket  # type: ignore[attr-defined]
        socket._response.connection.transport.abort()
        await listener.until(
            lambda e: isinstance(e, KernelMessage) and e.msg_type == "execute_reply" and e.parent_id == running
        )
        text = text_of([e for e in listener.events if isinstance(e, KernelMessage) and e.parent_id == running])
        assert text == "".join(f"{i}\n" for i in range(20))
    finally:
        await server.stop()


async def test_a_kernel_killed_behind_the_gateway_is_told(gateway: psutil.Process, tmp_path: Path) -> None:
    server = GatewayServer(tmp_path)
    try:
        session = server.adapter.session("room", "a.ipynb")
        await session.start("python3")
        listener = Listener(session)
        pid = int(text_of(await listener.run("import os\nprint(os.getpid())")))
        os.kill(pid, signal.SIGKILL)
        # The gateway itself looks every three seconds whether its kernels live.
        await listener.notice("lost", 8)
        await listener.notice("ready")
        assert text_of(await listener.run("print(1)")) == "1\n"
    finally:
        await server.stop()


async def test_a_restart_through_this_server_is_told(gateway: psutil.Process, tmp_path: Path) -> None:
    server = GatewayServer(tmp_path)
    try:
        session = server.adapter.session("room", "a.ipynb")
        kernel = await session.start("python3")
        listener = Listener(session)
        await listener.run("x = 1")
        await server.kernels.restart_kernel(kernel.kernel_id)
        await listener.notice("lost", 5)
        await listener.notice("ready")
        assert "NameError" in str(await listener.run("x"))
    finally:
        await server.stop()
