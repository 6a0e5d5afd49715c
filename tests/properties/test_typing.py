"""People type in one notebook: what each client shows, and how it gets there without the engine, is what the engine says."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from jupyter_runtimed.client.synced import SyncedDocument
from jupyter_runtimed.core.crdt import Engine, Follower, Replica, new_actor
from jupyter_runtimed.core.document import NotebookDocument, new_notebook_replica
from jupyter_runtimed.core.limits import Limits
from jupyter_runtimed.core.sync import DocumentSync

who = st.integers(0, 2)
cell = st.sampled_from(["a", "b"])
place = st.integers(0, 9)
letter = st.sampled_from("aab é🎉")
steps = st.lists(
    st.one_of(
        st.tuples(st.just("type"), who, cell, place, letter),
        st.tuples(st.just("go_on"), who, letter),
        st.tuples(st.just("go_on"), who, letter),
        st.tuples(st.just("go_on"), who, letter),
        st.tuples(st.just("erase"), who, cell, place),
        st.tuples(st.just("paste"), who, cell, place),
        st.tuples(st.just("whole"), who, cell),
        st.tuples(st.just("remake"), who, cell),
        st.tuples(st.just("remove"), who, cell),
        st.tuples(st.just("meet"), who),
        st.tuples(st.just("meet"), who),
        st.tuples(st.just("look"), who),
    ),
    max_size=40,
)


class Person:
    """One client, and where it typed last."""

    def __init__(self, hub: DocumentSync, name: str) -> None:
        self.name = name
        self.hub = hub
        self.sync = SyncedDocument(Follower(new_actor()))
        self.document = NotebookDocument(self.sync.replica)
        self.last: tuple[str, int] = ("a", 0)
        self.sync.receive(hub.join(name))
        self.meet()

    def meet(self) -> None:
        """Say and hear until there is nothing left to say."""
        for _ in range(50):
            said = self.sync.outgoing()
            if said is not None:
                self.hub.receive(self.name, said, may_write=True)
            heard = self.hub.outgoing(self.name)
            if heard is not None:
                self.sync.receive(heard)
            if said is None and heard is None:
                return
        raise AssertionError("it does not settle")

    def type(self, cell_id: str, at: int, character: str) -> None:
        if self.document.has_cell(cell_id):
            at = min(at, len(self.document.cell(cell_id).source))
            self.document.splice(cell_id, at, 0, character)
            self.last = (cell_id, at + 1)

    def shown(self) -> list[tuple[str, str]]:
        return [(each.id, each.source) for each in self.document.cells()]

    def really(self) -> list[tuple[str, str]]:
        """What somebody reads in the bytes who knows nothing else."""
        replica = Replica.load(self.sync.replica.save(), actor=new_actor())
        assert replica.heads == self.sync.replica.heads
        return [(each.id, each.source) for each in NotebookDocument(replica).cells()]


class Room:
    """A server's document and three people."""

    def __init__(self) -> None:
        self.replica = new_notebook_replica(new_actor())
        document = NotebookDocument(self.replica)
        for name in ("a", "b"):
            document.insert_cell("code", "1234", id=name)
        self.hub = DocumentSync(self.replica, Limits())
        self.people = [Person(self.hub, name) for name in ("x", "y", "z")]

    def do_type(self, index: int, cell_id: str, at: int, character: str) -> None:
        self.people[index].type(cell_id, at, character)

    def do_go_on(self, index: int, character: str) -> None:
        """Type on behind what was typed last, as somebody does who writes a word."""
        person = self.people[index]
        person.type(*person.last, character)

    def do_erase(self, index: int, cell_id: str, at: int) -> None:
        document = self.people[index].document
        if document.has_cell(cell_id) and at < len(document.cell(cell_id).source):
            document.splice(cell_id, at, 1)

    def do_paste(self, index: int, cell_id: str, at: int) -> None:
        document = self.people[index].document
        if document.has_cell(cell_id):
            document.splice(cell_id, min(at, len(document.cell(cell_id).source)), 0, "<pasted>")

    def do_whole(self, index: int, cell_id: str) -> None:
        """Put a string in as one element, as other libraries may."""
        document = self.people[index].document
        source = document._source(cell_id) if document.has_cell(cell_id) else None
        if source is not None:
            with document.replica.transact() as writer:
                writer.insert(source, 0, "[]")

    def do_remake(self, index: int, cell_id: str) -> None:
        """Give a cell another Text, as a client may that knows no better."""
        document = self.people[index].document
        if document.has_cell(cell_id):
            document._change(
                lambda writer, cells: writer.put(document._cell_map(writer, cells, cell_id), "source", None)
            )

    def do_remove(self, index: int, cell_id: str) -> None:
        document = self.people[index].document
        if document.has_cell(cell_id) and len(document.cell_ids()) > 1:
            document.delete_cell(cell_id)

    def do_meet(self, index: int) -> None:
        self.people[index].meet()

    def do_look(self, index: int) -> None:
        assert self.people[index].shown() == self.people[index].really()


@settings(max_examples=150, deadline=None)
@given(steps)
def test_what_is_typed_is_shown_as_the_engine_says(script: list[tuple[object, ...]]) -> None:
    room = Room()
    for name, *arguments in script:
        getattr(room, f"do_{name}")(*arguments)
    for _ in range(2):
        for person in room.people:
            person.meet()
    for person in room.people:
        assert person.shown() == person.really()
        assert person.sync.replica.heads == room.replica.heads
    assert Engine.load(room.replica.save(), new_actor()).heads == room.replica.heads
