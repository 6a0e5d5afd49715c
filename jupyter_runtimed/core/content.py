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

import binascii
import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Any, TypeGuard

from jupyter_runtimed.core.errors import NotFound, TooLarge
from jupyter_runtimed.core.ids import is_blob_hash
from jupyter_runtimed.core.limits import Limits
from jupyter_runtimed.core.mime import is_binary, is_json
from jupyter_runtimed.core.native import clean_text, dump, fits, is_key, is_text, pair_surrogates

SHOWN_BYTES = 16 * 1024
"""A field of an output that has no place for blobs stands in its manifest up to so many bytes; more is kept aside."""

Content = Any
"""A str, a JSON value, or a reference."""

FetchBlob = Callable[[str], bytes]
"""The bytes of a blob by its hash. Raises NotFound when there is none."""


def blob_reference(data: bytes) -> dict[str, Any]:
    """The reference to some bytes."""
    return {"blob": hashlib.sha256(data).hexdigest(), "size": len(data)}


def is_reference(content: object) -> TypeGuard[Mapping[str, Any]]:
    """Whether content is a reference to a blob."""
    return isinstance(content, Mapping) and isinstance(content.get("blob"), str) and is_blob_hash(content["blob"])


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
        found = _encode_base64(value)
        if found is not None:
            return found
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
        return _lay_out(data, content.get("b64"))
    return data.decode("utf-8", "surrogatepass")


# Base64.


def _encode_base64(text: str) -> tuple[Content, list[bytes]] | None:
    """A reference to the bytes of base64, or None when the text is none."""
    try:
        packed = text.encode("ascii")
    except UnicodeEncodeError:
        return None
    if b"\n" not in packed:
        data = _decode_base64(packed)
        if data and _is_canonical(packed, data):
            return blob_reference(data), [data]
    return _encode_laid_out(packed)


def _decode_base64(packed: bytes) -> bytes:
    """The bytes of base64, leniently; whoever calls compares the way back."""
    try:
        return binascii.a2b_base64(packed)
    except binascii.Error:
        return b""


def _is_canonical(packed: bytes, data: bytes) -> bool:
    """Whether encoding the data gives this base64. Foreign characters were skipped, so they show in the length."""
    padding = packed.count(b"=", -2)
    if len(packed) % 4 or len(data) != len(packed) // 4 * 3 - padding:
        return False
    return binascii.b2a_base64(data[-(len(data) % 3 or 3) :], newline=False) == packed[-4:]


def _encode_laid_out(text: bytes) -> tuple[Content, list[bytes]] | None:
    """Base64 in lines, or without its padding: the reference says how to write it."""
    body = text.rstrip(b" \t\r\n")
    line_break = b"\r\n" if b"\r\n" in body else b"\n"
    width = max(body.find(line_break), 0)
    if not _is_in_lines(body, width, line_break):
        return None
    packed = body.replace(line_break, b"")
    padding = b"=" * (-len(packed) % 4)
    if padding and packed.endswith(b"="):
        return None
    data = _decode_base64(packed + padding)
    if not data or not _is_canonical(packed + padding, data):
        return None
    layout: dict[str, Any] = {"line": width, "end": text[len(body) :].decode()}
    if line_break != b"\n":
        layout["break"] = line_break.decode()
    if padding:
        layout["padded"] = False
    return {**blob_reference(data), "b64": layout}, [data]


def _is_in_lines(body: bytes, width: int, line_break: bytes) -> bool:
    """Whether there is a break behind each `width` characters, the last ones apart, and nowhere else; 0: nowhere."""
    step = width + len(line_break)
    breaks = body.count(line_break)
    characters = len(body) - breaks * len(line_break)
    return breaks == ((characters - 1) // width if width else 0) and all(
        body[width + place :: step][:breaks] == character.to_bytes(1, "big") * breaks
        for place, character in enumerate(line_break)
    )


def _lay_out(data: bytes, layout: object) -> str:
    """The base64 of some bytes, in lines of `line` characters with `break` between them and `end` behind the last."""
    packed = binascii.b2a_base64(data, newline=False).decode()
    if not isinstance(layout, Mapping):
        return packed
    if layout.get("padded") is False:
        packed = packed.rstrip("=")
    width = layout.get("line")
    if isinstance(width, int) and width > 0:
        line_break = str(layout.get("break", "\n"))
        packed = line_break.join([packed[start : start + width] for start in range(0, len(packed), width)])
    return packed + str(layout.get("end", ""))


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
