"""Kernel messages, and what they leave in the runtime document."""

from __future__ import annotations

import base64
import hashlib
import random
from typing import Any

import pytest

from jupyter_runtimed.core.execution_outputs import PIECE_CHARS, OutputLimits, Taken
from jupyter_runtimed.core.ids import ExecutionId
from jupyter_runtimed.core.limits import Limits
from jupyter_runtimed.core.manifest import UNKNOWN_BYTES, manifest_to_output
from jupyter_runtimed.core.outputs import RoomOutputs, pace
from jupyter_runtimed.core.references import is_reference
from jupyter_runtimed.core.runtime import RuntimeDocument

LIMITS = Limits(max_inline_bytes=100)
A, B = ExecutionId("execution-a"), ExecutionId("execution-b")


class Screen:
    """Outputs over a runtime document, as the server has them."""

    def __init__(self, output_limits: OutputLimits | None = None) -> None:
        self.outputs = RoomOutputs(LIMITS, output_limits or OutputLimits())
        self.runtime = RuntimeDocument(b"server")
        self.blobs: dict[str, bytes] = {}
        self.taken: list[Taken] = []
        for execution_id in (A, B):
            self.outputs.begin(execution_id)
            with self.runtime.edit() as edit:
                edit.add_execution(execution_id, "cell", seq=self.runtime.next_seq())

    def say(self, msg_type: str, execution_id: ExecutionId = A, **content: Any) -> bool:
        return self.outputs.receive(execution_id, msg_type, content)

    def print(self, text: str, name: str = "stdout") -> None:
        self.say("stream", name=name, text=text)

    def display(self, text: Any, display_id: str | None = None, execution_id: ExecutionId = A) -> None:
        transient = {"display_id": display_id} if display_id else {}
        self.say("display_data", execution_id, data={"text/plain": text}, metadata={}, transient=transient)

    def update(self, text: str, display_id: str, execution_id: ExecutionId = A) -> None:
        content = {"data": {"text/plain": text}, "metadata": {"n": 1}, "transient": {"display_id": display_id}}
        self.say("update_display_data", execution_id, **content)

    def flush(self) -> Taken:
        return self.write(self.outputs.take())

    def write(self, taken: Taken) -> Taken:
        self.taken.append(taken)
        for blob in taken.blobs:
            self.blobs[hashlib.sha256(blob).hexdigest()] = blob
        if taken.operations:
            with self.runtime.edit() as edit:
                for operation in taken.operations:
                    operation.apply(edit)
        return taken

    def manifests(self, execution_id: ExecutionId = A) -> list[dict[str, Any]]:
        return [manifest for _, manifest in self.runtime.outputs(execution_id)]

    def shown(self, execution_id: ExecutionId = A) -> list[Any]:
        """Each output as (stream name, text), or its text/plain, or its type."""
        found: list[Any] = []
        for manifest in self.manifests(execution_id):
            output = manifest_to_output(manifest, self.blobs.__getitem__)
            if output["output_type"] == "stream":
                found.append((output["name"], output["text"]))
            else:
                found.append(output["data"]["text/plain"] if "data" in output else output["ename"])
        return found


def test_neighbouring_text_of_one_stream_is_one_output() -> None:
    screen = Screen()
    for number in range(50):
        screen.print(f"{number}\n")
    screen.flush()
    assert screen.shown() == [("stdout", "".join(f"{n}\n" for n in range(50)))]


def test_the_order_of_streams_and_displays_is_kept() -> None:
    screen = Screen()
    screen.print("1")
    screen.print("2", "stderr")
    screen.print("3")
    screen.display("four")
    screen.print("5")
    screen.flush()
    assert screen.shown() == [("stdout", "1"), ("stderr", "2"), ("stdout", "3"), "four", ("stdout", "5")]


def test_a_stream_goes_on_in_its_output_after_a_flush() -> None:
    screen = Screen()
    screen.print("one ")
    screen.flush()
    screen.print("two\n")
    taken = screen.flush()
    assert screen.shown() == [("stdout", "one two\n")]
    assert [operation.verb for operation in taken.operations] == ["replace_last_piece"]


@pytest.mark.parametrize("size", [30, 3000])
def test_any_stream_can_be_put_together_from_its_pieces(size: int) -> None:
    """Only the last piece was ever replaced, and sealed pieces are as large as they may be."""
    screen = Screen()
    dice = random.Random(size)
    said = ""
    before: list[Any] = []
    for number in range(300):
        text = "".join(dice.choice("abc é\n") for _ in range(dice.randrange(size)))
        said += text
        screen.print(text)
        if number % 3 == 0:
            screen.flush()
            pieces = screen.manifests()[0]["text"]
            assert pieces[: max(0, len(before) - 1)] == before[:-1]
            before = list(pieces)
    screen.flush()
    assert screen.shown() == [("stdout", said)]
    pieces = screen.manifests()[0]["text"]
    assert len(pieces) < len(said) / 40 + 2


