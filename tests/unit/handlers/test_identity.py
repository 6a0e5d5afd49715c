"""What others are told of a user."""

from __future__ import annotations

import pytest
from jupyter_server.auth import User

from jupyter_runtimed.handlers.identity import describe_user


def test_a_user_is_told_by_the_identity_providers_word() -> None:
    user = User("ada", "Ada Lovelace", "Ada", color="#abc", avatar_url="https://example.org/ada.png")
    assert describe_user(user) == {
        "username": "ada",
        "name": "Ada",
        "color": "#abc",
        "avatar_url": "https://example.org/ada.png",
    }


def test_a_user_that_is_only_a_name_has_that_name() -> None:
    assert describe_user("ada") == {"username": "ada", "name": "ada", "color": None, "avatar_url": None}


@pytest.mark.parametrize(
    ("address", "is_told"),
    [
        ("https://example.org/a.png", True),
        ("http://localhost/a.png", True),
        ("/hub/avatars/a.png", True),
        ("data:image/png;base64,AAAA", True),
        ("javascript:alert(1)", False),
        ("JAVASCRIPT:alert(1)", False),
        ("data:text/html,<script>", False),
        ("data:image/svg+xml,<svg>", False),
        ("//elsewhere.example/a.png", False),
        ("file:///etc/passwd", False),
        (" https://example.org", False),
        (None, False),
    ],
)
def test_only_harmless_addresses_of_pictures_are_told(address: str | None, is_told: bool) -> None:
    told = describe_user(User("ada", avatar_url=address))["avatar_url"]
    assert told == (address if is_told else None)
