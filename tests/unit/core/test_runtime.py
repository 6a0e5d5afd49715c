"""The runtime document: the mirror, the Automerge document and its history say the same, whatever was edited."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jupyter_runtimed.core.crdt import EngineRefused, Replica, new_actor
from jupyter_runtimed.core.runtime import Execution, RuntimeDocument, RuntimeEdit, execution_from_json
from jupyter_runtimed.core.runtime_reader import RuntimeReader

STREAM = {"output_type": "stream", "name": "stdout", "text": ["a", {"blob": "0" * 64, "size": 5}]}
DISPLAY = {
    "output_type": "display_data",
    "data": {"text/plain": "x", "application/json": [1, {"a": None}]},
    "metadata": {},
}


def execution(name: str, seq: int = 1, **fields: Any) -> Execution:
    outputs = {f"{name}-0": {**STREAM, "text": list(STREAM["text"]), "seq": 0}, f"{name}-1": {**DISPLAY, "seq": 1}}
    return Execution(name, f"cell-{name}", seq=seq, status="done", outputs=outputs, **fields)


def loaded() -> RuntimeDocument:
    runtime = RuntimeDocument(b"server", kernel={"name": "python3"})
    runtime.load([execution("one"), execution("two", 2, execution_count=7)])
    return runtime


def content(runtime: RuntimeDocument) -> Any:
    """What any Automerge library reads out of the document's bytes."""
    return Replica.load(runtime.replica.save(), actor=new_actor()).engine.extract()


def test_a_new_document_says_that_there_is_no_kernel_yet() -> None:
    runtime = RuntimeDocument(b"server")
    assert content(runtime) == {
        "schema_version": 1,
        "kernel": {"name": "", "display_name": "", "language": "", "kernel_id": None, "status": "not_started"},
        "executions": {},
        "comms": {},
    }


def test_what_was_loaded_stands_in_a_document_without_an_engine() -> None:
    """Most rooms are only read: the document of a file's outputs is written by us, in one change."""
    runtime = loaded()
    assert not runtime.replica.is_hot and len(runtime.replica.heads) == 1
    assert content(runtime) == runtime.state()
    assert runtime.outputs("one") == [("one-0", {**STREAM, "seq": 0}), ("one-1", {**DISPLAY, "seq": 1})]
    assert runtime.outputs(None) == runtime.outputs("gone") == [] and runtime.execution("gone") is None
    assert runtime.next_seq() == 3 and runtime.next_seq() == 4


def test_numbers_of_the_schema_are_uint_and_no_number_is_too_odd() -> None:
    runtime = RuntimeDocument(b"server")
    strange = {"output_type": "execute_result", "data": {}, "metadata": {}, "execution_count": -129, "seq": 0}
    runtime.load([Execution("e", "c", seq=3, execution_count=2**62, outputs={"o": strange})])
    assert content(runtime) == runtime.state()
    engine = runtime.replica.engine
    executions = engine.child(b"\x00", "executions")
    assert executions is not None
    found = engine.get(engine.child(executions, "e") or b"", "seq")
    assert found is not None and "uint" in str(found[0][0]).lower()


def test_an_execution_from_its_first_to_its_last_word() -> None:
    runtime = RuntimeDocument(b"server")
    with runtime.edit() as edit:
        edit.set_kernel(name="python3", status="busy", error=None)
        edit.add_execution("e", "c", seq=1, status="queued", submitted_by="alice", queued_at="2026-01-01T00:00:00Z")
    before = runtime.replica.log_end
    with runtime.edit() as edit:
        edit.update_execution("e", status="running", started_at="2026-01-01T00:00:01Z", execution_count=3)
        edit.add_output("e", "o1", 0, {"output_type": "stream", "name": "stdout", "text": ["one\n"]})
        edit.append_piece("e", "o1", "two")
        edit.replace_last_piece("e", "o1", {"blob": "1" * 64, "size": 9})
        edit.add_output("e", "o2", 1, DISPLAY)
        edit.replace_output("e", "o2", {**DISPLAY, "data": {"text/plain": "updated"}})
        edit.set_input_request("e", {"request_id": "r", "prompt": "?", "password": False})
        edit.put_comm("comm", {"target_name": "jupyter.widget", "state": {"value": 1}})
        edit.set_comm_state("comm", "value", [2, {"x": 1}])
    assert runtime.replica.log_end == before + 1
    assert content(runtime) == runtime.state()
    assert runtime.outputs("e")[0][1]["text"] == ["one\n", {"blob": "1" * 64, "size": 9}]
    assert runtime.comms["comm"]["state"] == {"value": [2, {"x": 1}]}
    with runtime.edit() as edit:
        edit.set_input_request("e", None)
        edit.clear_outputs("e")
        edit.update_execution("e", status="error", error={"code": "kernel_died", "message": "it is gone"})
        edit.remove_comm("comm")
        edit.remove_comm("comm")
    assert content(runtime) == runtime.state()
    assert runtime.execution("e") == Execution(
        "e",
        "c",
        seq=1,
        status="error",
        execution_count=3,
        submitted_by="alice",
        queued_at="2026-01-01T00:00:00Z",
        started_at="2026-01-01T00:00:01Z",
        error={"code": "kernel_died", "message": "it is gone"},
    )
    with runtime.edit() as edit:
        edit.remove_execution("e")
        edit.remove_execution("e")
    assert content(runtime)["executions"] == {} == runtime.executions


