"""JupyterLab in a real browser, against a real server: two contexts are two people.

One server and one browser for all tests, and two people who stay; each test has its own notebook. Where a page of its own
matters, a test opens one, which begins with empty storage. Screenshots of failures, and those that tests ask for, are kept in `artifacts/browser`.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from tests.browser.lab import Lab, Tab
from tests.support.server_process import ServerProcess
from tests.support.tcp_proxy import WireThread, wire_in_a_thread

# Two pages, a server and its kernels share a machine with whatever else is going on there.
expect.set_options(timeout=20_000)

ARTIFACTS = Path(__file__).parents[2] / "artifacts" / "browser"

CHROMIUM_ARGUMENTS = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

GUESTS = (
    "--ServerApp.identity_provider_class=tests.browser.guests.GuestsToo",
    "--ServerApp.authorizer_class=tests.browser.guests.GuestsMayRead",
)

# JupyterLab asks once whether it may fetch news; the question would cover what tests click.
PAGE_CONFIG = {"disabledExtensions": {"@jupyterlab/apputils-extension:announcements": True}}


@pytest.fixture(autouse=True)
def jp_asyncio_loop() -> None:
    """Playwright's synchronous interface runs a loop of its own, which must not be taken for pytest-jupyter's."""


@pytest.fixture(autouse=True)
def jp_server_cleanup() -> None:
    """There is no server in this process."""


def chromium() -> str:
    """The system's Chromium."""
    executable = shutil.which("chromium") or shutil.which("chromium-browser")
    if executable is None:
        raise RuntimeError("there is no Chromium: `make .make/browser` installs it")
    return executable


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """The system's Chromium; the one without windows where it is, for those take a quarter of a page's time."""
    executable = shutil.which("chromium-headless-shell") or chromium()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=CHROMIUM_ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server with JupyterLab, Notebook and the extension; guests may read."""
    with start_server(tmp_path_factory.mktemp("lab"), GUESTS) as server:
        yield server


def start_server(home: Path, arguments: tuple[str, ...] = (), **options: Any) -> ServerProcess:
    """A server for browsers that has not been started yet, and is killed at the end; options as of `ServerProcess`."""
    settings = home / "config" / "labconfig"
    settings.mkdir(parents=True)
    (settings / "page_config.json").write_text(json.dumps(PAGE_CONFIG))
    arguments = ("--LabApp.expose_app_in_browser=True", *arguments)
    return ServerProcess(home, arguments=arguments, is_killed=True, **options)


@pytest.fixture(scope="session")
def regulars() -> list[Tab]:
    """People who stay from test to test."""
    return []


@pytest.fixture
def lab(server: ServerProcess, browser: Browser, regulars: list[Tab], request: pytest.FixtureRequest) -> Iterator[Lab]:
    """People who open notebooks."""
    lab = Lab(server, browser, ARTIFACTS, regulars)
    yield lab
    lab.close(failed_name(request))


@pytest.fixture
def own(tmp_path: Path, browser: Browser, request: pytest.FixtureRequest) -> Iterator[Lab]:
    """A server of its own, to be stopped, killed and started again."""
    with start_server(tmp_path / "lab") as server:
        lab = Lab(server, browser, ARTIFACTS)
        yield lab
        lab.close(failed_name(request))


@pytest.fixture
def wire(own: Lab) -> Iterator[WireThread]:
    """What is between browsers and the server, for who opens a notebook while `own.port` says so."""
    with wire_in_a_thread(own.server.port) as wire:
        yield wire
        wire.let_flow()


def failed_name(request: pytest.FixtureRequest) -> str | None:
    """The name of the test that used a fixture, if it failed."""
    report = getattr(request.node, "report", None)
    return str(request.node.name) if report is None or report.failed else None


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Let fixtures know how the test went."""
    report = yield
    if report.when == "call":
        item.report = report  # type: ignore[attr-defined]
    return report  # type: ignore[return-value]


@pytest.fixture
def two(lab: Lab) -> Callable[..., tuple[Tab, Tab]]:
    """Two people in one new notebook."""

    def open_two(*sources: str) -> tuple[Tab, Tab]:
        path = lab.write(*sources)
        return lab.join(path), lab.join(path)

    return open_two
