"""A real server, two users: what one of them writes in the other's name."""

from __future__ import annotations

from automerge.core import Document

from jupyter_runtimed.client import Client
from tests.conformance.conftest import code_cell, notebook
from tests.integration.client.test_client_story import eventually
from tests.integration.conftest import Served
from tests.support.people import token


async def test_a_forged_change_costs_the_forger_their_socket_and_the_victim_nothing(served: Served) -> None:
    async with served.visit("executor") as v, served.visit("editor") as w:
        room = await v.open(v.write(notebook(code_cell("x", "a"))))
        async with v.peer(room) as alice, w.peer(room) as mallory:
            await alice.ready()
            await mallory.ready()
            alice.type_text("a", 0, "mine ")
            await alice.flush()
            await mallory.until(lambda: mallory.cells()[0]["source"] == "mine x")
            mallory.notebook.set_actor(alice.notebook.get_actor())
            mallory.type_text("a", 0, "forged ")
            await mallory.flush()
            await mallory.until(lambda: mallory.close_code)
            assert mallory.close_code == 4410
            alice.type_text("a", 0, "still ")
            await alice.flush()
            await alice.request("save_notebook", required_heads=alice.heads())
            assert alice.close_code is None
        assert v.read(room["path"])["cells"][0]["source"] == ["still mine x"]


async def test_a_client_that_comes_back_before_its_old_socket_is_closed_goes_on_under_its_actor(served: Served) -> None:
    async with served.visit() as v:
        room = await v.open(v.write(notebook(code_cell("x", "a"))))
        async with v.peer(room) as half_open:
            await half_open.ready()
            half_open.type_text("a", 0, "one ")
            await half_open.flush()
            async with v.peer(room, half_open.notebook) as again:
                await again.ready()
                again.type_text("a", 0, "two ")
                await again.flush()
                await again.request("save_notebook", required_heads=again.heads())
                assert again.close_code is None
        assert v.read(room["path"])["cells"][0]["source"] == ["two one x"]


async def test_a_client_whose_name_was_forged_comes_back_by_itself_with_all_it_has(served: Served) -> None:
    async with (
        served.visit("editor") as w,
        Client(served.url, token("executor")) as mine,
        mine.open(w.write(notebook(code_cell("x", "a"), code_cell("y", "b")))) as alice,
    ):
        await alice.cells["a"].append(" sent")
        await alice.confirm_sync()
        actor = alice._peer.view.notebook.replica.actor
        async with w.peer({"room_id": alice.room_id}) as mallory:
            await mallory.ready()
            await alice._peer._connection._transport.close()  # the line breaks, and is slow to come back
            await eventually(lambda: not alice.is_connected)
            mallory.notebook = Document.load(mallory.notebook.save())
            mallory.notebook.set_actor(actor)
            mallory.type_text("a", 0, "forged ")
            await mallory.flush()
            await alice.cells["b"].append(" unsent")
            await eventually(lambda: [cell.source for cell in alice.cells] == ["forged x sent", "y unsent"], 30)
            await alice.cells["b"].append(", and on")
            await alice.confirm_sync()
            await mallory.until(lambda: mallory.cells()[1]["source"] == "y unsent, and on")
            assert mallory.close_code is None


async def test_a_client_that_gets_a_change_in_its_own_name_comes_back_by_itself_with_all_it_has(served: Served) -> None:
    """It has made another change under that number, and not sent it yet."""
    async with (
        served.visit("editor") as w,
        Client(served.url, token("executor")) as mine,
        mine.open(w.write(notebook(code_cell("x", "a"), code_cell("y", "b")))) as alice,
        w.peer({"room_id": alice.room_id}) as mallory,
    ):
        await mallory.ready()
        view = alice._peer.view
        mallory.notebook.set_actor(view.notebook.replica.actor)
        view.edit(lambda document: document.set_source("b", "y unsent"))
        mallory.type_text("a", 0, "forged ")
        await mallory.flush()
        await eventually(lambda: [cell.source for cell in alice.cells] == ["forged x", "y unsent"], 30)
        await alice.cells["b"].append(", and on")
        await alice.confirm_sync()
        await mallory.until(lambda: mallory.cells()[1]["source"] == "y unsent, and on")
