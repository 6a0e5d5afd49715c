"""What people do with an open notebook: read, edit, confirm, save, ask."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from jupyter_runtimed.client.errors import HeadsUnconfirmed, NotebookClosed
from jupyter_runtimed.client.status import Cursor
from jupyter_runtimed.client.view import Change
from jupyter_runtimed.core.crdt import Engine, new_actor
from jupyter_runtimed.core.errors import BadRequest, FileExists, Forbidden, NoKernel, NoSuchCell, PathAlreadyOpen
from jupyter_runtimed.core.frames import FrameType
from jupyter_runtimed.core.ids import heads_to_hex
from tests.support.client_hub import Hub
from tests.support.memory_transport import settle
from tests.unit.client.conftest import Join


def hub_with(*sources: str) -> Hub:
    hub = Hub()
    for index, source in enumerate(sources):
        hub.notebook.insert_cell("code", source, id=f"c{index}")
    return hub


async def test_a_notebook_that_is_open_is_whole(join: Join) -> None:
    hub = hub_with("a", "b", "c")
    hub.notebook.set_metadata("kernelspec", {"name": "python3"})
    async with join(hub) as notebook:
        assert [cell.source for cell in notebook.cells] == ["a", "b", "c"]
        assert notebook.cells.ids == ["c0", "c1", "c2"] and len(notebook.cells) == 3
        assert notebook.metadata["kernelspec"] == {"name": "python3"} and notebook.path == "a.ipynb"
        assert notebook.kernel["status"] == "not_started"


async def test_cells_are_found_by_id_index_and_text(join: Join) -> None:
    async with join(hub_with("import x", "print(x)", "y = 1")) as notebook:
        cells = notebook.cells
        assert cells["c1"] == cells[1] == cells.get("c1") and cells[-1].id == "c2"
        assert [cell.id for cell in cells.find("x")] == ["c0", "c1"] and cells.find("x", "markdown") == []
        assert "c1" in cells and cells[0] in cells and "nowhere" not in cells
        assert cells.index(cells[2]) == 2 and cells.index("c1") == 1 and {cells[0], cells["c0"]} == {cells[0]}
        with pytest.raises(IndexError):
            cells[3]
        for lookup in (lambda: cells["nowhere"], lambda: cells.index("nowhere")):
            with pytest.raises(NoSuchCell):
                lookup()


async def test_edits_show_at_once_and_reach_the_server(join: Join) -> None:
    hub = hub_with("hello")
    async with join(hub) as notebook:
        cell = notebook.cells[0]
        writing = asyncio.ensure_future(cell.append(" wörld 🎉"))
        await asyncio.sleep(0)
        assert cell.source == "hello wörld 🎉"
        await writing
        await cell.splice(0, 1, "J")
        await cell.set_type("markdown")
        await cell.set_metadata("tags", ["a", {"b": None}])
        await cell.set_metadata("gone", 1)
        await cell.delete_metadata("gone")
        await cell.delete_metadata("never was")
        assert (cell.source, cell.cell_type, cell.metadata) == (
            "Jello wörld 🎉",
            "markdown",
            {"tags": ["a", {"b": None}]},
        )
        await notebook.metadata.set("k", [1])
        await notebook.metadata.set("gone", 1)
        await notebook.metadata.delete("gone")
        await notebook.metadata.delete("never was")
        assert dict(notebook.metadata.to_dict()) == {"k": [1]} and list(notebook.metadata) == ["k"]
        await notebook.confirm_sync(5)
        there = hub.notebook.cell(cell.id)
        assert (there.source, there.cell_type, there.metadata) == (cell.source, cell.cell_type, cell.metadata)
        assert hub.notebook.metadata() == {"k": [1]}


async def test_cells_are_made_moved_and_deleted_where_one_says(join: Join) -> None:
    async with join(hub_with("a", "b")) as notebook:
        cells = notebook.cells
        end = await cells.create("end", "raw", metadata={"m": 1})
        front = await cells.insert(0, "# front", "markdown")
        middle = await cells.create("middle", after=cells["c0"])
        assert [cell.source for cell in cells] == ["# front", "a", "middle", "b", "end"]
        assert (end.cell_type, end.metadata, front.cell_type, middle.cell_type) == ("raw", {"m": 1}, "markdown", "code")
        await middle.move(index=0)
        await front.move(after="c1")
        await cells["c0"].move()
        assert [cell.source for cell in cells] == ["middle", "b", "# front", "end", "a"]
        await end.delete()
        assert not end.exists and len(cells) == 4
        for use in (lambda: end.source, lambda: end.state):
            with pytest.raises(NoSuchCell):
                use()
        with pytest.raises(NoSuchCell):
            await end.set_source("x")
        with pytest.raises(ValueError, match="not both"):
            await cells.create("x", index=1, after=middle)
        with pytest.raises(BadRequest):
            await cells.create("x", "poem")


async def test_what_others_do_is_seen_and_told(join: Join) -> None:
    hub = hub_with("a")
    async with join(hub) as notebook:
        seen: list[tuple[Change, str]] = []
        end = notebook.on_change(lambda change: seen.append((change, notebook.cells[0].source)))
        hub.edit(lambda document: document.splice("c0", 1, 0, "b"))
        await settle()
        assert seen == [(Change(notebook=True), "ab")]
        await notebook.cells[0].append("c")
        assert seen[1] == (Change(notebook=True, is_local=True), "abc")
        end()
        await notebook.cells[0].append("d")
        await settle()
        assert not any(change.notebook for change, _ in seen[2:])


async def test_a_listener_that_fails_harms_nobody(join: Join, caplog: pytest.LogCaptureFixture) -> None:
    async with join(hub_with("a")) as notebook:
        seen: list[Change] = []

        def fail(_: Change) -> None:
            raise KeyError("a listener's own fault")

        notebook.on_change(fail)
        notebook.on_change(seen.append)
        await notebook.cells[0].append("b")
        assert seen and "listener failed" in caplog.text


async def test_two_notebooks_of_one_room_converge(join: Join) -> None:
    hub = hub_with("hello")
    async with join(hub) as alice, join(hub) as bob:
        await asyncio.gather(alice.cells[0].append("!"), bob.cells[0].splice(0, 0, ">"), bob.cells.create("new"))
        await alice.confirm_sync(5)
        await bob.confirm_sync(5)
        await settle()
        assert alice.heads == bob.heads == hub.notebook.replica.heads
        assert [cell.source for cell in alice.cells] == [cell.source for cell in bob.cells] == [">hello!", "new"]


async def test_confirmation_waits_for_the_servers_word(join: Join) -> None:
    hub = hub_with("a")
    async with join(hub) as notebook:
        hub.silent = True
        await notebook.cells[0].append("b")
        waiting = asyncio.ensure_future(notebook.confirm_sync(5))
        await settle()
        assert hub.notebook.cell("c0").source == "ab" and not waiting.done()
        hub.silent = False
        hub.flush()
        assert await waiting == notebook.heads


async def test_confirmation_that_does_not_come_raises(join: Join) -> None:
    """Seed 713's review: a bounded wait that ends well all the same hides a race."""
    hub = hub_with("a")
    async with join(hub) as notebook:
        hub.silent = True
        await notebook.cells[0].append("b")
        with pytest.raises(HeadsUnconfirmed, match="not within 0"):
            await notebook.confirm_sync(0.01)
        assert notebook.cells[0].source == "ab"
        hub.silent = False
        hub.flush()
        await notebook.confirm_sync(5)


