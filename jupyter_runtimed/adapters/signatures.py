"""Signatures through the notary of the server's contents manager: the one that JupyterLab's trust rests on."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from typing import Any

import nbformat

log = logging.getLogger(__name__)

_FAILURES = (ValueError, KeyError, TypeError, AttributeError, OSError, sqlite3.Error)


class NotarySignatures:
    """`rooms.ports.signatures.Signatures`.

    Args:
        notary: nbformat's. Its store is only used in the event loop's thread, as sqlite wants it.
    """

    def __init__(self, notary: Any) -> None:
        self._notary = notary

    async def knows(self, data: bytes) -> bool:
        """See the port."""
        signature = await self._signature(data)
        if signature is None:
            return False
        try:
            return bool(self._notary.store.check_signature(signature, self._notary.algorithm))
        except _FAILURES as error:
            log.warning("signatures cannot be read: %r", error)
            return False

    async def sign(self, data: bytes) -> None:
        """See the port."""
        signature = await self._signature(data)
        if signature is None:
            return
        try:
            self._notary.store.store_signature(signature, self._notary.algorithm)
        except _FAILURES as error:
            log.warning("a signature cannot be stored: %r", error)

    async def _signature(self, data: bytes) -> str | None:
        def compute() -> str:
            notebook = nbformat.reads(data.decode(), as_version=4)
            return str(self._notary.compute_signature(notebook))

        try:
            return await asyncio.to_thread(compute)
        except _FAILURES as error:
            log.warning("a notebook cannot be signed: %r", error)
            return None
