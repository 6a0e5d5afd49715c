"""Attachments through the client, the server and the file."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from jupyter_runtimed.client import Client
from jupyter_runtimed.core.errors import BadRequest, Forbidden, NotFound
from tests.integration.client.conftest import Place
from tests.integration.client.test_client_rights import write
from tests.integration.client.test_client_story import eventually
from tests.support.people import token

PNG = b"\x89PNG" + bytes(range(256)) * 8


async def test_what_is_attached_is_read_by_others_and_saved(place: Place) -> None:
    path = place.write("x = 1")
    async with place.client() as client, client.open(path) as alice, place.client() as other, other.open(path) as bob:
        cell = await alice.cells.create("![](attachment:a.png)", "markdown")
        await cell.attach("a.png", PNG, "image/png")
        await cell.attach("note.txt", "né".encode(), "text/plain")
        await eventually(lambda: cell.id in bob.cells.ids and len(bob.cells[cell.id].attachments) == 2)
        theirs = bob.cells[cell.id]
        assert theirs.attachments == {"a.png": ("image/png",), "note.txt": ("text/plain",)}
        assert await theirs.read_attachment("a.png") == PNG
        assert await theirs.read_attachment("note.txt", "text/plain") == "né".encode()
        for name, mime in (("none", None), ("a.png", "image/gif")):
            with pytest.raises(NotFound):
                await theirs.read_attachment(name, mime)
        with pytest.raises(BadRequest):
            await theirs.attach("", b"x", "image/png")
        await theirs.detach("note.txt")
        await bob.save()
    saved = place.read(path)["cells"][1]["attachments"]
    assert base64.b64decode("".join(saved["a.png"]["image/png"])) == PNG and list(saved) == ["a.png"]


async def test_attachments_of_a_file_are_read(place: Place) -> None:
    path = place.write("x = 1")
    content = place.read(path)
    content["cells"][0]["attachments"] = {
        "a.png": {"image/png": base64.b64encode(PNG).decode()}, "t": {"text/plain": "text"}, "bad": {"image/png": "?"}
    }  # fmt: skip
    place.file(path).write_text(json.dumps(content))
    async with place.client() as client, client.open(path) as notebook:
        cell = notebook.cells[0]
        assert await cell.read_attachment("a.png") == PNG
        assert await cell.read_attachment("t") == b"text"
        assert await cell.read_attachment("bad") == b"?"


async def test_a_viewer_attaches_nothing(served: Any) -> None:
    path = write(served, "a.ipynb")
    async with Client(served.url, token("viewer")) as client, client.open(path) as notebook:
        with pytest.raises(Forbidden):
            await notebook.cells[0].attach("a.png", PNG, "image/png")
        with pytest.raises(NotFound):
            await notebook.cells[0].read_attachment("a.png")
