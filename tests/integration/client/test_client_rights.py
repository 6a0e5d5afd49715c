"""What a person may do, as their client meets it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from jupyter_runtimed.client import Client, Forbidden
from tests.conformance.conftest import code_cell, notebook
from tests.integration.client.test_client_story import eventually
from tests.support.people import token


def write(served: Any, name: str) -> str:
    (served.root / name).write_text(json.dumps(notebook(code_cell("1 + 1", "c0"))))
    return name


async def test_a_viewer_reads_and_follows_and_changes_nothing(served: Any) -> None:
    path = write(served, "viewer.ipynb")
    async with (
        Client(served.url, token("executor")) as theirs,
        Client(served.url, token("viewer")) as client,
        theirs.open(path) as other,
        client.open(path) as viewer,
    ):
        assert not viewer.status.writable and not viewer.status.executable
        for refused in (
            lambda: viewer.cells[0].append("x"),
            lambda: viewer.cells.create("x"),
            lambda: viewer.metadata.set("k", 1),
            lambda: viewer.save(),
            lambda: viewer.cells[0].run(),
            lambda: viewer.interrupt(),
            lambda: client.close_room(viewer.room_id),
            lambda: client.create(),
        ):
            with pytest.raises(Forbidden):
                await refused()
        assert (await other.cells[0].run(timeout=60)).text == "2"
        await eventually(lambda: viewer.cells[0].execution)
        assert viewer.cells[0].execution is not None
        assert (await viewer.cells[0].execution.result(60)).text == "2"
        assert viewer.is_connected and viewer.cells[0].source == "1 + 1"


async def test_an_editor_edits_and_saves_and_runs_nothing(served: Any) -> None:
    async with (
        Client(served.url, token("editor")) as client,
        client.open(write(served, "editor.ipynb")) as editor,
    ):
        await editor.cells[0].append(" + 1")
        await editor.save()
        with pytest.raises(Forbidden):
            await editor.cells[0].run()
        with pytest.raises(Forbidden):
            await editor.run_all()
        assert editor.cells[0].execution is None


async def test_a_stranger_gets_nothing(served: Any) -> None:
    async with Client(served.url, token("stranger")) as client:
        with pytest.raises(Forbidden):
            await client.open(write(served, "stranger.ipynb"))
        with pytest.raises(Forbidden):
            await client.rooms()


async def test_cookies_of_a_login_do_instead_of_a_token(served: Any) -> None:
    path = write(served, "cookie.ipynb")
    async with served.browse("executor") as visitor:
        cookies = {cookie.key: cookie.value for cookie in visitor.session.cookie_jar}
    async with Client(served.url, cookies=cookies) as client, client.open(path) as notebook:
        await notebook.cells[0].append(" + 40")
        assert (await notebook.cells[0].run(timeout=60)).text == "42"
