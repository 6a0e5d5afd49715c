"""The history of a notebook through the client and a real server."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from jupyter_runtimed.client import Client, Forbidden, NoSuchVersion
from tests.integration.client.test_client_rights import write
from tests.integration.client.test_client_story import eventually
from tests.support.people import token

SECRET = "password=hunter2"

TRAITS = [{"version_pause_s": 0.4}]


def client_of(served: Any, name: str) -> Client:
    return Client(served.url, token(name))


@pytest.mark.parametrize("runtimed_traits", TRAITS)
async def test_versions_are_listed_seen_and_restored(served: Any) -> None:
    path = write(served, "history.ipynb")
    async with client_of(served, "editor") as client, client.open(path) as editor:
        room = editor.room_id
        await editor.cells[0].append(" # editor")
        await editor.confirm_sync()
        room_of = served.runtimed.server._registry.get(room)
        await eventually(lambda: room_of.versions._current is None)  # the pause is over
        async with client_of(served, "executor") as other, other.open(path) as executor:
            added = await executor.cells.create("x = 1")
            await executor.cells[0].set_source("broken")
            await executor.confirm_sync()
        latest, one, first = await client.versions(room)
        assert (one.people, one.changed, one.added) == (("Editor",), ("c0",), ())
        assert (latest.people, latest.changed, latest.added) == (("Executor",), ("c0",), (added.id,))
        assert first.version == "0" and one.began and one.ended and latest.began and one.ended <= latest.began
        seen = await client.version_json(room, one.version)
        assert [cell["source"] for cell in seen["cells"]] == ["1 + 1 # editor"]
        await client.restore_version(room, one.version)
        await eventually(lambda: [cell.source for cell in editor.cells] == ["1 + 1 # editor"])
        restored = (await client.versions(room))[0]
        assert restored.people == ("Editor",) and restored.removed == (added.id,)
        with pytest.raises(NoSuchVersion):
            await client.restore_version(room, "99")


async def test_a_viewer_looks_and_restores_nothing(served: Any) -> None:
    path = write(served, "viewed.ipynb")
    async with client_of(served, "viewer") as client, client.open(path) as viewer:
        (first,) = await client.versions(viewer.room_id)
        assert (await client.version_json(viewer.room_id, first.version))["cells"][0]["source"] == "1 + 1"
        with pytest.raises(Forbidden):
            await client.restore_version(viewer.room_id, first.version)
        with pytest.raises(Forbidden):
            await client.forget_history(viewer.room_id)


def state_files(served: Any) -> bytes:
    files = [path for path in Path(served.runtimed.state_dir).rglob("*") if path.is_file()]
    return b"".join(path.read_bytes() for path in files)


async def test_a_secret_is_forgotten_and_open_clients_go_on(served: Any) -> None:
    path = write(served, "secret.ipynb")
    async with client_of(served, "editor") as client, client.open(path) as alice:
        cell = await alice.cells.create(SECRET)
        await alice.cells[0].append(" # kept")
        await alice.wait_durable()
        await cell.delete()
        await alice.wait_durable()
        assert SECRET.encode() in state_files(served)
        aside = Path(served.runtimed.state_dir) / "rooms" / f"{alice.room_id}.log.damaged-1"
        aside.write_text(SECRET)
        await client.forget_history(alice.room_id)
        assert SECRET.encode() not in state_files(served) and not aside.exists()
        # Alice's client comes back by itself, with a replica that has never heard of it.
        await eventually(lambda: SECRET.encode() not in alice.document_bytes() and alice.is_connected)
        await alice.cells[0].append("!")
        await alice.confirm_sync()
        assert [cell.source for cell in alice.cells] == ["1 + 1 # kept!"]
        await alice.save()
        (first, *_) = reversed(await client.versions(alice.room_id))
        assert SECRET not in str(await client.version_json(alice.room_id, first.version))
