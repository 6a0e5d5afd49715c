"""Automerge documents in JavaScript: the peers that browsers are, driven from Python tests.

`JsProcess` is one node process (about 0.2 s to start; share one a module), `JsPeer` one document in it. Needs
`npm ci` in tests/js; `requires_js` skips a test where that was not done.
"""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
from collections.abc import Sequence
from itertools import count
from pathlib import Path
from typing import Any

import pytest

_FOLDER = Path(__file__).parent.parent / "js"

requires_js = pytest.mark.skipif(
    shutil.which("node") is None or not (_FOLDER / "node_modules" / "@automerge").is_dir(),
    reason="needs node and `npm ci` in tests/js",
)


class JsError(Exception):
    """JavaScript threw."""


class JsProcess:
    """A node process with any number of documents. A context manager."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            ["node", "peer.mjs"], cwd=_FOLDER, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._names = count()

    def __enter__(self) -> JsProcess:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def call(self, op: str, **fields: Any) -> Any:
        """One request. Raises JsError with JavaScript's message."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"op": op, **fields}) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise JsError("the JavaScript process ended")
        answer = json.loads(line)
        if "error" in answer:
            raise JsError(answer["error"])
        return answer["result"]

    def peer(self, data: bytes | None = None, *, actor: bytes | None = None) -> JsPeer:
        """A document: empty, or loaded from bytes."""
        return JsPeer(self, data, actor)

    def next_name(self) -> str:
        return str(next(self._names))

    def close(self) -> None:
        """End the process."""
        if self._process.poll() is None:
            assert self._process.stdin is not None
            self._process.stdin.close()
            self._process.wait(timeout=10)
        if self._process.stdout is not None:
            self._process.stdout.close()


class JsPeer:
    """One document in JavaScript. `state` names a sync state: one for each connection."""

    def __init__(self, process: JsProcess, data: bytes | None, actor: bytes | None) -> None:
        self._process = process
        self._name = process.next_name()
        fields: dict[str, Any] = {"actor": actor.hex()} if actor else {}
        if data is None:
            self._call("init", **fields)
        else:
            self._call("load", data=_text(data), **fields)

    def _call(self, op: str, **fields: Any) -> Any:
        return self._process.call(op, doc=self._name, **fields)

    @property
    def heads(self) -> tuple[bytes, ...]:
        """Raw hashes, sorted."""
        return tuple(sorted(bytes.fromhex(head) for head in self._call("heads")))

    @property
    def value(self) -> Any:
        """The document. Scalar strings are {"$": "str", "value"}, texts are strings; see peer.mjs for the rest."""
        return self._call("value")

    def plain(self) -> Any:
        """The document with every kind of string as str."""
        return _plain(self.value)

    def change(self, code: str, **args: Any) -> None:
        """One change: JavaScript statements over `doc` (a draft), `A` (the library) and `args`."""
        self._call("change", code=code, args=args)

    def replace(self, code: str, **args: Any) -> None:
        """A JavaScript function body over `doc`, `A` and `args` that returns the new document."""
        self._call("replace", code=code, args=args)

    def evaluate(self, code: str, **args: Any) -> Any:
        """What a JavaScript function body over `doc`, `A` and `args` returns."""
        return self._call("evaluate", code=code, args=args)

    def apply(self, changes: Sequence[bytes]) -> None:
        self._call("apply", changes=[_text(change) for change in changes])

    def changes(self) -> list[bytes]:
        """All change chunks in order, deflated where JavaScript deflates them."""
        return [base64.b64decode(change) for change in self._call("changes")]

    def save(self) -> bytes:
        return base64.b64decode(self._call("save"))

    def generate(self, state: str = "default") -> bytes | None:
        """The next sync message, or None."""
        message = self._call("generate", state=state)
        return None if message is None else base64.b64decode(message)

    def receive(self, message: bytes, state: str = "default") -> None:
        """Take a sync message in."""
        self._call("receive", message=_text(message), state=state)

    def disconnect(self, state: str = "default") -> None:
        """Throw a sync state away, as at the end of a connection."""
        self._call("disconnect", state=state)

    def free(self) -> None:
        """Give the document's memory back."""
        self._call("free")


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if not isinstance(value, dict):
        return value
    match value.get("$"):
        case "str" | "date" | "counter":
            return value["value"]
        case "bigint":
            return int(value["value"])
        case "number":
            return float(value["value"])
        case "bytes":
            return base64.b64decode(value["value"])
    return {key: _plain(item) for key, item in value.items()}
