"""The front end's own rooms, in a node process, as peers of a room of the server: what a browser runs, without one.

`FrontEnds` is the process; a `FrontEnd` is one tab. Nothing travels by itself: what a tab has said waits in `up`, what
the server has said waits in `down` by document, and the test moves it. A connection keeps the order of what it
carries, but here one document may overtake the other: the front end must not depend on how the two interleave.
"""

from __future__ import annotations

import base64
import json
import subprocess
from collections import deque
from pathlib import Path
from typing import Any

from jupyter_runtimed.core.frames import FrameType
from tests.support.room_peers import FakeSocket, Receiver

_FOLDER = Path(__file__).parents[2] / "labextension"
_PROGRAM = _FOLDER / "lib" / "testing" / "tests" / "support" / "process.js"


class FrontEndError(Exception):
    """The front end threw."""


class FrontEnds:
    """A node process with any number of tabs. A context manager."""

    def __init__(self) -> None:
        assert _PROGRAM.exists(), "`make .make/labextension-tests` compiles the front end for tests"
        self._process = subprocess.Popen(
            ["node", "--no-warnings", str(_PROGRAM)],
            cwd=_FOLDER,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self._tabs = 0

    def __enter__(self) -> FrontEnds:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(timeout=10)
        self._process.stdout.close()

    def call(self, op: str, tab: str, **fields: Any) -> tuple[Any, list[bytes]]:
        """One request: its result, and the frames the tab has for the server."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"op": op, "tab": tab, **fields}) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise FrontEndError("the process ended")
        answer = json.loads(line)
        if "error" in answer:
            raise FrontEndError(answer["error"])
        return answer["result"], [base64.b64decode(frame) for frame in answer["sent"]]

    def open(self, name: str) -> FrontEnd:
        """A tab that is not connected yet."""
        self._tabs += 1
        tab = FrontEnd(self, f"{name} {self._tabs}")
        tab.do("open")
        return tab


class FrontEnd:
    """One tab.

    Attributes:
        socket: the server's end of its connection; None without one.
        up: frames on their way to the server.
        down: frames on their way to the tab: the runtime document's, and all others.
    """

    def __init__(self, process: FrontEnds, name: str) -> None:
        self.name = name
        self.socket: FakeSocket | None = None
        self.up: deque[bytes] = deque()
        self.down: dict[bool, deque[bytes]] = {False: deque(), True: deque()}
        self._process = process
        self._receiver: Receiver | None = None
        self._peer: Any = None
        self._connections = 0

    def do(self, op: str, **fields: Any) -> Any:
        """Let the tab do something; what it says to that goes up."""
        result, sent = self._process.call(op, self.name, **fields)
        if self.socket is not None:
            self.up.extend(sent)
        return result

    def connect(self, receiver: Receiver) -> None:
        self._connections += 1
        self.socket = FakeSocket(f"{self.name}.{self._connections}")
        self._receiver = receiver
        self._peer = receiver.join(self.socket)
        self.do("connect")

    def lose(self) -> None:
        """The connection breaks; what is on its way is lost."""
        assert self._receiver is not None
        self._receiver.leave(self._peer)
        self.forget()

    def forget(self, code: int = 1006) -> None:
        """The connection is gone, and the server with it, or on the server's word."""
        self.socket = None
        self.up.clear()
        for frames in self.down.values():
            frames.clear()
        self.do("lose", code=code)

    def send(self, limit: int = 1 << 30) -> int:
        """So many frames arrive at the server; how many did."""
        assert self._receiver is not None
        moved = 0
        while self.up and moved < limit:
            self._receiver.receive(self._peer, self.up.popleft())
            moved += 1
        return moved

    def hear(self, limit: int = 1 << 30, *, runtime: bool) -> int:
        """So many frames of the runtime document, or of all else, arrive at the tab; how many did."""
        self._sort()
        moved = 0
        while self.down[runtime] and moved < limit:
            self.do("receive", frame=base64.b64encode(self.down[runtime].popleft()).decode())
            moved += 1
        return moved

    def _sort(self) -> None:
        assert self.socket is not None
        while self.socket.frames:
            frame = self.socket.frames.popleft()
            self.down[frame[0] == FrameType.RUNTIME_SYNC].append(frame)

    def merged(self) -> list[bytes]:
        """The documents that the tab has handed over to be merged, each told once."""
        return [base64.b64decode(document) for document in self.do("merged")]

    @property
    def state(self) -> dict[str, Any]:
        """What the tab shows and knows; see process.ts."""
        state: dict[str, Any] = self.do("state")
        return state
