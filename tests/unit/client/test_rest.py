"""Addresses as people paste them."""

from __future__ import annotations

import pytest

from jupyter_runtimed.client.rest import RoomInfo, room_route, split_address


@pytest.mark.parametrize(
    ("given", "base", "token"),
    [
        ("http://localhost:8888", "http://localhost:8888/", None),
        ("http://localhost:8888/", "http://localhost:8888/", None),
        ("https://hub.example/user/ada/", "https://hub.example/user/ada/", None),
        ("http://localhost:8888/?token=abc", "http://localhost:8888/", "abc"),
        ("http://localhost:8888/lab?token=abc", "http://localhost:8888/", "abc"),
        ("http://localhost:8888/base/lab/tree/a.ipynb", "http://localhost:8888/base/", None),
        ("http://localhost:8888/tree", "http://localhost:8888/", None),
    ],
)
def test_an_address_is_taken_as_jupyter_prints_it(given: str, base: str, token: str | None) -> None:
    assert split_address(given, None) == (base, token)


def test_a_token_that_is_given_wins() -> None:
    assert split_address("http://h/?token=abc", "mine") == ("http://h/", "mine")


def test_what_is_no_address_of_a_server_is_refused() -> None:
    with pytest.raises(ValueError, match="http://"):
        split_address("localhost:8888", None)


def test_a_room_id_cannot_leave_its_route() -> None:
    assert room_route("../../login?x=1") == "/rooms/..%2F..%2Flogin%3Fx%3D1"


def test_a_room_object_is_read_whole() -> None:
    room = RoomInfo.from_json(
        {"room_id": "r", "path": None, "state": "ready", "error": None, "cells": 2, "peers": 1,
         "kernel": {"name": "python3", "status": "idle", "kernel_id": None}, "heads": ["cd" * 32], "last_saved": None}
    )  # fmt: skip
    assert room.path is None and room.cells == 2 and room.kernel["status"] == "idle" and room.heads[0][:1] == b"\xcd"
