"""Content: how a piece of output or an attachment stands in a document.

It is a string or JSON value when it is small, else a reference `{"blob": sha256, "size": bytes}` to raw bytes in the
blob store. Rules:

1. Binary MIME types are always blobs of the decoded bytes. Base64 that was not canonical leaves its layout in `b64`,
   so that decoding gives the same text back. Text that is no base64 stays text; its reference says `text`.
2. Anything over `max_inline_bytes` (of UTF-8) is a blob: text as UTF-8, JSON as JSON.
3. A JSON object with a key `blob` is always a blob, so that data is never taken for a reference. JSON under a MIME
   type that is none says `json` in its reference.
4. What a document cannot hold (`core.native`) is a blob.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from jupyter_runtimed.core.base64_layout import decode_base64, encode_base64
from jupyter_runtimed.core.errors import NotFound
from jupyter_runtimed.core.limits import Limits
from jupyter_runtimed.core.mime import is_binary, is_json
from jupyter_runtimed.core.native import dump, fits, is_text, pair_surrogates
from jupyter_runtimed.core.references import blob_reference, is_reference

Content = Any
"""A str, a JSON value, or a reference."""

FetchBlob = Callable[[str], bytes]
"""The bytes of a blob by its hash. Raises NotFound when there is none."""


def joined(value: Any) -> Any:
    """Nbformat's multi-line strings as one string; anything else as it is."""
    if isinstance(value, list) and all(isinstance(line, str) for line in value):
        return pair_surrogates("".join(value))
    return value


def encode_content(mime: str, value: Any, limits: Limits) -> tuple[Content, list[bytes]]:
    """Make content of nbformat's value for a MIME type.

    Returns:
        The content, and the blobs it refers to: store them before any document names them.

    Raises:
        TooLarge: the value is JSON that is nested too deeply to be kept.
    """
    if is_json(mime):
        return encode_json(value, limits)
    value = joined(value)
    if not isinstance(value, str):
        content, blobs = encode_json(value, limits)
        return ({**content, "json": True} if blobs else content), blobs
    if is_binary(mime):
        found = decode_base64(value)
        if found is not None:
            data, layout = found
            return {**blob_reference(data), **({"b64": layout} if layout else {})}, [data]
        content, blobs = encode_text(value, limits)
        return ({**content, "text": True} if blobs else content), blobs
    return encode_text(value, limits)


def encode_text(text: str, limits: Limits) -> tuple[Content, list[bytes]]:
    """Content of a text: the string itself, or a blob of its UTF-8 (surrogates passed through)."""
    limit = limits.max_inline_bytes
    if len(text) <= limit and text.isascii():
        return text, []
    data = text.encode("utf-8", "surrogatepass")
    if len(data) <= limit and is_text(text):
        return text, []
    return blob_reference(data), [data]


def encode_json(value: Any, limits: Limits) -> tuple[Content, list[bytes]]:
    """Content of a JSON value: the value itself, or a blob of its JSON. Raises TooLarge."""
    data = dump(value)
    if (
        len(data) <= limits.max_inline_bytes
        and not (isinstance(value, dict) and "blob" in value)
        and fits(value, limits.max_depth // 2)
    ):
        return value, []
    return blob_reference(data), [data]


def decode_content(mime: str, content: Content, fetch: FetchBlob) -> Any:
    """Nbformat's value of content: base64 for binary types, the JSON value, or one string.

    Raises:
        NotFound: what `fetch` raises.
    """
    if not is_reference(content):
        return content
    data = fetch(content["blob"])
    if is_json(mime) or content.get("json") is True:
        return json.loads(data)
    if is_binary(mime) and content.get("text") is not True:
        return encode_base64(data, content.get("b64"))
    return data.decode("utf-8", "surrogatepass")


def decode_bundle(bundle: Mapping[str, Any], fetch: FetchBlob) -> dict[str, Any]:
    """Nbformat's MIME bundle of contents; what is in a blob that is gone is left out."""
    gone = object()
    found = {mime: decode_or(gone, mime, content, fetch) for mime, content in bundle.items()}
    return {mime: value for mime, value in found.items() if value is not gone}


def decode_or(default: Any, mime: str, content: Content, fetch: FetchBlob) -> Any:
    """The value of content, or the default when its blob is gone."""
    try:
        return decode_content(mime, content, fetch)
    except NotFound:
        return default


def references(value: Any) -> set[str]:
    """Hashes of all blobs that a value from a document refers to, at any depth."""
    found: set[str] = set()
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if is_reference(item):
            found.add(item["blob"])
        if isinstance(item, Mapping):
            waiting.extend(item.values())
        elif isinstance(item, list):
            waiting.extend(item)
    return found
