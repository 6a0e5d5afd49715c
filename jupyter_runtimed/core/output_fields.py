"""Which fields an output has: nbformat's, ours, and those that nobody knows, which nbformat forbids."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from jupyter_runtimed.core.mime import is_json

_FIELDS = {
    "stream": frozenset({"output_type", "name", "text"}),
    "display_data": frozenset({"output_type", "data", "metadata"}),
    "execute_result": frozenset({"output_type", "data", "metadata", "execution_count"}),
    "error": frozenset({"output_type", "ename", "evalue", "traceback"}),
}
_TYPE = frozenset({"output_type"})
OURS = frozenset({"seq", "original", "display_id"})
"""What a manifest has beside nbformat's fields."""


def is_unknown(kind: object, key: str) -> bool:
    """Whether a field is neither nbformat's nor ours. Of a type that nbformat does not know, all are."""
    known = _FIELDS.get(kind, _TYPE) if isinstance(kind, str) else _TYPE
    return key not in known and key not in OURS


def as_nbformat(output: Mapping[str, Any]) -> dict[str, Any]:
    """An output as nbformat allows it; one of an unknown type as it is.

    Fields that nbformat forbids are left out. What is no text under a MIME type of text is the text of its JSON.
    """
    known = _FIELDS.get(str(output.get("output_type")))
    if known is None:
        return dict(output)
    kept = {key: value for key, value in output.items() if key in known}
    data = kept.get("data")
    if isinstance(data, Mapping):
        kept["data"] = {mime: value if is_json(mime) else _text(value) for mime, value in data.items()}
    return kept


def _text(value: Any) -> Any:
    is_text = isinstance(value, str) or (isinstance(value, list) and all(isinstance(line, str) for line in value))
    return value if is_text else json.dumps(value, ensure_ascii=False)
