"""A real server, two users: what one of them writes in the other's name."""

from __future__ import annotations

from tests.conformance.conftest import code_cell, notebook
from tests.integration.conftest import Served


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
            assert mallory.close_code == 1008
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