def test_a_flood_becomes_blobs_of_one_size_and_costs_its_bytes_once() -> None:
    screen = Screen()
    text = "".join(f"line {number}\n" for number in range(100_000))
    for start in range(0, len(text), 200_000):
        screen.print(text[start : start + 200_000])
        screen.flush()
    assert screen.shown() == [("stdout", text)]
    pieces = screen.manifests()[0]["text"]
    assert max(piece["size"] for piece in pieces if is_reference(piece)) <= PIECE_CHARS
    assert len(pieces) < 40 and sum(len(blob) for taken in screen.taken for blob in taken.blobs) <= len(text)


def test_a_progress_bar_leaves_one_line_and_one_piece() -> None:
    screen = Screen()
    for number in range(10_000):
        screen.print(f"\r{number}%")
        if number % 100 == 0:
            screen.flush()
    screen.print("\n")
    screen.flush()
    assert screen.shown() == [("stdout", "9999%\n")] and screen.manifests()[0]["text"] == ["9999%\n"]


def test_a_line_that_is_erased_leaves_an_empty_piece_to_replace() -> None:
    screen = Screen()
    screen.print("working")
    screen.flush()
    screen.print("\r\x1b[K")
    screen.flush()
    assert screen.manifests()[0]["text"] == [""]
    screen.print("done")
    screen.flush()
    assert screen.manifests()[0]["text"] == ["done"]


def test_text_that_shows_nothing_makes_no_output() -> None:
    screen = Screen()
    screen.print("")
    screen.print("\r")
    screen.flush()
    assert screen.manifests() == []
    screen.print("\n")
    screen.outputs.end(A)
    screen.flush()
    assert screen.shown() == [("stdout", "\n")]


def test_half_a_sequence_is_shown_when_nothing_follows() -> None:
    screen = Screen()
    screen.print("a\x1b[3")
    screen.flush()
    screen.outputs.end(A)
    screen.flush()
    assert screen.shown() == [("stdout", "a\x1b[3")]
    screen.print("b\x1b")
    screen.display("x")
    screen.flush()
    assert screen.shown()[1:] == [("stdout", "b\x1b"), "x"]


def test_results_errors_and_images_become_manifests() -> None:
    screen = Screen()
    png = b"\x89PNG" + bytes(range(256)) * 10
    screen.say("execute_result", data={"text/plain": "2"}, metadata={}, execution_count=7)
    screen.say("display_data", data={"image/png": base64.b64encode(png).decode(), "x/y": "kept"}, metadata={"w": 1})
    screen.say("error", ename="E", evalue="v", traceback=["t1", "t2"])
    taken = screen.flush()
    result, image, error = screen.manifests()
    assert result["data"] == {"text/plain": "2"} and result["execution_count"] == 7
    assert image["data"]["image/png"] == {"blob": hashlib.sha256(png).hexdigest(), "size": len(png)}
    assert image["data"]["x/y"] == "kept" and image["metadata"] == {"w": 1} and taken.blobs == [png]
    assert (error["ename"], error["evalue"], error["traceback"]) == ("E", "v", ["t1", "t2"])
    assert screen.outputs.has_error(A) and not screen.outputs.has_error(B)


def test_an_update_changes_every_display_of_that_id_in_every_execution() -> None:
    screen = Screen()
    screen.display("first", "d")
    screen.display("again", "d")
    screen.display("other", "e")
    screen.display("elsewhere", "d", B)
    screen.flush()
    screen.update("new", "d", B)
    screen.flush()
    assert screen.shown() == ["new", "new", "other"] and screen.shown(B) == ["new"]
    assert screen.manifests()[0]["metadata"] == {"n": 1} and screen.manifests()[0]["display_id"] == "d"


def test_a_thousand_updates_are_written_once() -> None:
    screen = Screen()
    screen.display("first", "d")
    for number in range(1000):
        screen.update(str(number), "d")
    assert len(screen.flush().operations) == 1 and screen.shown() == ["999"]
    for number in range(1000):
        screen.update(f"x{number}", "d")
    assert len(screen.flush().operations) == 1 and screen.shown() == ["x999"]


def test_fields_that_nobody_knows_are_kept_and_transient_ones_are_not() -> None:
    screen = Screen()
    screen.say("stream", name="stdout", text="x", mine=[1], transient={"t": 1}, output_type="error", seq=7)
    screen.say("display_data", data={}, metadata={}, mine={"a": 1}, transient={"display_id": "d", "t": 1})
    screen.say("execute_result", data={}, metadata={}, execution_count=1, mine="x" * 1000)
    screen.say("error", ename="E", evalue="v", traceback=[], mine=None)
    screen.flush()
    stream, display, result, error = screen.manifests()
    assert stream == {"output_type": "stream", "name": "stdout", "text": ["x"], "mine": [1], "seq": 0}
    assert display == {
        "output_type": "display_data", "data": {}, "metadata": {}, "mine": {"a": 1}, "display_id": "d", "seq": 1,
    }  # fmt: skip
    assert screen.blobs[result["mine"]["blob"]] == b"x" * 1000 and error["mine"] is None


