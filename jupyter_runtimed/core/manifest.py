"""Manifests: how an output stands in the runtime document, beside its `seq`.

It has nbformat's fields. What is large or binary in it is content (`core.content`), and so is every field that nbformat
does not know: no value of those can be taken for a reference, and none is too large. Together they take
`UNKNOWN_BYTES` of the document at most, their names included.

nbformat allows no such fields, so a save gives back those of a file's own outputs and leaves out all others.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from jupyter_runtimed.core.content import (
    Content,
    FetchBlob,
    decode_bundle,
    decode_or,
    encode_content,
    encode_json,
    encode_text,
    joined,
)
from jupyter_runtimed.core.errors import NotFound, TooLarge
from jupyter_runtimed.core.limits import Limits
from jupyter_runtimed.core.native import clean_text, dump, fits, is_key, is_text
from jupyter_runtimed.core.output_fields import OURS, is_unknown
from jupyter_runtimed.core.references import blob_reference, is_reference

SHOWN_BYTES = 16 * 1024
"""A field of nbformat's that has no place for blobs stands in its manifest up to so many bytes; a file's is kept aside
when it is larger."""

UNKNOWN_BYTES = 16 * 1024
"""What all fields that nbformat does not know take of the document at most."""

_DISPLAYS = ("display_data", "execute_result")


def output_to_manifest(
    output: Mapping[str, Any], limits: Limits, *, from_file: bool = False
) -> tuple[dict[str, Any], list[bytes]]:
    """Make the manifest of an nbformat output.

    An output that has no regular manifest (wrong types, values a document cannot hold, keys that are ours) is kept
    whole as the blob `original`, beside what can be shown of it.

    Args:
        output: a `display_id` in it is the kernel's; in a file it is a key that is ours.
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
    room_bytes = UNKNOWN_BYTES
    for key, value in output.items():
        if key == "output_type":
            continue
        shown: tuple[Any, bool, list[bytes]] | None = None
        try:
            if not is_key(key):
                pass
            elif is_unknown(kind, key):
                content, new = _encode_unknown(kind, key, value, limits)
                room_bytes -= len(key.encode()) + len(dump(content))
                shown = (content, True, new) if room_bytes >= 0 else None
            elif key not in OURS or (key == "display_id" and not from_file):
                shown = _show_field(kind, key, value, limits, from_file)
        except TooLarge:
            if from_file:
                raise
        if shown is None:
            is_whole = False
            continue
        manifest[key], is_field_whole, new = shown
        blobs += new
        is_whole = is_whole and is_field_whole
    if not is_whole and from_file:
        data = dump(output)
        blobs.append(data)
        manifest["original"] = blob_reference(data)
    return manifest, blobs


def _encode_unknown(kind: object, key: str, value: Any, limits: Limits) -> tuple[Content, list[bytes]]:
    """Content of a field that nbformat does not know."""
    if key == "text" and kind not in _DISPLAYS:
        value = joined(value)  # as nbformat does
    if isinstance(value, str):
        return encode_text(value, limits)
    content, blobs = encode_json(value, limits)
    return ({**content, "json": True} if blobs else content), blobs


def _show_field(
    kind: object, key: str, value: Any, limits: Limits, from_file: bool
) -> tuple[Any, bool, list[bytes]] | None:
    """One field of nbformat's as it stands in a manifest, whether that is all of it, and its blobs.

    None for what has no form.
    """
    if kind == "stream" and key == "text":
        text = joined(value)
        if not isinstance(text, str):
            return None
        content, blobs = encode_text(text, limits)
        return [content], True, blobs
    if kind in _DISPLAYS and key == "data":
        return _show_bundle(value, limits, from_file) if isinstance(value, dict) else None
    if kind == "error" and key == "traceback":
        if not isinstance(value, (list, str)):
            return None
        content, blobs = encode_json(value, limits)
        return content, True, blobs
    if isinstance(value, str):
        text = clean_text(value)[:SHOWN_BYTES]
        return text, text == value, []
    if fits(value, limits.max_depth // 2) and len(dump(value)) <= SHOWN_BYTES:
        return value, True, []
    return None


def _show_bundle(
    bundle: Mapping[str, Any], limits: Limits, from_file: bool
) -> tuple[dict[str, Any], bool, list[bytes]]:
    data: dict[str, Any] = {}
    blobs: list[bytes] = []
    for mime, item in bundle.items():
        if is_key(mime):
            try:
                data[mime], new = encode_content(mime, item, limits)
            except TooLarge:
                if from_file:
                    raise
                continue
            blobs += new
    return data, len(data) == len(bundle), blobs


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
    gone = object()
    output: dict[str, Any] = {}
    for key, value in manifest.items():
        if key in OURS:
            continue
        if kind == "stream" and key == "text":
            output[key] = stream_text(value, fetch)
        elif kind in _DISPLAYS and key == "data" and isinstance(value, Mapping):
            output[key] = decode_bundle(value, fetch)
        elif kind == "error" and key == "traceback":
            output[key] = decode_or([], "application/json", value, fetch)
        elif not is_unknown(kind, key):
            output[key] = value
        elif (unknown := decode_or(gone, "text/plain", value, fetch)) is not gone:
            output[key] = unknown
    return output


def stream_text(pieces: Any, fetch: FetchBlob) -> str:
    """The whole text of a stream's pieces, without those that are gone."""
    if isinstance(pieces, str):
        return pieces
    if not isinstance(pieces, list):
        return ""
    return "".join(str(decode_or("", "text/plain", piece, fetch)) for piece in pieces)
