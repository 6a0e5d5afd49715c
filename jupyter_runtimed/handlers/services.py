"""What the handlers share: made once by `app`, found in the web application's settings."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from jupyter_runtimed.core.limits import Limits
from jupyter_runtimed.handlers.blob_access import BlobAccess
from jupyter_runtimed.rooms.registry import RoomRegistry

SETTINGS_KEY = "jupyter_runtimed_services"


@dataclass(frozen=True, slots=True)
class Services:
    """See the module.

    Attributes:
        rooms: all rooms.
        blobs: the blob store, and who may have what of it.
        limits: the protocol's.
        storage: the answer of the storage call.
        start: makes the rooms usable; called by whoever comes first, and returns at once after that.
        identity_check_s: how often a socket asks again who its user is and what they may do.
    """

    rooms: RoomRegistry
    blobs: BlobAccess
    start: Callable[[], Awaitable[None]]
    storage: Callable[[], Awaitable[dict[str, Any]]]
    limits: Limits = field(default_factory=Limits)
    identity_check_s: float = 60.0

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> Services:
        """Those of a web application."""
        services = settings[SETTINGS_KEY]
        assert isinstance(services, cls)
        return services
