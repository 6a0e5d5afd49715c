"""Real kernels under a server's real managers, without the server around them."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from jupyter_client.kernelspec import KernelSpecManager
from jupyter_events import EventLogger
from jupyter_server import DEFAULT_EVENTS_SCHEMA_PATH
from jupyter_server.services.contents.filemanager import AsyncFileContentsManager
from jupyter_server.services.kernels.kernelmanager import AsyncMappingKernelManager
from jupyter_server.services.sessions.sessionmanager import SessionManager
from traitlets import Instance
from traitlets.config import Configurable

from jupyter_runtimed.adapters.kernels import JupyterKernels
from jupyter_runtimed.core.messages import KernelEvent, KernelMessage, KernelNotice
from jupyter_runtimed.rooms.ports.kernel import KernelSession
from jupyter_runtimed.rooms.tasks import Tasks


class _App(Configurable):
    """What kernel managers want to know of the server."""

    event_logger = Instance(EventLogger, ())


class KernelServer:
    """A session manager, a kernel manager and a contents manager on one folder."""

    def __init__(self, root: Path, kernel_manager: type[Any] | None = None) -> None:
        self.app = _App()
        self.app.event_logger.register_event_schema(DEFAULT_EVENTS_SCHEMA_PATH / "kernel_actions" / "v1.yaml")
        self.kernels: Any = (kernel_manager or AsyncMappingKernelManager)(parent=self.app, root_dir=str(root))
        self.specs: Any = KernelSpecManager()
        self.kernels.kernel_spec_manager = self.specs
        self.contents = AsyncFileContentsManager(root_dir=str(root))
        self.sessions: Any = SessionManager(kernel_manager=self.kernels, contents_manager=self.contents)
        self.tasks = Tasks("kernels under test")
        self.build()

    def build(self) -> None:
        """Make the adapter of the managers as they are."""
        self.adapter = JupyterKernels(
            self.sessions,
            self.kernels,
            self.specs,
            self.tasks.start,
            event_logger=self.app.event_logger,
            start_timeout_seconds=30.0,
            poll_seconds=0.2,
        )

    async def stop(self) -> None:
        await self.adapter.stop()
        await self.tasks.stop()
        self.sessions.close()
        with contextlib.suppress(Exception):
            await self.kernels.shutdown_all(now=True)
        self.kernels.context.destroy(linger=0)  # else the collector does it in the middle of another test, and waits


@asynccontextmanager
async def kernel_server(root: Path, kernel_manager: type[Any] | None = None) -> AsyncIterator[KernelServer]:
    server = KernelServer(root, kernel_manager)
    try:
        yield server
    finally:
        await server.stop()


class Listener:
    """Collects what a session says, and waits for what a test is after."""

    def __init__(self, session: KernelSession) -> None:
        self.session = session
        self.events: list[KernelEvent] = []

    async def until(self, is_it: Callable[[KernelEvent], bool], deadline_s: float = 20.0) -> KernelEvent:
        """The first event from now on that is it."""

        async def wait() -> KernelEvent:
            while True:
                events = await self.session.receive()
                self.events += events
                found = next((event for event in events if is_it(event)), None)
                if found is not None:
                    return found

        return await asyncio.wait_for(wait(), deadline_s)

    async def notice(self, news: str, deadline_s: float = 20.0) -> KernelNotice:
        event = await self.until(lambda e: isinstance(e, KernelNotice) and e.news.value == news, deadline_s)
        assert isinstance(event, KernelNotice)
        return event

    def execute(self, code: str) -> str:
        msg_id = uuid.uuid4().hex
        content = {"code": code, "silent": False, "store_history": True, "allow_stdin": True, "stop_on_error": False}
        self.session.send("shell", "execute_request", content, msg_id=msg_id)
        return msg_id

    async def run(self, code: str, deadline_s: float = 30.0) -> list[KernelMessage]:
        """All messages of one execution, until idle and reply."""
        msg_id = self.execute(code)
        start = len(self.events)
        waiting = {"idle", "reply"}

        def is_over(event: KernelEvent) -> bool:
            if isinstance(event, KernelMessage) and event.parent_id == msg_id:
                if event.msg_type == "execute_reply":
                    waiting.discard("reply")
                if event.msg_type == "status" and event.content["execution_state"] == "idle":
                    waiting.discard("idle")
            return not waiting

        await self.until(is_over, deadline_s)
        messages = [event for event in self.events[start:] if isinstance(event, KernelMessage)]
        return [message for message in messages if message.parent_id == msg_id]


def text_of(messages: list[KernelMessage]) -> str:
    """What was printed."""
    return "".join(message.content["text"] for message in messages if message.msg_type == "stream")