def test_an_update_brings_its_own_fields() -> None:
    screen = Screen()
    screen.say("display_data", data={}, metadata={}, old=1, transient={"display_id": "d"})
    screen.say("execute_result", data={}, metadata={}, execution_count=4, old=1, transient={"display_id": "d"})
    screen.flush()
    screen.say("update_display_data", data={"x/y": "1"}, metadata={}, new=2, transient={"display_id": "d"})
    screen.flush()
    shown = {"data": {"x/y": "1"}, "metadata": {}, "new": 2, "display_id": "d"}
    assert screen.manifests() == [
        {"output_type": "display_data", **shown, "seq": 0},
        {"output_type": "execute_result", "execution_count": 4, **shown, "seq": 1},
    ]


def test_of_text_that_is_joined_the_last_value_of_a_field_counts() -> None:
    screen = Screen()
    screen.say("stream", name="stdout", text="a", first=1, both=1)
    screen.flush()
    screen.say("stream", name="stdout", text="b", both=2)
    screen.say("stream", name="stdout", text="c\n", both="x" * 1000, last=True)
    assert [operation.verb for operation in screen.flush().operations] == ["set_output_fields", "replace_last_piece"]
    (stream,) = screen.manifests()
    assert stream["text"] == ["abc\n"] and stream["first"] == 1 and stream["last"] is True
    assert screen.blobs[stream["both"]["blob"]] == b"x" * 1000
    screen.say("stream", name="stdout", text="d", first=1, last=True)
    assert [operation.verb for operation in screen.flush().operations] == ["replace_last_piece"], "nothing is new of it"
    screen.say("stream", name="stdout", text="\x1b[0m"[:1], first=2)
    assert [operation.verb for operation in screen.flush().operations] == ["set_output_fields"]
    assert not screen.outputs.has_pending


def test_fields_of_streams_take_no_more_than_their_share() -> None:
    """Of the document, of the memory, and of what an execution may store."""
    screen = Screen(OutputLimits(max_bytes=50_000))
    for number in range(5000):
        screen.say("stream", name="stdout", text=".", **{f"key {number}": number})
        if number % 1000 == 0:
            screen.flush()
    screen.flush()
    (stream,) = screen.manifests()
    assert 1000 < len(stream) < 5000 and len(str(stream)) < 2 * UNKNOWN_BYTES
    screen.outputs.clear(A)
    for number in range(100):
        screen.say("stream", name="stdout", text=".", mine="x" * 10_000 + str(number))
        screen.flush()
    assert len([blob for taken in screen.taken for blob in taken.blobs if b"x" in blob]) < 10
    assert "limit of 50,000 bytes" in screen.shown()[-1][1]


def test_an_update_of_an_unknown_or_cleared_display_changes_nothing() -> None:
    screen = Screen()
    screen.update("x", "nothing")
    screen.display("first", "d")
    screen.flush()
    screen.say("clear_output", wait=False)
    screen.update("x", "d")
    screen.flush()
    assert screen.manifests() == []


def test_clear_output_clears_at_once() -> None:
    screen = Screen()
    screen.print("old")
    screen.flush()
    assert screen.say("clear_output", wait=False)
    screen.flush()
    assert screen.manifests() == []
    screen.print("new")
    screen.flush()
    assert screen.shown() == [("stdout", "new")]


def test_clear_output_can_wait_for_what_comes() -> None:
    screen = Screen()
    screen.display("old", "d")
    screen.flush()
    screen.say("clear_output", wait=True)
    assert screen.flush().operations == [] and screen.shown() == ["old"]
    screen.print("new")
    taken = screen.flush()
    assert [operation.verb for operation in taken.operations] == ["clear_outputs", "add_output"]
    assert screen.shown() == [("stdout", "new")]
    screen.update("gone", "d")
    assert screen.flush().operations == []


def test_what_was_cleared_before_it_was_written_is_never_written() -> None:
    screen = Screen()
    for number in range(1000):
        screen.say("clear_output", wait=True)
        screen.display(f"frame {number} " + "x" * 1000)
    taken = screen.flush()
    assert [operation.verb for operation in taken.operations] == ["add_output"] and len(taken.blobs) == 1
    assert screen.shown() == ["frame 999 " + "x" * 1000]


