"""References: what stands in a document for bytes that are in the blob store."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, TypeGuard

from jupyter_runtimed.core.ids import is_blob_hash


def blob_reference(data: bytes) -> dict[str, Any]:
    """The reference to some bytes."""
    return {"blob": hashlib.sha256(data).hexdigest(), "size": len(data)}


def is_reference(content: object) -> TypeGuard[Mapping[str, Any]]:
    """Whether content is a reference to a blob."""
    return isinstance(content, Mapping) and isinstance(content.get("blob"), str) and is_blob_hash(content["blob"])
