"""A cell's attachments: bytes under a name, as MIME bundles of the notebook document."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from typing import Any

from jupyter_runtimed.client.blobs import BlobCache
from jupyter_runtimed.core.errors import NotFound
from jupyter_runtimed.core.mime import is_binary
from jupyter_runtimed.core.references import is_reference


def bundle_of(attachments: Mapping[str, Any] | None, name: str) -> Mapping[str, Any]:
    """The bundle of one attachment. Raises NotFound."""
    bundle = (attachments or {}).get(name)
    if not isinstance(bundle, Mapping) or not bundle:
        raise NotFound(f"the cell has no attachment {name[:100]!r}")
    return bundle


async def read_attachment(bundle: Mapping[str, Any], mime: str | None, blobs: BlobCache) -> bytes:
    """The bytes of an attachment.

    Args:
        bundle: MIME type to content, as it stands in the document.
        mime: which of them; the first, when it is not said.
        blobs: fetches them.

    Raises:
        NotFound: there is no such MIME type, or the blob is gone.
    """
    mime = next(iter(bundle)) if mime is None else mime
    if mime not in bundle:
        raise NotFound(f"the attachment is {', '.join(bundle)}, not {mime[:100]}")
    content = bundle[mime]
    if is_reference(content):
        return await blobs.get(content["blob"])
    if isinstance(content, str):
        return _decode(content) if is_binary(mime) else content.encode()
    return json.dumps(content).encode()


def _decode(text: str) -> bytes:
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except binascii.Error:  # somebody wrote no base64; it is shown as it is
        return text.encode()
