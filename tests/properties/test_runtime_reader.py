"""A reader that reads again only what changed sees what a reader that reads everything sees."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from jupyter_runtimed.core.crdt import Replica, new_actor
from jupyter_runtimed.core.runtime import RuntimeDocument, RuntimeEdit
from jupyter_runtimed.core.runtime_reader import RuntimeReader

names = st.sampled_from(["e1", "e2", "e3"])
outputs = st.sampled_from(["o1", "o2", "o3"])
values = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text("ab", max_size=2),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("xyz"), inner, max_size=2),
    max_leaves=4,
)
edits = st.one_of(
    st.tuples(st.just("add"), names),
    st.tuples(st.just("status"), names, st.sampled_from(["running", "done"])),
    st.tuples(
        st.just("error"), names, st.dictionaries(st.sampled_from(["code", "message"]), st.text("ab", max_size=2))
    ),
    st.tuples(st.just("remove"), names),
    st.tuples(st.just("output"), names, outputs, values),
    st.tuples(st.just("stream"), names, outputs),
    st.tuples(st.just("piece"), names, outputs, st.text("ab", max_size=2)),
    st.tuples(st.just("last"), names, outputs, st.text("ab", max_size=2)),
    st.tuples(st.just("clear"), names),
    st.tuples(st.just("kernel"), st.sampled_from(["idle", "busy"])),
    st.tuples(st.just("comm"), names, values),
)
steps = st.lists(st.tuples(st.lists(edits, max_size=4), st.sets(names | st.just("all"))), max_size=12)


class Server:
    """The document, and edits that make sense in it."""

    def __init__(self) -> None:
        self.document = RuntimeDocument(new_actor())

    def apply(self, edit: RuntimeEdit, name: str, *arguments: Any) -> None:
        executions = self.document.executions
        known = executions.get(arguments[0])
        if name == "kernel":
            edit.set_kernel(status=arguments[0])
        elif name == "comm":
            edit.put_comm(arguments[0], {"state": {"value": arguments[1]}})
        elif name == "add":
            edit.add_execution(arguments[0], "c", seq=self.document.next_seq())
        elif name == "remove":
            edit.remove_execution(arguments[0])
        elif known is not None:
            self._within(edit, name, *arguments)

    def _within(self, edit: RuntimeEdit, name: str, execution_id: str, *arguments: Any) -> None:
        present = self.document.executions[execution_id].outputs
        if name in ("status", "error"):
            edit.update_execution(execution_id, **{name: arguments[0]})
        elif name == "clear":
            edit.clear_outputs(execution_id)
        elif name in ("output", "stream"):
            value: Any = {"output_type": "stream", "text": []} if name == "stream" else {"data": arguments[1]}
            if arguments[0] in present:
                edit.replace_output(execution_id, arguments[0], value)
            else:
                edit.add_output(execution_id, arguments[0], len(present), value)
        elif "text" in present.get(arguments[0], {}):
            if name == "piece":
                edit.append_piece(execution_id, *arguments)
            elif present[arguments[0]]["text"]:
                edit.replace_last_piece(execution_id, *arguments)


@settings(max_examples=150, deadline=None)
@given(steps)
def test_a_reader_sees_what_the_server_wrote(script: list[tuple[list[tuple[Any, ...]], set[str]]]) -> None:
    server = Server()
    replica = Replica(b"", actor=new_actor(), heads=(), known=())
    reader = RuntimeReader(replica)
    ours, theirs = replica.new_sync_state(), server.document.replica.new_sync_state()
    for changes, looks in script:
        with server.document.edit() as edit:
            for change in changes:
                server.apply(edit, *change)
        while True:
            up, down = replica.sync_generate(ours), server.document.replica.sync_generate(theirs)
            if up is None and down is None:
                break
            if up is not None:
                server.document.replica.sync_receive(theirs, up)
            if down is not None:
                replica.sync_receive(ours, down)
        for name in looks - {"all"}:
            assert reader.execution(name) == server.document.execution(name)
        if "all" in looks:
            assert reader.executions == server.document.executions
            assert reader.kernel == server.document.kernel and reader.comms == server.document.comms
    assert reader.executions == RuntimeReader(replica).executions == server.document.executions


def test_what_was_handed_out_is_not_changed_later() -> None:
    document = RuntimeDocument(new_actor())
    reader = RuntimeReader(document.replica)
    with document.edit() as edit:
        edit.add_execution("e", "c", seq=1)
        edit.add_output("e", "o", 0, {"output_type": "stream", "text": ["a"]})
    before = reader.execution("e")
    with document.edit() as edit:
        edit.append_piece("e", "o", "b")
        edit.add_output("e", "o2", 1, {"output_type": "stream", "text": []})
    assert before is not None and before.ordered_outputs() == [
        ("o", {"output_type": "stream", "text": ["a"], "seq": 0})
    ]
    assert [key for key, _ in reader.outputs("e")] == ["o", "o2"] and reader.outputs("none") == []
