"""Coming, losing the connection, coming back, and the ends there are."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from jupyter_runtimed.client.connection import Backoff
from jupyter_runtimed.client.errors import Disconnected, NotebookClosed, TimedOut
from jupyter_runtimed.client.notebook import Notebook
from jupyter_runtimed.client.peer import Peer
from jupyter_runtimed.core.crdt import Replica, new_actor
from jupyter_runtimed.core.document import NotebookDocument, new_notebook_replica
from jupyter_runtimed.core.errors import Forbidden, Internal, LoadFailed, NoSuchRoom
from tests.support.client_hub import Hub
from tests.support.memory_transport import settle, until
from tests.unit.client.conftest import AT_ONCE, Join
from tests.unit.client.test_notebook import hub_with


async def back(hub: Hub, connections: int) -> None:
    """Wait until there have been so many connections and the last has settled."""
    await until(lambda: len(hub.transports) >= connections)
    await settle()


async def ended(notebook: Notebook) -> None:
    """Wait until the notebook's last connection is over for good."""
    await until(lambda: not notebook._peer.is_alive)


# ---- coming ----


async def test_a_room_that_loads_is_waited_for(join: Join) -> None:
    hub = hub_with("a")
    hub.status["load"] = {"phase": "loading", "done": 1, "total": 3, "error": None}
    peer = Peer(hub, "room", new_actor=new_actor, backoff=AT_ONCE)
    starting = asyncio.ensure_future(peer.start(5))
    await settle()
    assert not starting.done() and peer.view.notebook.cell_ids() == ["c0"]
    hub.edit(lambda document: document.insert_cell("code", "b", id="c1"))
    hub.tell_status(load={"phase": "ready", "done": 2, "total": 2, "error": None})
    await starting
    assert peer.view.notebook.cell_ids() == ["c0", "c1"]
    await peer.stop()


async def test_a_file_that_cannot_be_loaded_says_why() -> None:
    hub = Hub()
    hub.status["load"] = {
        "phase": "failed",
        "done": 0,
        "total": 0,
        "error": {"code": "load_failed", "message": "line 3"},
    }
    peer = Peer(hub, "room", new_actor=new_actor, backoff=AT_ONCE)
    with pytest.raises(LoadFailed, match="line 3"):
        await peer.start(5)
    assert not hub.transports[0].is_open and not peer.is_alive


async def test_a_room_that_is_not_there_is_an_error_at_once() -> None:
    peer = Peer(Hub(), "elsewhere", new_actor=new_actor, backoff=AT_ONCE)
    with pytest.raises(NoSuchRoom):
        await peer.start(5)


async def test_a_door_that_is_shut_is_an_error_at_once() -> None:
    hub = Hub()
    hub.refusal = Forbidden("no")
    with pytest.raises(Forbidden):
        await Peer(hub, "room", new_actor=new_actor, backoff=AT_ONCE).start(5)


async def test_a_notebook_that_does_not_come_in_time_leaves_nothing_behind() -> None:
    hub = hub_with("a")
    hub.silent = True
    peer = Peer(hub, "room", new_actor=new_actor, backoff=AT_ONCE)
    with pytest.raises(TimedOut, match="to be loaded"):
        await peer.start(0.01)
    assert not hub.transports[0].is_open


# ---- coming back ----


async def test_edits_made_without_a_connection_go_up_with_the_next(join: Join) -> None:
    hub = hub_with("a")
    async with join(hub) as notebook:
        hub.refusal = Disconnected("away")
        hub.drop()
        await settle()
        assert not notebook.is_connected
        await notebook.cells[0].append(" offline")
        await notebook.cells.create("new")
        hub.edit(lambda document: document.splice("c0", 0, 0, "meanwhile "))
        hub.refusal = None
        await back(hub, 2)
        assert await notebook.confirm_sync(5) == hub.notebook.replica.heads
        assert [cell.source for cell in hub.notebook.cells()] == ["meanwhile a offline", "new"]
        assert notebook.cells[0].source == "meanwhile a offline" and notebook.is_connected


