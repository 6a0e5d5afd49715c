"""The client against a real server process with real kernels, authentication on."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from jupyter_runtimed.client import Client
from tests.support.server_process import TOKEN, ServerProcess

KERNELSPEC = {"display_name": "Python 3", "language": "python", "name": "python3"}


def code_cell(source: str, cell_id: str) -> dict[str, Any]:
    return {
        "cell_type": "code",
        "execution_count": None,
        "id": cell_id,
        "metadata": {},
        "outputs": [],
        "source": source,
    }


class Place:
    """A server's folder, and clients for it."""

    def __init__(self, server: ServerProcess) -> None:
        self.server = server

    def write(self, *sources: str, name: str | None = None) -> str:
        """Put a notebook of code cells `c0`, `c1`, … below the root; its path."""
        path = name or f"{uuid.uuid4().hex}.ipynb"
        cells = [code_cell(source, f"c{index}") for index, source in enumerate(sources)]
        notebook = {"cells": cells, "metadata": {"kernelspec": KERNELSPEC}, "nbformat": 4, "nbformat_minor": 5}
        self.file(path).write_text(json.dumps(notebook, indent=1, sort_keys=True) + "\n")
        return path

    def file(self, path: str) -> Path:
        return self.server.root / path

    def read(self, path: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.file(path).read_bytes())
        return found

    def client(self, *, token: str | None = TOKEN, port: int | None = None) -> Client:
        """A client; through another port when one is given."""
        return Client(f"http://127.0.0.1:{port or self.server.port}{self.server.base_url}", token)


@pytest.fixture(scope="package")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with ServerProcess(tmp_path_factory.mktemp("client"), base_url="/base/") as process:
        yield process


@pytest.fixture
def place(server: ServerProcess) -> Place:
    return Place(server)
