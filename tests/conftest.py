"""Async tests run on pytest-jupyter's event loop; hypothesis draws the same examples in every run of `make test`.

A search for new ones is `HYPOTHESIS_PROFILE=search make test-fast`.
"""

from __future__ import annotations

import gc
import os

import pytest
from hypothesis import settings

import tests.support.quick_imports  # noqa: F401  # before the plugin

pytest_plugins = ["pytest_jupyter.jupyter_server"]

settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.register_profile("search", deadline=None, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeatable"))


@pytest.fixture(autouse=True)
def jp_server_cleanup(request: pytest.FixtureRequest) -> None:
    """pytest-jupyter's, which makes a server after every test that has none, to clean it up: only where there was one."""
    if "jp_serverapp" in request.fixturenames:
        request.getfixturevalue("jp_server_cleanup")


def pytest_collection_finish() -> None:
    """What was imported stays: the collector need not look at it again and again."""
    gc.freeze()
