"""Which fields an output has: nbformat's, ours, and those that nobody knows, which nbformat forbids."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

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


def only_known(output: Mapping[str, Any]) -> dict[str, Any]:
    """An nbformat output without the fields that nbformat forbids; all of it when its type is unknown."""
    known = _FIELDS.get(str(output.get("output_type")))
    return {key: value for key, value in output.items() if known is None or key in known}
