"""What all HTTP handlers have in common: who is it, may they, and every error as JSON.

Rules, each with a test in `tests/integration` or `tests/architecture`:

1. Each method of each handler is `@web.authenticated` and `@authorized(action, resource=…)` with both named.
2. A request that brings a cookie and no token passes Jupyter's XSRF check, `GET` included (token or Referer), so no
   page from elsewhere reads a document with a visitor's cookie.
3. An error of ours is answered with its own status and code; nothing is ever answered with a page.
"""

from __future__ import annotations

from asyncio import Future
from typing import Any

from jupyter_core.utils import ensure_async
from jupyter_server.base.handlers import APIHandler
from tornado import web

from jupyter_runtimed.core.errors import BadRequest, Forbidden, Malformed, RuntimedError, TooLarge
from jupyter_runtimed.core.requests import encode_json, read_json
from jupyter_runtimed.handlers.errors import encode_error, status_of
from jupyter_runtimed.handlers.services import Services


class JsonErrors(web.RequestHandler):
    """Answers errors in JSON. Stands before Jupyter's classes in the order of bases."""

    def send_error(self, status_code: int = 500, **kwargs: Any) -> None:
        error = _error_in(kwargs)
        if isinstance(error, RuntimedError):
            status_code = status_of(error)
        super().send_error(status_code, **kwargs)

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        self.set_header("Content-Type", "application/json")
        self.finish(encode_error(status_code, _error_in(kwargs)))

    def log_exception(self, *about: Any) -> None:
        """A refusal is the caller's business: Tornado's access log line says enough of it."""
        if not (isinstance(about[1], RuntimedError) and about[1].status < 500):
            super().log_exception(*about)


def _error_in(kwargs: dict[str, Any]) -> BaseException | None:
    about = kwargs.get("exc_info")
    return about[1] if about else None


class RuntimedHandler(JsonErrors, APIHandler):
    """The base of the REST handlers. See the module."""

    @property
    def services(self) -> Services:
        return Services.of(self.settings)

    async def prepare(self) -> None:  # type: ignore[override]
        await super().prepare()
        if self.current_user is not None and self.request.method in ("GET", "HEAD"):
            self.check_xsrf_cookie()
        await self.services.start()

    async def is_allowed(self, action: str, resource: str) -> bool:
        """Ask the server's Authorizer."""
        return bool(await ensure_async(self.authorizer.is_authorized(self, self.current_user, action, resource)))

    async def require(self, action: str, resource: str) -> None:
        """Ask the server's Authorizer what only the request's body can tell. Raises Forbidden."""
        if not await self.is_allowed(action, resource):
            raise Forbidden(f"you have no {action} permission on {resource}")

    @property
    def username(self) -> str:
        """Who asks, by the server's identity provider."""
        return str(getattr(self.current_user, "username", self.current_user))

    def read_body(self, limit_bytes: int) -> bytes:
        """The request's body. Raises TooLarge."""
        body = self.request.body
        if len(body) > limit_bytes:
            raise TooLarge(f"the body has {len(body):,} bytes; {limit_bytes:,} are allowed")
        return body

    def read_object(self) -> dict[str, Any]:
        """The request's body as a JSON object. Raises BadRequest, TooLarge."""
        limits = self.services.limits
        try:
            value = read_json(self.read_body(limits.max_request_bytes), limits.max_depth)
        except Malformed as error:
            raise BadRequest(error.message) from error
        if not isinstance(value, dict):
            raise BadRequest("the body must be a JSON object")
        return value

    def answer(self, value: Any, status: int = 200) -> Future[None]:
        """Finish with JSON."""
        self.set_status(status)
        return self.finish(encode_json(value))


def flag(text: str | None, name: str) -> bool:
    """A boolean argument of a query. Raises BadRequest."""
    if text in (None, "", "0", "false", "False"):
        return False
    if text in ("1", "true", "True"):
        return True
    raise BadRequest(f"`{name}` is true or false")
