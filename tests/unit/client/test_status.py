"""Status and presence frames as values; what a newer server leaves out or adds does no harm."""

from __future__ import annotations

from jupyter_runtimed.client.status import Cursor, People, Person, Status


def test_a_status_frame_is_read_whole() -> None:
    head = "ab" * 32
    status = Status.from_json(
        {
            "load": {"phase": "loading", "done": 3, "total": 9, "error": None},
            "path": "a/b.ipynb",
            "peer_id": "p1",
            "writable": True,
            "executable": False,
            "dirty": True,
            "epochs": {"notebook": "n", "runtime": "r"},
            "durable_heads": [head],
            "saved_heads": [],
            "last_saved": None,
        }
    )
    assert (status.phase, status.done, status.total) == ("loading", 3, 9)
    assert status.writable and not status.executable and status.dirty
    assert status.durable_heads == (bytes.fromhex(head),) and status.saved_heads == ()
    assert (status.notebook_epoch, status.runtime_epoch) == ("n", "r")


def test_presence_is_a_snapshot_and_then_changes() -> None:
    people = People()
    ada = {"user": {"name": "Ada"}, "cursor": {"cell_id": "a", "anchor": 1, "head": 3}, "focus": "a"}
    people.receive({"peers": {"me": {"user": {}}, "p1": ada}})
    assert people.others("me") == {"p1": Person("p1", {"name": "Ada"}, Cursor("a", 1, 3), "a")}
    people.receive({"peer_id": "p2", "user": {"name": "Bob"}})
    assert set(people.others("me")) == {"p1", "p2"}
    people.receive({"peer_id": "p1", "left": True})
    assert set(people.others("me")) == {"p2"}
    people.receive({"peers": {}})
    assert people.others("me") == {}


def test_a_cursor_told_as_automerge_cursors_is_not_guessed_at() -> None:
    person = Person.from_json("p", {"cursor": {"cell_id": "a", "anchor": "2@ab", "head": "2@ab"}, "focus": 7})
    assert person.cursor is None and person.focus is None