async def test_heads_are_confirmed_though_others_went_on(join: Join) -> None:
    """What counts is that our changes are in the server's history, not that they are its last."""
    hub = hub_with("a")
    async with join(hub) as notebook:
        hub.silent = True
        await notebook.cells[0].append("b")
        await settle()
        waiting = asyncio.ensure_future(notebook.confirm_sync(5))
        hub.notebook.splice("c0", 0, 0, "x")
        hub.silent = False
        hub.flush()
        confirmed = await waiting
        assert confirmed != hub.notebook.replica.heads and hub.notebook.replica.contains(confirmed)


async def test_news_of_others_confirm_nothing_of_ours(join: Join) -> None:
    hub = hub_with("a")
    async with join(hub) as notebook:
        transport = hub.transports[0]
        transport.hold()
        writing = asyncio.ensure_future(notebook.cells[0].append("b"))
        await settle()
        hub.edit(lambda document: document.splice("c0", 0, 0, "x"))
        await settle()
        assert notebook.cells[0].source == "xab"
        with pytest.raises(HeadsUnconfirmed):
            await notebook.confirm_sync(0.01)
        transport.release()
        await writing
        await notebook.confirm_sync(5)


async def test_durable_is_what_the_status_says_is_durable(join: Join) -> None:
    hub = hub_with("a")
    async with join(hub) as notebook:
        await notebook.cells[0].append("b")
        await notebook.confirm_sync(5)
        with pytest.raises(HeadsUnconfirmed):
            await notebook.wait_durable(0.01)
        waiting = asyncio.ensure_future(notebook.wait_durable(5))
        await settle()
        hub.tell_status(durable_heads=hub.heads, saved_heads=hub.heads, dirty=False)
        assert await waiting == notebook.durable_heads == notebook.saved_heads and not notebook.dirty