async def test_what_an_old_connection_confirmed_is_not_taken_for_granted(join: Join) -> None:
    """The server may have lost what it had: the next connection has to say it anew."""
    hub = hub_with("a")
    before = hub.notebook.replica.save()
    async with join(hub) as notebook:
        await notebook.cells[0].append("b")
        await notebook.confirm_sync(5)
        hub.refusal = Disconnected("away")
        hub.drop()
        hub.start_notebook(Replica.load(before, actor=new_actor()))
        waiting = asyncio.ensure_future(notebook.confirm_sync(5))
        await settle()
        assert not waiting.done()
        hub.refusal = None
        await waiting
        assert hub.notebook.cell("c0").source == "ab"


async def test_the_old_outputs_are_shown_until_the_new_document_is_whole(join: Join) -> None:
    hub = hub_with("a")
    hub.execute("e1", "c0", "done")
    hub.output("e1", "o1", {"output_type": "stream", "name": "stdout", "text": ["old"]})
    async with join(hub) as notebook:
        shown: list[list[str]] = []
        notebook.on_change(lambda _: shown.append([output.text for output in notebook.cells[0].outputs]))
        hub.drop()
        hub.start_runtime()
        with hub.runtime.edit() as edit:
            edit.add_execution("e1", "c0", seq=1, status="done")
            edit.add_output("e1", "o2", 1, {"output_type": "stream", "name": "stdout", "text": ["new"]})
        await back(hub, 2)
        assert shown[-1] == ["new"] and [] not in shown


async def test_presence_is_said_again(join: Join) -> None:
    hub = hub_with("a")
    async with join(hub) as notebook:
        notebook.presence.set(focus="c0")
        await settle()
        hub.drop()
        await back(hub, 2)
        assert hub.presence == [{"focus": "c0"}] * 2


async def test_an_answer_that_was_due_is_lost_and_said_to_be(join: Join) -> None:
    hub = hub_with("a")

    def never(_: dict[str, Any]) -> dict[str, Any]:
        hub.drop()
        return {}

    hub.answers["restart_kernel"] = never
    async with join(hub) as notebook:
        with pytest.raises(Disconnected, match="may have been done"):
            await notebook.restart()


async def test_a_request_waits_for_the_next_connection(join: Join) -> None:
    hub = hub_with("a")
    async with join(hub) as notebook:
        hub.refusal = Disconnected("away")
        hub.drop()
        await settle()
        asking = asyncio.ensure_future(notebook.interrupt())
        await settle()
        assert not asking.done() and hub.requests == []
        hub.refusal = None
        await asking
        assert [request["action"] for request in hub.requests] == ["interrupt_kernel"]


async def test_a_room_the_server_forgot_is_opened_by_its_path(join: Join) -> None:
    hub = hub_with("a")
    hub.answers["open_room"] = lambda said: {"room_id": "another" if said["path"] == "a.ipynb" else ""}
    async with join(hub) as notebook:
        await notebook.cells[0].append("b")
        await notebook.confirm_sync(5)
        hub.room_id = "another"
        hub.drop(1001)
        await back(hub, 3)
        assert notebook.room_id == "another" and notebook.is_connected
        await notebook.confirm_sync(5)


async def test_trying_again_ends_with_the_reason(join: Join) -> None:
    hub = hub_with("a")
    async with join(hub, backoff=Backoff(first_s=0, max_s=0, give_up_after_s=0)) as notebook:
        waiting = asyncio.ensure_future(notebook.wait_durable(5))
        await settle()
        hub.refusal = Disconnected("no server at this address")
        hub.drop()
        with pytest.raises(Disconnected, match="no server at this address"):
            await waiting
        with pytest.raises(Disconnected, match="no server at this address"):
            await notebook.cells[0].append("b")
        assert notebook.cells[0].source == "a"


@pytest.mark.parametrize(("code", "kind"), [(4403, Forbidden), (4409, NotebookClosed), (1002, Internal)])
async def test_ends_that_are_final_say_why(join: Join, code: int, kind: type[Exception]) -> None:
    hub = hub_with("a")
    async with join(hub) as notebook:
        hub.drop(code)
        await ended(notebook)
        with pytest.raises(kind):
            await notebook.cells[0].append("b")
        assert len(hub.transports) == 1


