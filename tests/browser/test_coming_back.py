"""Networks fail, servers restart, lids close: nothing is lost, nothing is doubled, and no dialog asks."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.conftest import ARTIFACTS, failed_name, start_server
from tests.browser.lab import Lab, Tab
from tests.support.server_process import ServerProcess


@pytest.fixture
def own(tmp_path: Path, browser: Browser, request: pytest.FixtureRequest) -> Iterator[Lab]:
    """A server of its own, to be stopped, killed and started again."""
    with start_server(tmp_path / "lab") as server:
        lab = Lab(server, browser, ARTIFACTS)
        yield lab
        lab.close(failed_name(request))


def _is_shown_offline(tab: Tab) -> None:
    expect(tab.status).to_contain_text("Offline", timeout=30_000)


def _is_back(tab: Tab) -> None:
    expect(tab.status).to_contain_text("Saved", timeout=60_000)


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_what_is_typed_while_the_server_is_away_goes_up_when_it_is_back(own: Lab, end: str) -> None:
    path = own.write("x = 1", "print('out')")
    alice, bob = own.open(path), own.open(path)
    alice.click(0).type("23")
    alice.run(1)
    expect(bob.outputs(1)).to_have_text("out")
    bob.wait_sources("x = 123", "print('out')")
    bob.wait_saved()
    _end(own.server, end)
    for tab in (alice, bob):
        _is_shown_offline(tab)
    alice.click(0).type(" + 1")
    bob.click(1).press("Escape", "b", "Enter").type("'from bob'")
    expect(alice.status).to_contain_text("not sent")
    alice.shot(f"offline-{end}", ARTIFACTS)
    own.server.start()
    for tab in (alice, bob):
        _is_back(tab)
        tab.wait_sources("x = 123 + 1", "print('out')", "'from bob'")
        expect(tab.outputs(1)).to_have_text("out")
    assert alice.ids() == bob.ids()
    assert [cell.source for cell in own.read(path).cells] == alice.sources()


def test_a_server_that_lost_its_log_finds_the_notebook_again(own: Lab) -> None:
    path = own.write("x = 1")
    alice = own.open(path)
    alice.click(0).type("23")
    alice.wait_sources("x = 123")
    alice.wait_saved()
    own.server.kill()
    _forget(own.server)
    _is_shown_offline(alice)
    alice.type("4")
    own.server.start()
    _is_back(alice)
    alice.wait_sources("x = 1234")
    assert [cell.source for cell in own.read(path).cells] == ["x = 1234"]


def test_closing_a_tab_never_asks_to_save(own: Lab) -> None:
    path = own.write("x = 1")
    alice = own.open(path)
    alice.click(0).type("23")
    alice.model("panel.close()")
    expect(alice.page.locator(".jp-NotebookPanel")).to_have_count(0)
    expect(alice.dialogs).to_have_count(0)
    again = own.open(path)
    again.wait_sources("x = 123")


def _end(server: ServerProcess, how: str) -> None:
    if how == "stop":
        server.stop()
    else:
        server.kill()


def _forget(server: ServerProcess) -> None:
    """Take away everything the server kept but the notebooks."""
    for folder in (server.home / "data").iterdir():
        shutil.rmtree(folder) if folder.is_dir() else folder.unlink()
