"""How nbformat lays a notebook out as text: keys sorted, one space a level, long texts as lists of lines.

The bytes are those of `json.dumps(…, indent=1, sort_keys=True, ensure_ascii=False, separators=(",", ": "))`, which
works one token at a time in Python; here runs of strings are joined at once.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from json import encoder
from typing import Any, cast

_SPLIT = frozenset({"image/svg+xml", "application/javascript"})
_SURROGATE = re.compile("[\ud800-\udfff]")

_quote = cast("Callable[[str], str]", getattr(encoder, "encode_basestring"))  # noqa: B009  (typeshed has no name for it)


def write_json(value: Any, level: int) -> str:
    """A JSON value as it stands behind `level` spaces of indentation."""
    if isinstance(value, str):
        return _quote(value)
    if isinstance(value, dict):
        if not value:
            return "{}"
        margin = "\n" + " " * (level + 1)
        items = [f"{_quote(key)}: {write_json(value[key], level + 1)}" for key in sorted(value)]
        return "{" + margin + ("," + margin).join(items) + margin[:-1] + "}"
    if isinstance(value, list):
        if not value:
            return "[]"
        margin = "\n" + " " * (level + 1)
        items = [_quote(item) if isinstance(item, str) else write_json(item, level + 1) for item in value]
        return "[" + margin + ("," + margin).join(items) + margin[:-1] + "]"
    return _write_scalar(value)


def _write_scalar(value: Any) -> str:
    if value is None:
        return "null"
    if value is True:
        return "true"
    if value is False:
        return "false"
    if isinstance(value, float):
        if value != value:
            return "NaN"
        if value in (float("inf"), float("-inf")):
            return "Infinity" if value > 0 else "-Infinity"
        return float.__repr__(value)
    return int.__repr__(value)


def to_utf8(text: str) -> bytes:
    """JSON text as UTF-8; lone surrogates, which only strings can have, become escapes."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        return _SURROGATE.sub(lambda match: f"\\u{ord(match.group()):04x}", text).encode()


def split_lines(cell: dict[str, Any]) -> dict[str, Any]:
    """A cell with its long texts as lists of lines. Not changed in place."""
    value = dict(cell)
    if isinstance(value.get("source"), str):
        value["source"] = value["source"].splitlines(keepends=True)
    if isinstance(value.get("attachments"), dict):
        value["attachments"] = {name: _split_bundle(bundle) for name, bundle in value["attachments"].items()}
    if value.get("cell_type") == "code" and isinstance(value.get("outputs"), list):
        value["outputs"] = [_split_output(output) for output in value["outputs"]]
    return value


def _split_output(output: dict[str, Any]) -> dict[str, Any]:
    kind = output.get("output_type")
    if kind in ("display_data", "execute_result") and "data" in output:
        return {**output, "data": _split_bundle(output["data"])}
    if kind == "stream" and isinstance(output.get("text"), str):
        return {**output, "text": output["text"].splitlines(keepends=True)}
    return output


def _split_bundle(bundle: Any) -> Any:
    if not isinstance(bundle, dict):
        return bundle
    return {
        mime: data.splitlines(keepends=True)
        if isinstance(data, str) and (mime.startswith("text/") or mime in _SPLIT)
        else data
        for mime, data in bundle.items()
    }
