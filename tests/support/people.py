"""Four people of a server that tells them apart, each with a token of their own.

What they may do is what an operator's Authorizer would say; every question it was asked is written down.
"""

from __future__ import annotations

from typing import Any, ClassVar

from jupyter_server.auth import Authorizer, IdentityProvider, User
from tornado.web import RequestHandler

ROLES: dict[str, frozenset[tuple[str, str]]] = {
    "stranger": frozenset(),
    "viewer": frozenset({("read", "contents")}),
    "editor": frozenset({("read", "contents"), ("write", "contents")}),
    "executor": frozenset({("read", "contents"), ("write", "contents"), ("execute", "kernels")}),
}
"""What each may do; a stranger is signed in and may do nothing."""


def token(name: str) -> str:
    """The token of one of the people."""
    return f"token-of-{name}"


class People(IdentityProvider):
    """Knows people by their tokens, and by the cookies that Jupyter gives those who came with one.

    Attributes:
        signed_out: names whose token and cookie are not valid any more.
    """

    signed_out: ClassVar[set[str]] = set()

    async def get_user_token(self, handler: RequestHandler) -> User | None:
        sent = self.get_token(handler)
        for name in ROLES:
            if sent == token(name) and name not in self.signed_out:
                return User(name, name.title(), name.title(), color="#123456", avatar_url="javascript:alert(1)")
        return None

    def get_user_cookie(self, handler: RequestHandler) -> User | None:
        user: Any = super().get_user_cookie(handler)
        return None if user is None or user.username in self.signed_out else user

    @property
    def auth_enabled(self) -> bool:
        return True


class Roles(Authorizer):
    """Answers by `ROLES`.

    Attributes:
        questions: (name, action, resource), in the order they were asked.
        withdrawn: (name, action, resource) that are not allowed any more.
    """

    questions: ClassVar[list[tuple[str, str, str]]] = []
    withdrawn: ClassVar[set[tuple[str, str, str]]] = set()

    def is_authorized(self, handler: Any, user: User, action: str, resource: str) -> bool:
        self.questions.append((user.username, action, resource))
        if (user.username, action, resource) in self.withdrawn:
            return False
        return (action, resource) in ROLES[user.username]