# ---- another lineage ----


def another_import(*sources: str) -> Replica:
    replica = new_notebook_replica(new_actor())
    document = NotebookDocument(replica)
    for index, source in enumerate(sources):
        document.insert_cell("code", source, id=f"c{index}")
    return replica


def merging(hub: Hub) -> None:
    """Let the hub put the first cell's text of what it is handed into its own document."""

    def merge(said: dict[str, Any]) -> dict[str, Any]:
        theirs = NotebookDocument(Replica.load(said["document"], actor=new_actor()))
        hub.notebook.set_source("c0", theirs.cell("c0").source)
        hub.notebook.insert_cell("code", "aside", id="aside")
        return {"heads": hub.heads, "kept_aside": ["aside"]}

    hub.answers["merge"] = merge


async def test_another_lineage_gets_our_edits_by_the_merge_and_gives_us_its_own(join: Join) -> None:
    hub = hub_with("a")
    async with join(hub) as notebook:
        hub.transports[0].hold()
        writing = asyncio.ensure_future(notebook.cells[0].append(" unsent"))
        await settle()
        merging(hub)
        hub.drop(4410)
        hub.start_notebook(another_import("a", "new on disk"))
        await back(hub, 2)
        await writing
        assert len(hub.merged) == 1
        assert [cell.source for cell in notebook.cells] == ["a unsent", "new on disk", "aside"]
        assert notebook.heads == hub.notebook.replica.heads and [cell.id for cell in notebook.kept_aside] == ["aside"]
        await notebook.cells[0].append("!")
        await notebook.confirm_sync(5)
        assert hub.notebook.cell("c0").source == "a unsent!"


async def test_edits_wait_while_a_merge_goes_on_and_the_old_cells_stay_in_sight(join: Join) -> None:
    hub = hub_with("a")
    async with join(hub) as notebook:
        await notebook.cells[0].append(" edited")
        merging(hub)
        release = asyncio.Event()
        merge = hub.merge

        async def slow_merge(room_id: str, document: bytes, *heads: Any) -> Any:
            hub.start_notebook(another_import("a", "b"))
            await release.wait()
            return await merge(room_id, document, *heads)

        hub.merge = slow_merge  # type: ignore[method-assign]
        hub.drop(4410)
        await settle()
        writing = asyncio.ensure_future(notebook.cells[0].append("!"))
        confirming = asyncio.ensure_future(notebook.confirm_sync(5))
        saving = asyncio.ensure_future(notebook.save())
        await settle()
        assert (
            not writing.done()
            and not confirming.done()
            and hub.requests == []
            and [cell.source for cell in notebook.cells] == ["a edited"]
        )
        release.set()
        await writing
        await saving
        assert hub.notebook.replica.contains(await confirming)
        assert [cell.source for cell in notebook.cells] == ["a edited!", "b", "aside"]
        await notebook.confirm_sync(5)
        assert hub.notebook.cell("c0").source == "a edited!"


async def test_who_has_edited_nothing_takes_another_lineage_without_a_merge(join: Join) -> None:
    hub = hub_with("a")
    async with join(hub) as notebook:
        hub.refusal = Disconnected("away")
        hub.drop(4410)
        hub.start_notebook(another_import("other"))
        hub.refusal = None
        await back(hub, 2)
        assert hub.merged == [] and [cell.source for cell in notebook.cells] == ["other"]


async def test_each_life_of_a_replica_has_an_actor_of_its_own(join: Join) -> None:
    hub = hub_with("a")
    async with join(hub) as one, join(hub) as two:
        actors = {one._peer.view.notebook.replica.actor, two._peer.view.notebook.replica.actor}
        hub.refusal = Disconnected("away")
        hub.drop(4410)
        hub.start_notebook(another_import("other"))
        hub.refusal = None
        await back(hub, 4)
        actors |= {one._peer.view.notebook.replica.actor, two._peer.view.notebook.replica.actor}
        assert len(actors) == 4
