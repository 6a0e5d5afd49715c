"""One document over one connection: cold as long as nobody changes anything, level whatever comes."""

from __future__ import annotations

import pytest

from jupyter_runtimed.client.synced import SyncedDocument
from jupyter_runtimed.core.crdt import Engine, EngineSyncState, Follower, new_actor, parse_sync
from jupyter_runtimed.core.document import NotebookDocument, new_notebook_replica
from jupyter_runtimed.core.errors import Malformed
from jupyter_runtimed.core.limits import Limits
from jupyter_runtimed.core.sync import DocumentSync
from tests.support.client_hub import Hub
from tests.support.memory_transport import settle
from tests.unit.client.conftest import Join


class Server:
    """A document as the server has it: one snapshot chunk."""

    def __init__(self, *sources: str) -> None:
        self.document = NotebookDocument(new_notebook_replica(new_actor()))
        for index, source in enumerate(sources):
            self.document.insert_cell("code", source, id=f"c{index}")
        self.replica = self.document.replica
        self.replica.compact()
        self.begin()

    def begin(self) -> None:
        self.sync = DocumentSync(self.replica, Limits())
        self.hello = self.sync.join("p")

    def exchange(self, client: SyncedDocument) -> int:
        """Let both say what they have to say; how many messages it took."""
        number = 0
        while True:
            up = client.outgoing()
            if up is not None:
                self.sync.receive("p", up, may_write=True)
            down = self.sync.outgoing("p")
            if down is not None:
                client.receive(down)
            if up is None and down is None:
                return number
            number += (up is not None) + (down is not None)
            assert number < 50, "it does not settle"

    def connect(self, client: SyncedDocument) -> int:
        client.restart()
        self.begin()
        client.receive(self.hello)
        return self.exchange(client)


def empty() -> SyncedDocument:
    return SyncedDocument(Follower(new_actor()))


def sources(client: SyncedDocument) -> list[str]:
    return [cell.source for cell in NotebookDocument(client.replica).cells()]


