"""Equal bytes are equal histories, whichever process reads them."""

from __future__ import annotations

import os
import subprocess
import sys

from tests.support import notebooks
from tests.unit.core.test_ipynb_import import heads_of


def test_equal_bytes_make_equal_heads_in_every_process() -> None:
    """Two fresh processes, with other seeds for Python's hashes."""
    program = (
        "from jupyter_runtimed.core.ipynb import Import; from jupyter_runtimed.core.limits import Limits\n"
        "from tests.support.notebooks import odd\n"
        "for name, data in odd().items():\n"
        "    source = Import(data, Limits()); list(source.batches()); list(source.executions())\n"
        "    print(name, source.heads[0].hex())\n"
    )
    runs = [
        subprocess.run(
            [sys.executable, "-c", program],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("1", "2")
    ]
    assert runs[0] == runs[1]
    assert [line.split()[1] for line in runs[0].splitlines()] == [heads_of(data) for data in notebooks.odd().values()]
