"""Guests of the browser tests' server: they see all and change nothing. Loaded by that server, by name."""

from __future__ import annotations

from typing import Any

from jupyter_server.auth import Authorizer, IdentityProvider, User
from tornado.web import RequestHandler

GUEST_TOKEN = "a-token-for-guests"


class GuestsToo(IdentityProvider):
    """People who come with the guests' token are told from all others."""

    async def get_user_token(self, handler: RequestHandler) -> User | None:
        if self.get_token(handler) == GUEST_TOKEN:
            return User("guest", "Grace Guest", "Grace Guest", initials="GG")
        return await super().get_user_token(handler)


class GuestsMayRead(Authorizer):
    """What an operator writes who lets guests look on: no file is written, no kernel used."""

    def is_authorized(self, handler: Any, user: User, action: str, resource: str) -> bool:
        return user.username != "guest" or action == "read"


NAMED = {
    "a-token-for-ada": User("ada", "Ada Lovelace", "Ada", initials="AL"),
    "a-token-for-grace": User("grace", "Grace Hopper", "Grace", initials="GH"),
}


class Named(IdentityProvider):
    """Two people who are known by their tokens."""

    async def get_user_token(self, handler: RequestHandler) -> User | None:
        return NAMED.get(self.get_token(handler) or "") or await super().get_user_token(handler)