def test_a_level_client_tells_the_engines_protocol_nothing_for_it_walks_the_whole_history(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    server, client = Server("a"), empty()
    server.connect(client)
    document = NotebookDocument(client.replica)
    document.splice("c0", 0, 0, "mine ")
    server.exchange(client)
    told: list[tuple[bytes, ...]] = []
    take_in = Engine.receive

    def receive(engine: Engine, state: EngineSyncState, message: bytes) -> None:
        told.append(parse_sync(message).heads)
        take_in(engine, state, message)

    monkeypatch.setattr(Engine, "receive", receive)
    for number in range(5):
        server.document.splice("c0", 0, 0, f"{number}")
        document.splice("c0", 0, 0, "x")
        up = client.outgoing()
        assert up is not None and len(parse_sync(up).changes) == 1, "its own change, and nobody else's"
        server.sync.receive("p", up, may_write=True)
        assert client.outgoing() is None, "what was sent is not sent again"
        server.exchange(client)
    assert sources(client) == [cell.source for cell in server.document.cells()]
    assert client.replica.heads == server.replica.heads and set(told) <= {()}


def test_what_a_level_client_had_not_sent_goes_up_over_the_next_connection() -> None:
    server, client = Server("a"), empty()
    server.connect(client)
    document = NotebookDocument(client.replica)
    document.splice("c0", 0, 0, "1")
    server.exchange(client)
    document.splice("c0", 0, 0, "2")
    assert client.outgoing() is not None, "and it is lost with the connection"
    server.document.splice("c0", 0, 0, "0")
    server.connect(client)
    document.splice("c0", 0, 0, "3")
    server.exchange(client)
    assert sources(client) == [cell.source for cell in server.document.cells()]
    assert sorted(sources(client)[0]) == ["0", "1", "2", "3", "a"]


def test_who_watches_others_type_says_nothing_until_there_is_something_to_say() -> None:
    server, client = Server("a"), empty()
    server.connect(client)
    for _ in range(20):
        server.document.splice("c0", 0, 0, "x")
        message = server.sync.outgoing("p")
        assert message is not None
        client.receive(message)
        assert client.outgoing() is None and client.is_level
    document = NotebookDocument(client.replica)
    document.append("c0", "!")
    assert not client.server_has(client.replica.heads)
    assert server.exchange(client) == 2
    assert server.replica.heads == client.replica.heads and client.server_has(client.replica.heads)
    assert sources(client) == ["x" * 20 + "a!"]


def test_a_document_that_is_only_read_never_meets_the_engine() -> None:
    server, client = Server("a", "b"), empty()
    assert server.connect(client) == 3
    assert client.is_level and not client.replica.is_hot and client.replica.heads == server.replica.heads
    assert client.content is not None and set(client.content["cells"]) == {"c0", "c1"}
    assert server.connect(client) <= 2 and not client.replica.is_hot
    assert sources(client) == ["a", "b"]


def test_edits_of_either_side_wake_it_and_reach_the_other() -> None:
    for first in ("ours", "theirs"):
        server, client = Server("a"), empty()
        server.connect(client)
        document = NotebookDocument(client.replica)
        for side in (first, "ours", "theirs"):
            if side == "ours":
                document.append("c0", "o")
            else:
                server.document.append("c0", "t")
            server.exchange(client)
        assert document.cell("c0").source == server.document.cell("c0").source
        assert client.server_has(client.replica.heads) and client.replica.heads == server.replica.heads


@pytest.mark.parametrize("was_read", [True, False])
def test_a_cold_replica_that_was_away_brings_and_gets_what_is_missing(was_read: bool) -> None:
    server, client = Server("a"), empty()
    server.connect(client)
    document = NotebookDocument(client.replica)
    if was_read:
        assert document.cell("c0").source == "a"
    server.document.append("c0", "t")
    document.append("c0", "o")
    server.connect(client)
    assert set(document.cell("c0").source) == {"a", "o", "t"}
    assert document.cell("c0").source == server.document.cell("c0").source and client.is_level


def test_what_is_confirmed_is_what_the_server_has_said_on_this_connection() -> None:
    server, client = Server("a"), empty()
    assert not client.is_level and not client.server_has(())
    server.connect(client)
    before = client.replica.heads
    NotebookDocument(client.replica).append("c0", "o")
    own = client.replica.heads
    assert client.server_has(before) and not client.server_has(own)
    server.exchange(client)
    assert client.server_has(own) and client.server_has(before)
    server.document.append("c0", "t")
    server.exchange(client)
    assert client.server_has(own) and client.is_in(own, server.replica.heads) and not client.is_in(own, before)
    client.restart()
    assert not client.server_has(before) and not client.is_level


def test_heads_we_do_not_have_tell_nothing() -> None:
    server, client = Server("a"), empty()
    server.connect(client)
    assert not client.is_in(client.replica.heads, (b"x" * 32,)) and not client.is_in((b"x" * 32,), client.replica.heads)


def test_a_message_that_does_not_parse_is_refused() -> None:
    server, client = Server("a"), empty()
    server.connect(client)
    for broken in (b"", b"junk", b"\x42\xff\xff\xff\xff", parse_sync(server.hello).capabilities):
        with pytest.raises(Malformed):
            client.receive(broken)
    assert client.is_level and sources(client) == ["a"]


async def test_a_notebook_that_is_only_read_stays_cold_whatever_is_read_of_it(join: Join) -> None:
    hub = Hub()
    hub.start_notebook(Server("a", "b").replica)
    async with join(hub) as notebook:
        assert [cell.source for cell in notebook.cells] == ["a", "b"] and notebook.cells["c1"].metadata == {}
        assert notebook.metadata.to_dict() == {} and notebook.cells.find("b") == [notebook.cells[1]]
        await notebook.confirm_sync(5)
        assert not notebook._peer.view.notebook.replica.is_hot
        hub.edit(lambda document: document.append("c0", "!"))
        await settle()
        await notebook.cells[1].append("?")
        assert [cell.source for cell in notebook.cells] == ["a!", "b?"]
        await notebook.confirm_sync(5)
        assert hub.notebook.cell("c1").source == "b?"
