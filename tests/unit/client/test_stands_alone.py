"""The client runs where only aiohttp, automerge and msgspec are installed."""

from __future__ import annotations

import subprocess
import sys

LOADS = """
import sys
before = set(sys.modules)
import jupyter_runtimed.client
loaded = {name.partition(".")[0] for name in set(sys.modules) - before}
print(*sorted(loaded - set(sys.stdlib_module_names)))
"""

# What aiohttp and automerge bring along; optional accelerators of aiohttp may be there or not.
THEIRS = {
    "aiohappyeyeballs", "aiohttp", "aiosignal", "async_timeout", "attr", "attrs", "automerge", "frozenlist", "idna",
    "jupyter_runtimed", "msgspec", "multidict", "propcache", "typing_extensions", "yarl",
}  # fmt: skip
ACCELERATORS = {"aiodns", "backports", "brotli", "brotlicffi", "cffi", "cython_runtime", "isal", "pycares", "zlib_ng"}


def test_importing_the_client_loads_nothing_of_jupyter() -> None:
    loaded = subprocess.run(
        [sys.executable, "-c", LOADS], capture_output=True, text=True, check=True, timeout=60
    ).stdout
    names = {name for name in loaded.split() if not name.startswith(("_", "__editable__"))}
    assert names - THEIRS - ACCELERATORS == set()
    assert {"aiohttp", "automerge", "msgspec"} <= names
