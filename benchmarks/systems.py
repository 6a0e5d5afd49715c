"""The systems under measurement, behind one small interface: start a server, open a notebook, type, look.

Each connection keeps a real replica (Automerge for ours, pycrdt for the others), so what is timed is what a client
can read, not bytes on a socket.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

import aiohttp

from jupyter_runtimed.client.view import RoomView
from jupyter_runtimed.core.crdt import new_actor
from tests.support.server_process import TOKEN, free_port

HEADERS = {"Authorization": f"token {TOKEN}"}


class Connection(ABC):
    """One client's replica of one notebook."""

    socket: aiohttp.ClientWebSocketResponse

    def __init__(self) -> None:
        self.changed = asyncio.Event()
        self.first_data_at: float | None = None
        self.received_bytes = 0
        self._pump: asyncio.Task[None] | None = None

    @abstractmethod
    async def receive(self, data: bytes) -> None:
        """Take one message of the server in, answering as the protocol wants."""

    @abstractmethod
    def cell_count(self) -> int:
        """How many cells can be read now."""

    @abstractmethod
    def first_source(self) -> str:
        """The source of one cell, the one that `type` edits."""

    @abstractmethod
    async def type(self, character: str) -> None:
        """Insert one character at the start of that cell and send it."""

    def complete(self) -> bool:
        """Whether everything but the cells (outputs, say) is there too."""
        return True

    async def run(self) -> None:
        async for message in self.socket:
            if message.type is aiohttp.WSMsgType.BINARY:
                self.received_bytes += len(message.data)
                await self.receive(message.data)
                self.changed.set()

    def start(self) -> None:
        self._pump = asyncio.ensure_future(self.run())

    async def until(self, condition: Any, deadline_s: float = 120.0) -> float:
        """Wait for a condition; the moment it was seen true."""
        end = time.perf_counter() + deadline_s
        while not condition():
            self.changed.clear()
            await asyncio.wait_for(self.changed.wait(), end - time.perf_counter())
        return time.perf_counter()

    async def close(self) -> None:
        await self.socket.close()
        if self._pump is not None:
            await self._pump


class System(ABC):
    """A server of one kind, in a process of its own."""

    name: str
    extension: str
    python: Path
    ready_route: str
    arguments: tuple[str, ...] = ()
    measures = frozenset({"open", "join", "keys", "memory", "stall"})

    def __init__(self, home: Path) -> None:
        self.home = home
        self.root = home / "notebooks"
        self.root.mkdir(parents=True)
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}/"
        self.process: subprocess.Popen[bytes] | None = None

    @classmethod
    def available(cls) -> bool:
        return cls.python.exists()

    def command(self) -> list[str]:
        """How the server is started."""
        return [
            str(self.python), "-m", "jupyter_server", "--no-browser", "--allow-root", "--ServerApp.ip=127.0.0.1",
            f"--ServerApp.port={self.port}", f"--ServerApp.root_dir={self.root}", f"--IdentityProvider.token={TOKEN}",
            f"--ServerApp.jpserver_extensions={self.extension}", "--ZMQChannelsWebsocketConnection.limit_rate=False",
            *self.arguments,
        ]  # fmt: skip

    def start(self) -> None:
        environment = dict(os.environ, IPYTHONDIR=str(self.home / "ipython"), JUPYTER_PREFER_ENV_PATH="1")
        for kind in ("CONFIG", "DATA", "RUNTIME"):
            folder = self.home / kind.lower()
            folder.mkdir(exist_ok=True)  # jupyter_server_fileid fails silently without its data folder
            environment[f"JUPYTER_{kind}_DIR"] = str(folder)
        with (self.home / "server.log").open("ab") as log:
            self.process = subprocess.Popen(self.command(), stdout=log, stderr=log, env=environment, cwd=self.home)
        end = time.monotonic() + 60
        while time.monotonic() < end:
            try:
                with urllib.request.urlopen(
                    urllib.request.Request(self.url + self.ready_route, headers=HEADERS), timeout=5
                ):
                    return
            except urllib.error.HTTPError:
                return
            except OSError:
                time.sleep(0.1)
        raise RuntimeError(f"{self.name} did not start: {(self.home / 'server.log').read_text()[-2000:]}")

    def stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    @abstractmethod
    async def open(self, session: aiohttp.ClientSession, path: str) -> Connection:
        """Ask for the notebook and connect: what a client does when a person clicks."""

    def cpu_s(self) -> float:
        """Processor seconds of the server so far."""
        assert self.process is not None
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def rss_bytes(self) -> int:
        """Resident memory of the server."""
        assert self.process is not None
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS"):
                return int(line.split()[1]) * 1024
        raise RuntimeError("no VmRSS")


