"""Programs that know only the protocol page, run against a real server process."""

from __future__ import annotations

import json
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.support.bare_peer import BarePeer
from tests.support.server_process import TOKEN, ServerProcess

KERNELSPEC = {"display_name": "Python 3", "language": "python", "name": "python3"}


def code_cell(source: str, cell_id: str, outputs: list[Any] | None = None, count: int | None = None) -> dict[str, Any]:
    return {
        "cell_type": "code",
        "execution_count": count,
        "id": cell_id,
        "metadata": {},
        "outputs": outputs or [],
        "source": source,
    }


def notebook(*cells: dict[str, Any], **metadata: Any) -> dict[str, Any]:
    return {
        "cells": list(cells),
        "metadata": {"kernelspec": KERNELSPEC, **metadata},
        "nbformat": 4,
        "nbformat_minor": 5,
    }


class Visitor:
    """One HTTP session with the token, and the calls of the protocol page."""

    def __init__(self, session: aiohttp.ClientSession, server: ServerProcess) -> None:
        self.session = session
        self.server = server
        self.api = server.url + "api/runtimed"

    def write(self, content: dict[str, Any] | bytes, name: str | None = None) -> str:
        """Put a file below the root and return its path."""
        name = name or f"{uuid.uuid4().hex}.ipynb"
        path = self.server.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else json.dumps(content, indent=1).encode() + b"\n")
        return name

    def file(self, path: str) -> Path:
        return self.server.root / path

    def read(self, path: str) -> dict[str, Any]:
        value: dict[str, Any] = json.loads(self.file(path).read_bytes())
        return value

    async def call(self, method: str, route: str, **options: Any) -> tuple[int, Any, Any]:
        """(status, headers, body as JSON or bytes)"""
        async with self.session.request(method, self.api + route, **options) as answer:
            body: Any = await answer.read()
            if answer.content_type == "application/json" and body:
                body = json.loads(body)
            return answer.status, answer.headers, body

    async def open(self, path: str) -> dict[str, Any]:
        status, _, room = await self.call("POST", "/rooms", json={"path": path})
        assert status in (200, 201), room
        return dict(room)

    def peer(self, room: dict[str, Any], notebook: Any = None) -> BarePeer:
        return BarePeer(self.session, self.server.url, room["room_id"], notebook)

    @asynccontextmanager
    async def joined(self, *cells: dict[str, Any]) -> AsyncIterator[tuple[BarePeer, dict[str, Any]]]:
        """A peer that is level in a room of a new file with these cells."""
        room = await self.open(self.write(notebook(*cells)))
        async with self.peer(room) as peer:
            await peer.ready()
            yield peer, room


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with ServerProcess(tmp_path_factory.mktemp("conformance"), base_url="/some/where/") as process:
        yield process


@pytest.fixture
def visit(server: ServerProcess) -> Any:
    """`async with visit() as visitor`: a session of this test's own event loop."""

    @asynccontextmanager
    async def enter(token: str | None = TOKEN) -> AsyncIterator[Visitor]:
        headers = {"Authorization": f"token {token}"} if token else {}
        async with aiohttp.ClientSession(headers=headers) as session:
            yield Visitor(session, server)

    return enter
