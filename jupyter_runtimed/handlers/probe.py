"""The capability probe: is the extension there, which protocol does it speak, what are its limits."""

from __future__ import annotations

from jupyter_server.auth.decorator import authorized
from tornado import web

from jupyter_runtimed import __version__
from jupyter_runtimed.handlers.base import RuntimedHandler

PROTOCOL_VERSION = 1
SCHEMA_VERSION = 1


class ProbeHandler(RuntimedHandler):
    """`/api/runtimed`"""

    @web.authenticated
    @authorized("read", resource="contents")
    async def get(self) -> None:
        await self.answer(
            {
                "version": __version__,
                "protocol": PROTOCOL_VERSION,
                "schema_version": SCHEMA_VERSION,
                "limits": self.services.limits.to_json(),
            }
        )


class NothingHere(RuntimedHandler):
    """Everything else below `/api/runtimed/`: 404 in JSON, for those who are signed in."""

    @web.authenticated
    @authorized("read", resource="contents")
    async def get(self) -> None:
        raise web.HTTPError(404, "there is nothing at this address")

    head = post = put = patch = delete = get