async def test_a_reader_changes_nothing_not_even_at_home(join: Join) -> None:
    hub = hub_with("a")
    hub.status["writable"] = False
    async with join(hub) as notebook:
        before = notebook.heads
        with pytest.raises(Forbidden):
            await notebook.cells[0].append("b")
        with pytest.raises(Forbidden):
            await notebook.cells.create("b")
        assert notebook.heads == before and notebook.cells[0].source == "a"


async def test_saving_names_the_changes_it_must_have(join: Join) -> None:
    hub = hub_with("a")
    hub.answers["save_notebook"] = lambda _: {"path": "b.ipynb", "saved_heads": hub.heads}
    async with join(hub) as notebook:
        await notebook.cells[0].append("b")
        assert await notebook.save() == notebook.heads
        assert hub.requests[0]["required_heads"] == heads_to_hex(notebook.heads) and "path" not in hub.requests[0]
        await notebook.save("b.ipynb", overwrite=True)
        assert hub.requests[1]["path"] == "b.ipynb" and hub.requests[1]["overwrite"] is True


async def test_refusals_of_the_server_are_its_own_errors(join: Join) -> None:
    hub = hub_with("a")

    def refuse(error: Exception) -> Any:
        def answer(_: dict[str, Any]) -> dict[str, Any]:
            raise error

        return answer

    async with join(hub) as notebook:
        hub.answers["save_notebook"] = refuse(PathAlreadyOpen("open elsewhere", room_id="r2", path="b.ipynb"))
        with pytest.raises(PathAlreadyOpen) as refused:
            await notebook.save("b.ipynb")
        assert refused.value.details == {"room_id": "r2", "path": "b.ipynb"}
        hub.answers["save_notebook"] = refuse(FileExists("there"))
        with pytest.raises(FileExists):
            await notebook.save("c.ipynb")
        hub.answers["interrupt_kernel"] = refuse(NoKernel("none"))
        with pytest.raises(NoKernel):
            await notebook.interrupt()


