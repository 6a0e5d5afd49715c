"""The pen of a terminal: colours and weights. "" is what the line before left, else one SGR sequence."""

from __future__ import annotations

from functools import lru_cache

_RESET = "\x1b[0m"
_SLOTS = {1: "weight", 2: "weight", 22: "weight", 3: "italic", 23: "italic", 4: "line", 21: "line", 24: "line"}
_SLOTS.update({5: "blink", 6: "blink", 25: "blink", 7: "inverse", 27: "inverse", 8: "hidden", 28: "hidden"})
_SLOTS.update({9: "strike", 29: "strike", 38: "ink", 39: "ink", 48: "paper", 49: "paper"})
_SLOTS.update(dict.fromkeys((*range(30, 38), *range(90, 98)), "ink"))
_SLOTS.update(dict.fromkeys((*range(40, 48), *range(100, 108)), "paper"))


@lru_cache(maxsize=1024)
def next_pen(pen: str, parameters: str) -> str:
    """The pen after an SGR sequence, with no more codes than there are properties.

    Args:
        pen: "" or an SGR sequence.
        parameters: what stands between `ESC [` and `m`.
    """
    slots: dict[str, str] = {}
    codes = [*pen[2:-1].split(";"), *(parameters or "0").split(";")] if pen else (parameters or "0").split(";")
    index = 0
    while index < len(codes):
        code = codes[index]
        number = int(code.split(":")[0] or 0)
        width = 1
        if number in {38, 48} and ":" not in code:
            kind = codes[index + 1] if index + 1 < len(codes) else ""
            width = {"5": 3, "2": 5}.get(kind, 2)
            code = ";".join(codes[index : index + width])
        if number == 0:
            slots = {"reset": "0"}
        else:
            slots[_SLOTS.get(number, str(number))] = code
        index += width
    return f"\x1b[{';'.join(slots.values())}m"


def change_pen(pen: str, new_pen: str) -> str:
    """What to write to go from one pen to another."""
    if pen == new_pen:
        return ""
    if pen in {"", _RESET} or new_pen.startswith((_RESET, "\x1b[0;")):
        return new_pen
    return _RESET + new_pen
