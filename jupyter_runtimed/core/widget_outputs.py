"""What an Output widget shows: a list of outputs as nbformat has them, which is one value of its state."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jupyter_runtimed.core.limits import MIB

MAX_BYTES = 8 * MIB
"""A widget's outputs travel whole with every change; beyond this they say so and stop."""

_NOTE = f"[This widget shows {MAX_BYTES:,} bytes at most; what comes after is not kept.]\n"


class WidgetOutputs:
    """The outputs of one widget, and whose outputs it takes.

    Attributes:
        captures: the message id whose outputs the widget takes; "" for none.
        is_changed: whether outputs were taken since the kernel was told.
    """

    def __init__(self) -> None:
        self.captures = ""
        self.is_changed = False
        self._outputs: list[dict[str, Any]] = []
        self._display_ids: list[str | None] = []
        self._clears_with_next = False
        self._bytes = 0

    def value(self) -> list[dict[str, Any]]:
        """The outputs as they stand now."""
        return [dict(output) for output in self._outputs]

    def set(self, value: Any) -> None:
        """The kernel says what the widget shows."""
        self._outputs = (
            [dict(output) for output in value if isinstance(output, dict)] if isinstance(value, list) else []
        )
        self._display_ids = [None] * len(self._outputs)
        self._bytes = sum(len(str(output)) for output in self._outputs)
        self._clears_with_next = self.is_changed = False

    def receive(self, msg_type: str, content: Mapping[str, Any]) -> bool:
        """Take in an IOPub message; whether it was an output."""
        if msg_type == "update_display_data":
            return self._update(content)
        if msg_type == "clear_output":
            if content.get("wait"):
                self._clears_with_next = True
            else:
                self._clear()
            return True
        if msg_type not in {"stream", "display_data", "execute_result", "error"}:
            return False
        if self._clears_with_next:
            self._clear()
        self.is_changed = True
        if self._bytes <= MAX_BYTES:
            self._bytes += len(str(content))
            if self._bytes > MAX_BYTES:
                msg_type, content = "stream", {"name": "stderr", "text": _NOTE}
            self._add(msg_type, content)
        return True

    def _add(self, msg_type: str, content: Mapping[str, Any]) -> None:
        last = self._outputs[-1] if self._outputs else {}
        said = {key: item for key, item in content.items() if key not in {"transient", "output_type"}}
        if msg_type == "stream" and last.get("output_type") == "stream" and last.get("name") == content.get("name"):
            last.update(said, text=f"{last.get('text', '')}{said.get('text', '')}")
            return
        self._outputs.append({**said, "output_type": msg_type})
        self._display_ids.append(_display_id(content))

    def _update(self, content: Mapping[str, Any]) -> bool:
        display_id = _display_id(content)
        places = [index for index, known in enumerate(self._display_ids) if known is not None and known == display_id]
        for index in places:
            self._outputs[index].update(data=content.get("data", {}), metadata=content.get("metadata", {}))
        self.is_changed = self.is_changed or bool(places)
        return bool(places)

    def _clear(self) -> None:
        self._outputs.clear()
        self._display_ids.clear()
        self._clears_with_next = False
        self._bytes = 0
        self.is_changed = True


def _display_id(content: Mapping[str, Any]) -> str | None:
    transient = content.get("transient")
    value = transient.get("display_id") if isinstance(transient, dict) else None
    return value if isinstance(value, str) else None