async def test_questions_to_the_kernel_say_what_the_protocol_asks_for(join: Join) -> None:
    hub = hub_with("a")
    async with join(hub) as notebook:
        await notebook.complete("é = va")
        await notebook.complete("abc", 1)
        await notebook.inspect("abc", detail_level=1)
        await notebook.history(5, "x*")
        await notebook.history()
        await notebook.is_complete("for")
        await notebook.start_kernel("python3")
        await notebook.start_kernel()
        await notebook.restart()
        await notebook.shutdown_kernel()
        await notebook.clear_outputs()
        await notebook.cells[0].clear_outputs()
        asked = [{k: v for k, v in request.items() if k not in ("id", "required_heads")} for request in hub.requests]
        assert asked == [
            {"action": "complete", "code": "é = va", "cursor_pos": 6},
            {"action": "complete", "code": "abc", "cursor_pos": 1},
            {"action": "inspect", "code": "abc", "cursor_pos": 3, "detail_level": 1},
            {"action": "history", "n": 5, "pattern": "x*"},
            {"action": "history", "n": 100},
            {"action": "is_complete", "code": "for"},
            {"action": "start_kernel", "kernel_name": "python3"},
            {"action": "start_kernel"},
            {"action": "restart_kernel"},
            {"action": "shutdown_kernel"},
            {"action": "clear_outputs"},
            {"action": "clear_outputs", "cell_ids": ["c0"]},
        ]


async def test_widgets_are_state_and_messages(join: Join) -> None:
    hub = hub_with("a")
    async with join(hub) as notebook:
        with hub.runtime.edit() as edit:
            edit.put_comm("w1", {"target_name": "jupyter.widget", "state": {"value": 3}})
        hub.flush()
        events: list[object] = []
        end = notebook.on_event(events.append)
        hub.tell(FrameType.EVENT, {"comm_id": "w1", "content": {"method": "custom"}})
        await settle()
        assert notebook.comms["w1"]["state"] == {"value": 3} and len(events) == 1
        end()
        hub.tell(FrameType.EVENT, {})
        content = {"comm_id": "w1", "data": {"method": "update", "state": {"value": 4}}}
        await notebook.send_comm("comm_msg", content, metadata={"m": 1}, buffers=[b"\x00\x01"])
        await notebook.send_comm("comm_close", {"comm_id": "w1"})
        said = [{key: value for key, value in request.items() if key != "id"} for request in hub.requests]
        assert said == [
            {"action": "comm", "msg_type": "comm_msg", "content": content, "metadata": {"m": 1}, "buffers": ["AAE="]},
            {"action": "comm", "msg_type": "comm_close", "content": {"comm_id": "w1"}},
        ]
        assert len(events) == 1


async def test_presence_is_said_and_seen(join: Join) -> None:
    hub = hub_with("a")
    async with join(hub) as notebook:
        notebook.presence.set(cursor=Cursor("c0", 0, 1), focus=notebook.cells[0])
        await settle()
        assert hub.presence == [{"cursor": {"cell_id": "c0", "anchor": 0, "head": 1}, "focus": "c0"}]
        assert notebook.presence.peers == {}
        hub.tell(FrameType.PRESENCE, {"peer_id": "p9", "user": {"name": "Bob"}, "focus": "c0"})
        await settle()
        assert notebook.presence.peers["p9"].user["name"] == "Bob" and notebook.presence.peers["p9"].focus == "c0"
        hub.tell(FrameType.PRESENCE, {"peer_id": "p9", "left": True})
        notebook.presence.clear()
        await settle()
        assert notebook.presence.peers == {} and hub.presence[-1] == {}


async def test_after_closing_reads_go_on_and_writes_say_so(join: Join) -> None:
    hub = hub_with("a")
    async with join(hub) as notebook:
        pass
    assert notebook.cells[0].source == "a" and not hub.transports[0].is_open
    with pytest.raises(NotebookClosed):
        await notebook.cells[0].append("b")
    with pytest.raises(NotebookClosed):
        await notebook.save()
    with pytest.raises(NotebookClosed):
        await notebook.confirm_sync()
    await notebook.close()


async def test_our_bytes_are_an_automerge_document(join: Join) -> None:
    hub = hub_with("a")
    async with join(hub) as notebook:
        loaded = Engine.load(notebook.document_bytes(), new_actor())
        assert loaded.heads == hub.notebook.replica.heads and loaded.extract() == hub.notebook.replica.engine.extract()