def test_what_stays_as_it_is_writes_nothing() -> None:
    runtime = loaded()
    heads = runtime.replica.heads
    with runtime.edit() as edit:
        edit.set_kernel(name="python3", status="not_started")
        edit.update_execution("one", status="done", execution_count=None)
    assert runtime.replica.heads == heads


def test_an_edit_that_fails_has_not_happened() -> None:
    runtime = loaded()
    before = content(runtime)
    with pytest.raises(KeyError), runtime.edit() as edit:  # noqa: PT012
        edit.set_kernel(status="busy")
        edit.remove_execution("one")
        edit.append_piece("two", "two-0", "more")
        edit.update_execution("gone", status="done")
    with pytest.raises((EngineRefused, UnicodeEncodeError)), runtime.edit() as edit:
        edit.update_execution("two", status="error", error={"code": "x", "message": "\ud800"})
    assert content(runtime) == runtime.state() == before


def test_a_renewed_document_says_the_same_without_the_history() -> None:
    runtime = loaded()
    calls: list[int] = []
    runtime.on_renewed = lambda: calls.append(1)
    for number in range(50):
        with runtime.edit() as edit:
            edit.append_piece("one", "one-0", f"{number}\n")
    old = runtime.replica
    before = content(runtime)
    runtime.renew(b"server, second life")
    assert calls == [1] and runtime.replica is not old
    assert not runtime.replica.is_hot and runtime.replica.n_changes == 1
    assert content(runtime) == runtime.state() == before
    with runtime.edit() as edit:
        edit.append_piece("one", "one-0", "after")
    assert content(runtime) == runtime.state()


def test_a_document_comes_back_from_the_log() -> None:
    runtime = loaded()
    with runtime.edit() as edit:
        edit.put_comm("c", {"state": {}})
        edit.set_kernel(status="idle")
    again = RuntimeDocument.from_state(content(runtime), b"next life")
    assert again.state() == runtime.state() == content(again) and again.next_seq() == 3


@pytest.mark.parametrize(
    "state",
    [{}, {"kernel": None, "executions": None, "comms": None}, {"kernel": [], "executions": {"e": 5}, "comms": 3}],
)
def test_a_state_that_lacks_things_is_an_empty_document(state: dict[str, Any]) -> None:
    assert RuntimeDocument.from_state(state, b"a").state() == RuntimeDocument(b"a").state()


def test_an_execution_is_read_leniently() -> None:
    found = execution_from_json("e", {"cell_id": "c", "outputs": None, "unknown": 1})
    assert found == Execution("e", "c") and not found.has_ended


NAMES = st.sampled_from(["a", "b", "c"])
EDITS = st.one_of(
    st.tuples(st.just("add_execution"), NAMES),
    st.tuples(st.just("remove_execution"), NAMES),
    st.tuples(st.just("update_execution"), NAMES, st.sampled_from(["running", "done"]), st.none() | st.integers(0, 3)),
    st.tuples(st.just("add_output"), NAMES, NAMES, st.sampled_from([STREAM, DISPLAY]), st.integers(0, 9)),
    st.tuples(st.just("append_piece"), NAMES, NAMES, st.text(max_size=3)),
    st.tuples(st.just("replace_last_piece"), NAMES, NAMES, st.text(max_size=3)),
    st.tuples(st.just("clear_outputs"), NAMES),
    st.tuples(st.just("put_comm"), NAMES),
    st.tuples(st.just("set_comm_state"), NAMES, NAMES, st.integers(-(2**63), 2**63 - 1)),
    st.tuples(st.just("remove_comm"), NAMES),
)


def apply(edit: RuntimeEdit, runtime: RuntimeDocument, step: tuple[Any, ...]) -> None:
    """Do one step, if what it needs is there."""
    verb, name, *rest = step
    outputs = runtime.executions[name].outputs if name in runtime.executions else {}
    if verb == "add_execution" and name not in runtime.executions:
        edit.add_execution(name, "cell", seq=runtime.next_seq(), status="queued")
    elif verb == "update_execution" and name in runtime.executions:
        edit.update_execution(name, status=rest[0], execution_count=rest[1])
    elif verb == "add_output" and name in runtime.executions:
        edit.add_output(name, rest[0], rest[2], rest[1])
    elif verb.endswith("_piece") and "text" in outputs.get(rest[0], {}):
        getattr(edit, verb)(name, *rest)
    elif verb == "clear_outputs" and name in runtime.executions:
        edit.clear_outputs(name)
    elif verb == "put_comm":
        edit.put_comm(name, {"target_name": "t", "state": {}})
    elif verb == "set_comm_state" and name in runtime.comms:
        edit.set_comm_state(name, *rest)
    elif verb in ("remove_execution", "remove_comm"):
        getattr(edit, verb)(name)


@given(st.lists(st.lists(EDITS, max_size=6), max_size=8))
@settings(max_examples=60, deadline=None)
def test_mirror_document_and_reader_agree_after_any_edits(ticks: list[list[tuple[Any, ...]]]) -> None:
    runtime = RuntimeDocument(b"server")
    reader = RuntimeReader(runtime.replica)
    for steps in ticks:
        with runtime.edit() as edit:
            for step in steps:
                apply(edit, runtime, step)
        assert reader.executions == runtime.executions and reader.comms == runtime.comms
    assert content(runtime) == runtime.state()
    runtime.renew(b"again")
    assert content(runtime) == runtime.state()
