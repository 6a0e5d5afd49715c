"""Calling code that is not ours: the server's managers, their provisioners, checkpoints and hooks.

Any class may be configured for them, and whatever it raises is a reason to tell somebody, not to stop. Here is the
one place where everything is caught; who calls deals with one error.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from jupyter_core.utils import ensure_async

from jupyter_runtimed.core.errors import Internal, RuntimedError


class ForeignError(Internal):
    """Code that is not ours failed. The message is its own, in one line.

    Attributes:
        cause: what it raised.
    """

    def __init__(self, cause: Exception) -> None:
        super().__init__(say(cause))
        self.cause = cause


async def call(method: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
    """What a method returns, asynchronous or not.

    Raises:
        ForeignError: it raised something.
        RuntimedError: it raised this; then it is ours, or calls what is.
    """
    try:
        return await ensure_async(method(*arguments, **options))
    except RuntimedError:
        raise
    except Exception as error:  # nothing is known of it, and nothing can be done but to say so
        raise ForeignError(error) from error


def say(error: BaseException) -> str:
    """An error of the server, its storage or a kernel in one line."""
    text = getattr(error, "log_message", None) or str(error) or type(error).__name__
    return " ".join(str(text).split())[:500]
