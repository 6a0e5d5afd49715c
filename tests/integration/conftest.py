"""A server in this process with authentication, XSRF checks and an Authorizer on, and four people who use it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from jupyter_runtimed.app import RuntimedApp
from tests.conformance.conftest import Visitor
from tests.support.people import ROLES, People, Roles, token


class Served:
    """The server under test.

    Attributes:
        app: Jupyter's.
        runtimed: the extension.
        root: the folder of the notebooks.
        origin: as a browser says it.
        url: the base address, with a slash at the end.
    """

    def __init__(self, app: Any, root: Path, port: int, base_url: str) -> None:
        self.app = app
        self.root = root
        self.origin = f"http://127.0.0.1:{port}"
        self.url = self.origin + base_url
        self.runtimed: RuntimedApp = next(iter(app.extension_manager.extension_apps["jupyter_runtimed"]))

    @asynccontextmanager
    async def visit(self, name: str | None = "executor", **headers: str) -> AsyncIterator[Visitor]:
        """A session of one of the people, by token; of nobody with None."""
        if name is not None:
            assert name in ROLES
            headers["Authorization"] = f"token {token(name)}"
        async with aiohttp.ClientSession(headers=headers) as session:
            yield Visitor(session, self)  # type: ignore[arg-type]  # it has all that a visitor uses

    @asynccontextmanager
    async def browse(self, name: str, **headers: str) -> AsyncIterator[Visitor]:
        """A session of one of the people that has signed in, and has a cookie and no token from then on."""
        jar = aiohttp.CookieJar(unsafe=True)
        async with aiohttp.ClientSession(headers=headers, cookie_jar=jar) as session:
            async with session.get(f"{self.url}login?token={token(name)}") as answer:
                assert answer.status == 200
            assert any(cookie.key.startswith("username-") for cookie in jar)
            yield Visitor(session, self)  # type: ignore[arg-type]


async def soon(condition: Callable[[], Any], deadline_s: float = 10.0) -> bool:
    """Whether a condition becomes true; looked at once a turn of the event loop."""
    end = asyncio.get_running_loop().time() + deadline_s
    while not condition():
        if asyncio.get_running_loop().time() > end:
            return False
        await asyncio.sleep(0.005)
    return True


@pytest.fixture
def runtimed_traits() -> dict[str, Any]:
    """Traits of the extension; parametrize or override."""
    return {}


@pytest.fixture
def jp_base_url() -> str:
    return "/some/where/"


@pytest.fixture
def jp_server_config(runtimed_traits: dict[str, Any]) -> dict[str, Any]:
    return {
        "ServerApp": {
            "jpserver_extensions": {"jupyter_runtimed": True, "jupyter_server_terminals": False},
            "identity_provider_class": People,
            "authorizer_class": Roles,
            "allow_unauthenticated_access": False,
        },
        "RuntimedApp": runtimed_traits,
    }


@pytest.fixture
def served(jp_serverapp: Any, http_server: Any, jp_root_dir: Path, jp_base_url: str, http_server_port: Any) -> Served:
    People.signed_out.clear()
    Roles.questions.clear()
    Roles.withdrawn.clear()
    return Served(jp_serverapp, jp_root_dir, http_server_port[1], jp_base_url)
