"""WebSocket messages, byte for byte (RFC 6455, section 5.2)."""

from __future__ import annotations

import pytest

from jupyter_runtimed.handlers.wire import SMALL_BYTES, binary_message


@pytest.mark.parametrize(
    ("length", "header"),
    [
        (0, "8200"),
        (1, "8201"),
        (125, "827d"),
        (126, "827e007e"),
        (65535, "827effff"),
        (65536, "827f0000000000010000"),
        (70_000, "827f0000000000011170"),
    ],
)
def test_a_message_is_its_header_and_its_payload(length: int, header: str) -> None:
    payload = b"x" * length
    assert b"".join(binary_message(payload)) == bytes.fromhex(header) + payload


def test_the_same_payload_for_many_peers_is_joined_once() -> None:
    payload = b"x" * 100
    assert binary_message(payload) is binary_message(payload)
    assert binary_message(b"y" * 100) != binary_message(payload)


def test_a_large_payload_is_not_copied() -> None:
    payload = b"x" * (SMALL_BYTES + 1)
    assert binary_message(payload)[1] is payload
