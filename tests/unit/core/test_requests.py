"""Requests: every action of the protocol page, and every way to get one wrong."""

from __future__ import annotations

import json
from typing import Any

import pytest

from jupyter_runtimed.core.errors import BadRequest, HeadsMissing, Malformed, OverLimit, PathAlreadyOpen
from jupyter_runtimed.core.limits import Limits
from jupyter_runtimed.core.requests import (
    ACTIONS,
    InvalidRequest,
    encode_json,
    error_json,
    parse_request,
    read_json,
    required_heads,
    result_json,
)

LIMITS = Limits()

SAMPLES: dict[str, dict[str, Any]] = {
    "execute_cell": {"cell_id": "a"},
    "run_all_cells": {"cell_ids": ["a", "b"]},
    "interrupt_kernel": {},
    "restart_kernel": {},
    "shutdown_kernel": {},
    "start_kernel": {"kernel_name": "python3"},
    "save_notebook": {"path": "a/b.ipynb", "overwrite": True},
    "set_autosave": {"enabled": False},
    "clear_outputs": {"cell_ids": ["a"]},
    "put_outputs": {"cell_id": "a", "outputs": [{"output_type": "stream"}], "execution_count": 3},
    "complete": {"code": "pri", "cursor_pos": 3},
    "inspect": {"code": "print", "cursor_pos": 5, "detail_level": 1},
    "history": {"pattern": "x*", "n": 10},
    "is_complete": {"code": "if x:"},
    "input_reply": {"request_id": "r", "value": "42"},
    "comm": {"msg_type": "comm_msg", "content": {"comm_id": "c"}, "metadata": {}, "buffers": ["AAAA"]},
    "get_doc_bytes": {"document": "runtime"},
    "get_raw_metadata": {"key": "k"},
    "set_raw_metadata": {"key": "k", "value": {"deep": [1, None]}},
    "delete_raw_metadata": {"key": "k"},
    "wait_for_execution": {"execution_id": "e", "timeout": 2.5},
}


def payload(action: str, **fields: Any) -> bytes:
    return json.dumps({"id": "r1", "action": action, **fields}).encode()


def test_the_samples_are_all_actions() -> None:
    assert set(SAMPLES) == set(ACTIONS)


@pytest.mark.parametrize("action", SAMPLES)
def test_an_action_is_read_with_its_fields(action: str) -> None:
    head = "ab" * 32
    request = parse_request(payload(action, required_heads=[head], **SAMPLES[action]), LIMITS)
    assert type(request) is ACTIONS[action]
    assert request.id == "r1" and required_heads(request) == (bytes.fromhex(head),)
    assert {key: getattr(request, key) for key in SAMPLES[action]} == SAMPLES[action]


def test_fields_of_a_newer_client_are_left_alone() -> None:
    assert parse_request(payload("interrupt_kernel", hard=True), LIMITS).id == "r1"


@pytest.mark.parametrize(
    ("action", "fields", "says"),
    [
        ("fly", {}, "fly"),
        ("execute_cell", {}, "cell_id"),
        ("execute_cell", {"cell_id": 4}, "cell_id"),
        ("complete", {"code": "x", "cursor_pos": "3"}, "cursor_pos"),
        ("complete", {"code": "x", "cursor_pos": True}, "cursor_pos"),
        ("save_notebook", {"overwrite": "yes"}, "overwrite"),
        ("get_doc_bytes", {"document": "other"}, "document"),
        ("comm", {"msg_type": "comm_msg", "content": []}, "content"),
        ("run_all_cells", {"cell_ids": [1]}, "cell_ids"),
        ("interrupt_kernel", {"required_heads": "ab"}, "required_heads"),
    ],
)
def test_a_wrong_request_says_what_is_wrong_and_keeps_its_id(action: str, fields: dict[str, Any], says: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        parse_request(payload(action, **fields), LIMITS)
    assert caught.value.request_id == "r1" and says in caught.value.message and caught.value.code == "bad_request"


@pytest.mark.parametrize(
    "body", ["[]", "3", '"x"', "null", '{"action": "interrupt_kernel"}', '{"id": 3, "action": "x"}']
)
def test_a_request_without_an_id_is_answered_with_none(body: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        parse_request(body.encode(), LIMITS)
    assert caught.value.request_id is None


def test_an_action_must_be_named() -> None:
    for body in ('{"id": "7"}', '{"id": "7", "action": 3}', '{"id": "7", "action": ["x"]}'):
        with pytest.raises(InvalidRequest) as caught:
            parse_request(body.encode(), LIMITS)
        assert caught.value.request_id == "7"


@pytest.mark.parametrize("body", [b"", b"{not json", b"\xff\xfe", b'{"a": NaN}', b'{"a": "\\ud800"}', b'{"id": "x"'])
def test_what_is_no_json_is_malformed(body: bytes) -> None:
    with pytest.raises(Malformed):
        parse_request(body, LIMITS)


def test_nesting_is_counted_in_levels_not_in_brackets() -> None:
    assert read_json(b"[" + b"[]," * 200 + b"[]]", 64) is not None
    assert read_json(b"[" * 64 + b"]" * 64, 64) is not None
    for deep in (b"[" * 65 + b"]" * 65, b"[" * 5000 + b"]" * 5000, b'{"a":' * 65 + b"1" + b"}" * 65):
        with pytest.raises(Malformed):
            read_json(deep, 64)


def test_a_request_has_a_size_limit() -> None:
    with pytest.raises(OverLimit):
        parse_request(payload("is_complete", code="x" * 200), Limits(max_request_bytes=100))


@pytest.mark.parametrize("head", ["", "ab", "AB" * 32, "zz" * 32, "ab" * 33])
def test_heads_that_are_none_are_a_bad_request(head: str) -> None:
    with pytest.raises(BadRequest):
        required_heads(parse_request(payload("interrupt_kernel", required_heads=[head]), LIMITS))


def test_answers_have_the_shape_of_the_protocol_page() -> None:
    assert result_json("7", {"value": 1}) == {"id": "7", "ok": True, "result": {"value": 1}}
    error = PathAlreadyOpen("taken", room_id="r", path="p")
    assert error_json("7", error) == {
        "id": "7",
        "ok": False,
        "error": {"code": "path_already_open", "message": "taken", "room_id": "r", "path": "p"},
    }
    assert error_json(None, HeadsMissing("no"))["id"] is None


def test_strange_values_of_a_kernel_still_make_json() -> None:
    assert json.loads(encode_json({"x": float("nan")})) == {"x": None}
    assert json.loads(encode_json({"x": "\ud800"})) == {"x": "\ud800"}
    assert json.loads(encode_json({"x": 2**80, "y": object})) is not None
    assert encode_json({"é": "🎉"}).decode() == '{"é":"🎉"}'
