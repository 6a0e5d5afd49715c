"""A kernel that binds its stdin channel last: it is not ready before a question of its would arrive."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import zmq
import zmq.asyncio
from jupyter_client.asynchronous.client import AsyncKernelClient
from jupyter_client.connect import write_connection_file
from jupyter_client.session import Session

from jupyter_runtimed.adapters.kernels_channels import ZmqChannels, unbounded_context
from jupyter_runtimed.adapters.kernels_line import KernelLine
from jupyter_runtimed.rooms.tasks import Tasks

SOCKETS = {"shell": zmq.ROUTER, "control": zmq.ROUTER, "iopub": zmq.PUB, "stdin": zmq.ROUTER}


class SlowKernel:
    """Answers who it is on shell, says something on IOPub, and binds stdin only when it is told to."""

    def __init__(self, folder: Path) -> None:
        _, info = write_connection_file(str(folder / "kernel.json"), ip="127.0.0.1")
        self.info: dict[str, Any] = dict(info)
        self.session = Session(key=self.info["key"].encode())
        self.context = zmq.asyncio.Context()
        self.sockets = {name: self.context.socket(kind) for name, kind in SOCKETS.items()}
        self.ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.ready.set_result(None)

    def bind(self, *names: str) -> None:
        for name in names:
            self.sockets[name].bind(f"tcp://127.0.0.1:{self.info[f'{name}_port']}")

    async def serve(self, answered: asyncio.Event) -> None:
        shell = self.sockets["shell"]
        while True:
            identities, parts = self.session.feed_identities(await shell.recv_multipart())
            request = self.session.deserialize(parts)
            for name, kind, content, ident in (
                ("shell", "kernel_info_reply", {"language_info": {"name": "slow"}}, identities),
                ("iopub", "status", {"execution_state": "idle"}, [b"status"]),
            ):
                message = self.session.msg(kind, content, parent=request["header"])
                await self.sockets[name].send_multipart(self.session.serialize(message, ident))
            answered.set()

    async def ask(self) -> None:
        """Send a question to everybody who ever connected; who did not is not asked, and nobody is told."""
        message = self.session.msg("input_request", {"prompt": "?", "password": False})
        ident = self.client_session.encode()
        await self.sockets["stdin"].send_multipart(self.session.serialize(message, [ident]))

    # What a kernel manager does.

    def client(self, context: Any) -> AsyncKernelClient:
        client = AsyncKernelClient(context=context)
        client.load_connection_info(self.info)
        self._client = client
        return client

    @property
    def client_session(self) -> str:
        return str(self._client.session.session)

    async def is_alive(self) -> bool:
        return True


async def test_a_kernel_is_ready_when_its_first_question_would_arrive(tmp_path: Path) -> None:
    tasks, context, kernel = Tasks("test"), unbounded_context(), SlowKernel(tmp_path)
    answered = asyncio.Event()
    kernel.bind("shell", "control", "iopub")

    async def room() -> None:
        """There is always room."""

    line = KernelLine(
        "slow", kernel, lambda manager, owner: ZmqChannels(manager, owner, context, tasks.start), room, lambda *_: None
    )
    heard: asyncio.Queue[str] = asyncio.Queue()
    try:
        tasks.start(kernel.serve(answered), "slow kernel")
        opening = tasks.start(line.open(20, may_be_busy=False), "open")
        await answered.wait()
        await asyncio.wait({opening}, timeout=0.3)
        assert not opening.done(), "what it asks now would be lost"
        kernel.bind("stdin")
        assert (await opening)["language_info"]["name"] == "slow"
        line.deliver_to(lambda message: heard.put_nowait(message.msg_type))
        await kernel.ask()
        while await asyncio.wait_for(heard.get(), 10) != "input_request":
            """Other messages come too."""
    finally:
        line.close()
        await tasks.stop()
        context.destroy(linger=0)
        kernel.context.destroy(linger=0)
