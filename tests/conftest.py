"""Async tests run on pytest-jupyter's event loop; hypothesis draws the same examples in every run of `make test`.

A search for new ones is `HYPOTHESIS_PROFILE=search make test-fast`.
"""

from __future__ import annotations

import os

from hypothesis import settings

pytest_plugins = ["pytest_jupyter.jupyter_server"]

settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.register_profile("search", deadline=None, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeatable"))
