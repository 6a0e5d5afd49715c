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
from jupyter_runtimed.core.errors import NotFound, TooLarge
from jupyter_runtimed.core.limits import Limits
from jupyter_runtimed.core.mime import is_binary, is_json
from jupyter_runtimed.core.native import clean_text, dump, fits, is_key, is_text, pair_surrogates
from jupyter_runtimed.core.references import blob_reference, is_reference

SHOWN_BYTES = 16 * 1024
"""A field of an output that has no place for blobs stands in its manifest up to so many bytes; more is kept aside."""

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


# Outputs.


_DISPLAYS = ("display_data", "execute_result")
_OURS = ("seq", "original")


def output_to_manifest(
    output: Mapping[str, Any], limits: Limits, *, from_file: bool = False
) -> tuple[dict[str, Any], list[bytes]]:
    """Make the manifest of an nbformat output.

    An output that has no regular manifest (wrong types, values a document cannot hold, keys that are ours) is kept
    whole as the blob `original`, beside what can be shown of it.

    Args:
        output: a `display_id` in it is the kernel's; in a file it is an unknown field like others.
        limits: sizes of content.
        from_file: it must not lose anything. What a kernel sends is shown as well as it can be.

    Returns:
        The manifest without its `seq`, and the blobs it refers to.

    Raises:
        TooLarge: from a file, and nested too deeply to be kept.
    """
    kind = output.get("output_type")
    is_whole = isinstance(kind, str) and is_text(kind)
    manifest: dict[str, Any] = {"output_type": kind if is_whole else "unknown"}
    blobs: list[bytes] = []
    for key, value in output.items():
        if key == "output_type":
            continue
        if not is_key(key) or key in _OURS or (from_file and key == "display_id"):
            is_whole = False
            continue
        try:
            field = _show_field(kind, key, value, limits, blobs, from_file)
        except TooLarge:
            if from_file:
                raise
            field = None
        if field is None:
            is_whole = False
            continue
        manifest[key], is_field_whole = field
        is_whole = is_whole and is_field_whole
    if not is_whole and from_file:
        data = dump(output)
        blobs.append(data)
        manifest["original"] = blob_reference(data)
    return manifest, blobs


def _show_field(
    kind: Any, key: str, value: Any, limits: Limits, blobs: list[bytes], from_file: bool
) -> tuple[Any, bool] | None:
    """One field of an output as it stands in a manifest, and whether that is all of it; None for what has no form."""
    if kind == "stream" and key == "text":
        text = joined(value)
        if not isinstance(text, str):
            return None
        content, new = encode_text(text, limits)
        blobs += new
        return [content], True
    if kind in _DISPLAYS and key == "data":
        return _show_bundle(value, limits, blobs, from_file) if isinstance(value, dict) else None
    if kind == "error" and key == "traceback":
        if not isinstance(value, (list, str)):
            return None
        content, new = encode_json(value, limits)
        blobs += new
        return content, True
    if kind not in _DISPLAYS and key == "text":
        value = joined(value)  # as nbformat does
    if isinstance(value, str):
        shown = clean_text(value)[:SHOWN_BYTES]
        return shown, shown == value
    if fits(value, limits.max_depth // 2) and len(dump(value)) <= SHOWN_BYTES:
        return value, True
    return None


def _show_bundle(
    bundle: Mapping[str, Any], limits: Limits, blobs: list[bytes], from_file: bool
) -> tuple[dict[str, Any], bool]:
    data = {}
    for mime, item in bundle.items():
        if is_key(mime):
            try:
                data[mime], new = encode_content(mime, item, limits)
            except TooLarge:
                if from_file:
                    raise
                continue
            blobs += new
    return data, len(data) == len(bundle)


def manifest_to_output(manifest: Mapping[str, Any], fetch: FetchBlob) -> dict[str, Any]:
    """The nbformat output of a manifest: references followed, strings joined, our own fields left out.

    What is in a blob that is gone is left out.
    """
    original = manifest.get("original")
    if is_reference(original):
        try:
            whole = json.loads(fetch(original["blob"]))
        except NotFound:
            whole = None
        if isinstance(whole, dict):
            return whole
    kind = manifest.get("output_type")
    output: dict[str, Any] = {}
    for key, value in manifest.items():
        if key in _OURS or key == "display_id":
            continue
        if kind == "stream" and key == "text":
            output[key] = stream_text(value, fetch)
        elif kind in _DISPLAYS and key == "data" and isinstance(value, Mapping):
            output[key] = decode_bundle(value, fetch)
        elif kind == "error" and key == "traceback":
            output[key] = _decode_or([], "application/json", value, fetch)
        else:
            output[key] = value
    return output


def decode_bundle(bundle: Mapping[str, Any], fetch: FetchBlob) -> dict[str, Any]:
    """Nbformat's MIME bundle of contents; what is in a blob that is gone is left out."""
    gone = object()
    found = {mime: _decode_or(gone, mime, content, fetch) for mime, content in bundle.items()}
    return {mime: value for mime, value in found.items() if value is not gone}


def stream_text(pieces: Any, fetch: FetchBlob) -> str:
    """The whole text of a stream's pieces, without those that are gone."""
    if isinstance(pieces, str):
        return pieces
    if not isinstance(pieces, list):
        return ""
    return "".join(str(_decode_or("", "text/plain", piece, fetch)) for piece in pieces)


def _decode_or(default: Any, mime: str, content: Content, fetch: FetchBlob) -> Any:
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
