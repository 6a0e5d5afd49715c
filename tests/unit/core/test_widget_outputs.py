"""What an Output widget makes of what it captures."""

from __future__ import annotations

from typing import Any

from jupyter_runtimed.core import widget_outputs
from jupyter_runtimed.core.widget_outputs import WidgetOutputs


def said(*messages: tuple[str, dict[str, Any]]) -> WidgetOutputs:
    outputs = WidgetOutputs()
    for msg_type, content in messages:
        assert outputs.receive(msg_type, content)
    return outputs


def stream(text: str, name: str = "stdout") -> tuple[str, dict[str, Any]]:
    return "stream", {"name": name, "text": text}


def test_outputs_stand_as_nbformat_has_them() -> None:
    outputs = said(
        stream("a"),
        stream("b"),
        stream("c", "stderr"),
        ("display_data", {"data": {"text/plain": "d"}, "metadata": {}, "transient": {"display_id": "x"}}),
        ("error", {"ename": "E", "evalue": "", "traceback": []}),
    )
    assert outputs.is_changed
    assert outputs.value() == [
        {"output_type": "stream", "name": "stdout", "text": "ab"},
        {"output_type": "stream", "name": "stderr", "text": "c"},
        {"output_type": "display_data", "data": {"text/plain": "d"}, "metadata": {}},
        {"output_type": "error", "ename": "E", "evalue": "", "traceback": []},
    ]


def test_displays_are_updated_in_their_place() -> None:
    outputs = said(("display_data", {"data": {"text/plain": "old"}, "metadata": {}, "transient": {"display_id": "x"}}))
    update = {"data": {"text/plain": "new"}, "metadata": {"n": 1}, "transient": {"display_id": "x"}}
    assert outputs.receive("update_display_data", update)
    assert outputs.value() == [{"output_type": "display_data", "data": {"text/plain": "new"}, "metadata": {"n": 1}}]
    assert not outputs.receive("update_display_data", {**update, "transient": {"display_id": "y"}})
    assert not outputs.receive("update_display_data", {})


def test_clearing_is_now_or_with_the_next_output() -> None:
    outputs = said(stream("old"), ("clear_output", {"wait": True}))
    assert len(outputs.value()) == 1
    outputs.receive(*stream("new"))
    assert outputs.value() == [{"output_type": "stream", "name": "stdout", "text": "new"}]
    outputs.receive("clear_output", {})
    assert outputs.value() == []


def test_the_kernel_may_say_what_it_shows() -> None:
    outputs = said(stream("old"))
    outputs.set([{"output_type": "stream", "name": "stdout", "text": "set"}, "nonsense"])
    assert not outputs.is_changed
    outputs.receive(*stream(" more"))
    assert outputs.value() == [{"output_type": "stream", "name": "stdout", "text": "set more"}]
    outputs.set(None)
    assert outputs.value() == []


def test_a_value_is_not_changed_by_what_comes_later() -> None:
    outputs = said(stream("a"))
    before = outputs.value()
    outputs.receive(*stream("b"))
    assert before == [{"output_type": "stream", "name": "stdout", "text": "a"}]


def test_other_messages_are_not_taken() -> None:
    assert not WidgetOutputs().receive("status", {"execution_state": "idle"})


def test_what_is_too_much_says_so(monkeypatch: object) -> None:
    outputs = WidgetOutputs()
    piece = "x" * (widget_outputs.MAX_BYTES // 4)
    for _ in range(10):
        outputs.receive(*stream(piece))
    assert sum(len(output["text"]) for output in outputs.value()) < widget_outputs.MAX_BYTES
    assert "not kept" in outputs.value()[-1]["text"]
    outputs.receive("clear_output", {})
    outputs.receive(*stream("again"))
    assert outputs.value()[0]["text"] == "again"
