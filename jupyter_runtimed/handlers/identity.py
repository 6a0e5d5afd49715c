"""Who is at the other end of a socket, and what they may do: asked at connect, and again while it lasts."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import Any

from jupyter_core.utils import ensure_async
from jupyter_server.base.handlers import JupyterHandler

_SAFE_AVATAR = re.compile(r"(https?://|/(?!/)|data:image/(png|jpeg|gif|webp);base64,)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Permissions:
    """The Authorizer's answers, for one user."""

    read: bool
    write: bool
    execute: bool


async def ask_permissions(handler: JupyterHandler, user: Any) -> Permissions:
    """Ask the server's Authorizer what a user may do."""

    async def ask(action: str, resource: str) -> bool:
        return bool(await ensure_async(handler.authorizer.is_authorized(handler, user, action, resource)))

    return Permissions(
        read=await ask("read", "contents"),
        write=await ask("write", "contents"),
        execute=await ask("execute", "kernels"),
    )


async def ask_user_again(handler: JupyterHandler) -> Any:
    """Whom the identity provider sees in a request now; None when its token or cookie is not valid any more."""
    # A handler remembers its user; one that was not asked yet, of the same request, does not.
    fresh = JupyterHandler(handler.application, handler.request)
    return await ensure_async(handler.identity_provider.get_user(fresh))


def describe_user(user: Any) -> dict[str, Any]:
    """What others are told of a user. Only harmless addresses of pictures are passed on."""
    avatar = getattr(user, "avatar_url", None)
    username = str(getattr(user, "username", user))
    return {
        "username": username,
        "name": str(getattr(user, "display_name", None) or getattr(user, "name", None) or username),
        "color": getattr(user, "color", None),
        "avatar_url": avatar if isinstance(avatar, str) and _SAFE_AVATAR.match(avatar) else None,
    }


def principals(handler: JupyterHandler) -> frozenset[str]:
    """Names under which a caller is known again: the username, and the token.

    Jupyter's own identity provider makes a new username for each request that brings the token and no cookie.
    """
    names = {str(getattr(handler.current_user, "username", handler.current_user))}
    if handler.token_authenticated:
        token = handler.identity_provider.get_token(handler)
        if token:
            names.add("token " + hashlib.sha256(token.encode()).hexdigest())
    return frozenset(names)