class OurConnection(Connection):
    """Our own client's view of a room, over a bare socket."""

    def __init__(self) -> None:
        super().__init__()
        self.view = RoomView(new_actor)
        self.view.connected()
        self._cell: str | None = None

    async def receive(self, data: bytes) -> None:
        if data[0] == 0:
            if self.first_data_at is None and len(data) > 200:
                self.first_data_at = time.perf_counter()
            self.view.receive_notebook(data[1:])
        elif data[0] == 5:
            self.view.receive_runtime(data[1:])
        else:
            return
        await self.flush()

    async def flush(self) -> None:
        for frame in self.view.outgoing():
            await self.socket.send_bytes(frame)

    def cell_count(self) -> int:
        return len(self.view.notebook.cell_ids()) if self.view.notebook.replica.heads else 0

    def complete(self) -> bool:
        return bool(self.view.runtime.kernel)

    def cell(self) -> str:
        if self._cell is None:
            self._cell = self.view.notebook.cell_ids()[0]
        return self._cell

    def first_source(self) -> str:
        return self.view.notebook.cell(self.cell()).source

    async def type(self, character: str) -> None:
        self.view.edit(lambda document: document.splice(self.cell(), 0, 0, character))
        await self.flush()


class Ours(System):
    name = "jupyter_runtimed"
    extension = "{'jupyter_runtimed': True}"
    python = Path(sys.executable)
    ready_route = "api/runtimed"

    async def open(self, session: aiohttp.ClientSession, path: str) -> Connection:
        async with session.post(self.url + "api/runtimed/rooms", json={"path": path}) as answer:
            room = await answer.json()
        connection = OurConnection()
        address = self.url.replace("http", "ws", 1) + f"api/runtimed/rooms/{room['room_id']}/sync"
        connection.socket = await session.ws_connect(address, max_msg_size=0)
        await connection.flush()
        connection.start()
        return connection


class YConnection(Connection):
    """The sync protocol of Yjs, as jupyter-collaboration and jupyter-server-documents speak it."""

    def __init__(self) -> None:
        super().__init__()
        import pycrdt

        self.pycrdt = pycrdt
        self.document: Any = pycrdt.Doc()
        self.cells: Any = self.document.get("cells", type=pycrdt.Array)

    async def greet(self) -> None:
        await self.socket.send_bytes(self.pycrdt.create_sync_message(self.document))

    async def receive(self, data: bytes) -> None:
        if data[0] != 0:
            return
        if self.first_data_at is None and len(data) > 200:
            self.first_data_at = time.perf_counter()
        reply = self.pycrdt.handle_sync_message(data[1:], self.document)
        if reply is not None:
            await self.socket.send_bytes(reply)

    def cell_count(self) -> int:
        return len(self.cells)

    def first_source(self) -> str:
        return str(self.cells[0]["source"])

    async def type(self, character: str) -> None:
        before = self.document.get_state()
        source = self.cells[0]["source"]
        source.insert(0, character)
        await self.socket.send_bytes(self.pycrdt.create_update_message(self.document.get_update(before)))


class YSystem(System):
    ready_route = "api/status"

    async def session_of(self, session: aiohttp.ClientSession, path: str) -> tuple[str, str]:
        """(room name, query) of a notebook."""
        address = self.url + "api/collaboration/session/" + urllib.parse.quote(path)
        async with session.put(address, json={"format": "json", "type": "notebook"}) as answer:
            told = await answer.json()
        return f"json:notebook:{told['fileId']}", f"?sessionId={told['sessionId']}"

    async def open(self, session: aiohttp.ClientSession, path: str) -> Connection:
        room, query = await self.session_of(session, path)
        connection = YConnection()
        address = self.url.replace("http", "ws", 1) + f"api/collaboration/room/{room}{query}"
        connection.socket = await session.ws_connect(address, max_msg_size=0)
        await connection.greet()
        connection.start()
        return connection


class Collaboration(YSystem):
    name = "jupyter-collaboration 5.0.4"
    extension = "{'jupyter_server_ydoc': True, 'jupyter_server_fileid': True}"
    python = Path(".make/venv-jc/bin/python").absolute()


class ServerDocuments(YSystem):
    name = "jupyter-server-documents 0.3.3"
    extension = "{'jupyter_server_documents': True, 'jupyter_server_fileid': True}"
    python = Path(".make/venv-jsd/bin/python").absolute()

    async def session_of(self, session: aiohttp.ClientSession, path: str) -> tuple[str, str]:
        async with session.post(self.url + "api/fileid/index", params={"path": path}) as answer:
            told = await answer.json()
        return f"json:notebook:{told['id']}", ""


class RelayConnection(Connection):
    """No document at all: a key is as many bytes as one of ours, and is there when it comes."""

    def __init__(self, cells: int) -> None:
        super().__init__()
        self._cells = cells
        self._keys = 0

    async def receive(self, data: bytes) -> None:
        self._keys += 1

    def cell_count(self) -> int:
        return self._cells

    def first_source(self) -> str:
        return "k" * self._keys

    async def type(self, character: str) -> None:
        await self.socket.send_bytes(character.encode() * 200)


class RelaySystem(System):
    """What any server of these clients costs at least."""

    name = "a bare relay"
    python = Path(sys.executable)
    ready_route = "ready"
    measures = frozenset({"keys"})

    def command(self) -> list[str]:
        return [str(self.python), str(Path(__file__).with_name("relay.py")), str(self.port)]

    async def open(self, session: aiohttp.ClientSession, path: str) -> Connection:
        cells = len(json.loads((self.root / path).read_bytes())["cells"])
        connection = RelayConnection(cells)
        connection.socket = await session.ws_connect(self.url.replace("http", "ws", 1) + "relay")
        connection.start()
        return connection


SYSTEMS: tuple[type[System], ...] = (Ours, Collaboration, ServerDocuments, RelaySystem)