def test_a_clear_that_waits_in_vain_clears_nothing() -> None:
    screen = Screen()
    screen.print("stays")
    screen.say("clear_output", wait=True)
    screen.outputs.end(A)
    screen.flush()
    assert screen.shown() == [("stdout", "stays")]


def test_above_the_limit_of_bytes_a_note_stands_and_errors_are_shown() -> None:
    screen = Screen(OutputLimits(max_bytes=1000))
    screen.print("x" * 600 + "\n")
    screen.print("y" * 600 + "\n")
    screen.display("more")
    screen.say("error", ename="E", evalue="", traceback=[])
    screen.flush()
    assert screen.shown()[0] == ("stdout", "x" * 600 + "\n" + "y" * 399)
    assert "limit of 1,000 bytes" in screen.shown()[1][1] and screen.shown()[2:] == ["E"]
    screen.say("clear_output")
    screen.print("again")
    screen.flush()
    assert screen.shown() == [("stdout", "again")]


def test_above_the_limit_of_outputs_a_note_stands() -> None:
    screen = Screen(OutputLimits(max_outputs=10))
    for number in range(50):
        screen.display(str(number))
    screen.flush()
    assert screen.shown()[:10] == [str(number) for number in range(10)]
    assert len(screen.shown()) == 11 and "10 outputs" in screen.shown()[10][1]


def test_a_progress_bar_never_reaches_the_limit() -> None:
    screen = Screen(OutputLimits(max_bytes=1000))
    for number in range(1000):
        screen.print(f"\r{number:050}")
        if number % 5 == 0:
            screen.flush()
    screen.flush()
    assert screen.shown() == [("stdout", f"{999:050}")]


def test_what_a_take_leaves_comes_with_the_next() -> None:
    screen = Screen()
    for number in range(10):
        screen.display(str(number) * 1000)
    first = screen.outputs.take(2500)
    assert 0 < len(first.operations) < 10
    rest = screen.outputs.take()
    assert len(first.operations) + len(rest.operations) == 10 and not screen.outputs.has_pending
    assert [operation.arguments[1] for operation in first.operations + rest.operations] == list(range(10))


def test_a_huge_text_is_taken_in_slices() -> None:
    screen = Screen()
    text = "".join(f"line {number}\n" for number in range(100_000))
    screen.print(text)
    slices = 0
    while screen.outputs.has_pending:
        before = screen.outputs.pending_bytes
        taken = screen.outputs.take(200_000)
        assert sum(len(blob) for blob in taken.blobs) <= 2 * 200_000
        assert screen.outputs.pending_bytes < before
        screen.write(taken)
        slices += 1
    assert slices > 3 and screen.shown() == [("stdout", text)]
    screen.print("more")
    screen.flush()
    assert screen.shown() == [("stdout", text + "more")]


def test_messages_of_others_and_of_no_interest_are_left_alone() -> None:
    screen = Screen()
    assert not screen.outputs.receive(ExecutionId("stranger"), "stream", {"name": "stdout", "text": "x"})
    assert not screen.say("execute_input", code="1") and not screen.say("status", execution_state="idle")
    screen.outputs.forget(B)
    assert B not in screen.outputs and A in screen.outputs
    screen.display("late", execution_id=B)
    assert screen.flush().operations == []


def test_a_forgotten_execution_has_nothing_pending() -> None:
    screen = Screen()
    screen.display("first", "d")
    screen.outputs.forget(A)
    assert not screen.outputs.has_pending and screen.outputs.pending_bytes == 0
    screen.update("x", "d")
    assert screen.flush().operations == []


@pytest.mark.parametrize(
    ("msg_type", "content"),
    [
        ("stream", {}),
        ("stream", {"name": 5, "text": {"a": 1}}),
        ("display_data", {"data": "none", "metadata": [], "transient": "x"}),
        (
            "display_data",
            {"data": {"text/plain": ["a", "b"], "image/png": "no base64", "application/json": {"blob": 1}}},
        ),
        ("display_data", {"data": {"text/plain": "x"}, "transient": {"display_id": 7}}),
        ("execute_result", {"data": {}, "execution_count": "one"}),
        ("error", {"traceback": "text"}),
        ("error", {"ename": None, "traceback": [1, None]}),
        ("clear_output", {}),
        ("update_display_data", {}),
    ],
)
def test_odd_messages_do_no_harm(msg_type: str, content: dict[str, Any]) -> None:
    screen = Screen()
    screen.say(msg_type, **content)
    screen.flush()
    for manifest in screen.manifests():
        assert manifest_to_output(manifest, screen.blobs.__getitem__)["output_type"] == msg_type


def test_who_goes_on_for_long_is_written_less_often() -> None:
    assert pace(0) <= 0.03
    assert [pace(count) for count in (100, 1000, 5000, 100_000)] == sorted(
        {pace(c) for c in (100, 1000, 5000, 100_000)}
    )
    assert pace(10**9) == 1.0
