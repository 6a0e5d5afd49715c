"""The notebooks that are measured: real ones where their folder is beside the checkout, and generated ones anywhere."""

from __future__ import annotations

import base64
import json
import random
from pathlib import Path

SHARED = Path(__file__).resolve().parents[2] / "shared" / "notebooks"
REAL = ("bmh-ch5-loss-50cells", "bambi-hsgp1d-5mb", "handson-12-custom-335cells")

LINES = (
    "import numpy as np", "x = np.linspace(0, 10, 100)", "for i in range(10):", "    print(i, x[i])", "",
    "# what the column means", "def f(a, b=3):", "    return a + b", "label = 'série'", "assert f(1) == 4  # 検証",
)  # fmt: skip


def generated(cells: int, source_chars: int, images: int, image_bytes: int, seed: int = 7) -> bytes:
    """A notebook with so many cells of so many characters each, and so many PNG-like outputs."""
    dice = random.Random(seed)
    content = []
    for index in range(cells):
        source = ""
        while len(source) < source_chars:
            source += dice.choice(LINES) + "\n"
        outputs: list[object] = [{"name": "stdout", "output_type": "stream", "text": [f"{index}\n"]}]
        if images and index % max(1, cells // images) == 0:
            raw = b"\x89PNG\r\n\x1a\n" + dice.randbytes(image_bytes)
            data = {"image/png": base64.b64encode(raw).decode(), "text/plain": ["<Figure>"]}
            outputs.append({"data": data, "metadata": {}, "output_type": "display_data"})
        content.append(
            {
                "cell_type": "code",
                "execution_count": index + 1,
                "id": f"cell-{index:05}",
                "metadata": {},
                "outputs": outputs,
                "source": source[:source_chars].splitlines(True),
            }
        )
    spec = {"display_name": "Python 3", "language": "python", "name": "python3"}
    notebook = {"cells": content, "metadata": {"kernelspec": spec}, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(notebook, indent=1, ensure_ascii=False).encode() + b"\n"


def measured(quick: bool = False) -> dict[str, bytes]:
    """Name -> bytes of every notebook to measure, the small ones first."""
    found: dict[str, bytes] = {}
    for name in REAL:
        path = SHARED / f"{name}.ipynb"
        if path.exists():
            found[name] = path.read_bytes()
    if not found:
        found["generated-50cells-1mb"] = generated(50, 1200, 11, 80_000)
    if not quick:
        found["generated-2000cells"] = generated(2000, 500, 0, 0)
    return found


def cell_count(data: bytes) -> int:
    """How many cells a notebook of format 4 has."""
    return len(json.loads(data)["cells"])
