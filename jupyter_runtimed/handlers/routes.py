"""Every address, and who answers it. `docs/openapi.yaml` says the same, which is tested."""

from __future__ import annotations

from typing import Any

from jupyter_runtimed.handlers.blobs import BlobHandler, BlobsHandler
from jupyter_runtimed.handlers.content import (
    AllMetadataHandler,
    DocHandler,
    MergeHandler,
    MetadataHandler,
    NotebookHandler,
    RequestsHandler,
)
from jupyter_runtimed.handlers.history import HistoryHandler, RestoreHandler, VersionHandler
from jupyter_runtimed.handlers.probe import NothingHere, ProbeHandler
from jupyter_runtimed.handlers.rooms import RoomHandler, RoomsHandler
from jupyter_runtimed.handlers.storage import StorageHandler
from jupyter_runtimed.handlers.sync_socket import SyncSocket

_ROOM = r"/api/runtimed/rooms/([^/]+)"

ROUTES: list[tuple[str, type[Any]]] = [
    (r"/api/runtimed/?", ProbeHandler),
    (r"/api/runtimed/rooms/?", RoomsHandler),
    (_ROOM, RoomHandler),
    (_ROOM + r"/sync", SyncSocket),
    (_ROOM + r"/doc", DocHandler),
    (_ROOM + r"/merge", MergeHandler),
    (_ROOM + r"/metadata/?", AllMetadataHandler),
    (_ROOM + r"/metadata/(.+)", MetadataHandler),
    (_ROOM + r"/notebook", NotebookHandler),
    (_ROOM + r"/history/?", HistoryHandler),
    (_ROOM + r"/history/([^/]+)", VersionHandler),
    (_ROOM + r"/history/([^/]+)/restore", RestoreHandler),
    (_ROOM + r"/requests", RequestsHandler),
    (r"/api/runtimed/blobs/?", BlobsHandler),
    (r"/api/runtimed/storage/?", StorageHandler),
    (r"/api/runtimed/blobs/([^/]+)", BlobHandler),
    (r"/api/runtimed/.*", NothingHere),
]
