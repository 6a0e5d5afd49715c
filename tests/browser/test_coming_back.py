"""Networks fail, servers restart, lids close: nothing is lost, nothing is doubled, and no dialog asks."""

from __future__ import annotations

import json
import re
import shutil
import urllib.request
from typing import Any

import nbformat
import pytest
from playwright.sync_api import expect

from tests.browser.conftest import ARTIFACTS
from tests.browser.lab import Lab, Tab
from tests.support.server_process import TOKEN, ServerProcess
from tests.support.tcp_proxy import WireThread


@pytest.fixture
def wired(own: Lab, wire: WireThread) -> tuple[Tab, Tab]:
    """Alice, who is on the wire, and Bob, who is not, in one notebook."""
    path = own.write("x = 1", "y = 2")
    own.port = wire.port
    alice = own.open(path)
    own.port = own.server.port
    return alice, own.open(path)


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
        tab.wait_offline()
    alice.click(0).type(" + 1")
    bob.click(1).press("Escape", "b", "Enter").type("'from bob'")
    expect(alice.status).to_contain_text("not sent")
    alice.press("Control+s")
    expect(alice.page.locator(".jp-Notification-Status")).to_have_text("1")  # its text needs code of the server's
    expect(alice.page.locator("#jp-main-statusbar")).to_contain_text("Saving failed")
    expect(alice.dialogs).to_have_count(0)
    alice.shot(f"offline-{end}", ARTIFACTS)
    own.server.start()
    for tab in (alice, bob):
        tab.wait_back()
        tab.wait_sources("x = 123 + 1", "print('out')", "'from bob'")
        expect(tab.outputs(1)).to_have_text("out")
        assert tab.dialogs_seen() == []
    assert alice.ids() == bob.ids()
    assert [cell.source for cell in own.read(path).cells] == alice.sources()


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_two_type_while_the_server_restarts(own: Lab, end: str) -> None:
    path = own.write("", "")
    alice, bob = own.open(path), own.open(path)
    alice.click(0)
    bob.click(1)
    for number in range(60):
        alice.type(chr(0x4E00 + number))
        bob.type(chr(0x5E00 + number))
        if number == 20:
            _end(own.server, end)
        if number == 40:
            own.server.start()
    for tab in (alice, bob):
        tab.wait_sources(
            "".join(chr(0x4E00 + number) for number in range(60)), "".join(chr(0x5E00 + number) for number in range(60))
        )
        tab.wait_back()
        assert tab.dialogs_seen() == []
    assert [cell.source for cell in own.read(path).cells] == alice.sources()


def test_a_network_that_is_lost_comes_back(own: Lab, wire: WireThread, wired: tuple[Tab, Tab]) -> None:
    alice, bob = wired
    alice.click(0)
    wire.cut()
    alice.context.set_offline(True)
    alice.wait_offline()
    expect(alice.status).to_have_text("Offline")
    alice.type("23")
    expect(alice.status).to_have_text(re.compile("^Offline, [12] changes? not sent$"))
    expect(alice.status).to_have_attribute("title", re.compile("^Reconnecting"))
    alice.shot("network-lost", own.artifacts)
    bob.click(1).type("3")
    bob.click(0, end=False).press("Control+Home").type("bob_")
    wire.mend()
    alice.context.set_offline(False)
    for tab in (alice, bob):
        tab.wait_sources("bob_x = 123", "y = 23")
        tab.wait_back()
        assert tab.dialogs_seen() == []
    alice.type("4")
    bob.wait_sources("bob_x = 1234", "y = 23")


def test_what_is_typed_offline_in_cells_that_another_merges_is_in_the_merged_cell(
    wire: WireThread, wired: tuple[Tab, Tab]
) -> None:
    alice, bob = wired
    wire.cut()
    alice.context.set_offline(True)
    alice.wait_offline()
    alice.click(0).type("1")
    alice.click(1).type("2")
    bob.click(0).press("Escape", "Shift+ArrowDown", "Shift+M")
    bob.wait_sources("x = 1\n\ny = 2")
    wire.mend()
    alice.context.set_offline(False)
    for tab in (alice, bob):
        tab.wait_sources("x = 11\n\ny = 22")
        tab.wait_back()
        assert tab.dialogs_seen() == []
    assert alice.ids() == bob.ids()


def test_a_network_that_goes_silent_is_noticed_when_the_page_wakes_up(
    own: Lab, wire: WireThread, wired: tuple[Tab, Tab]
) -> None:
    alice, bob = wired
    alice.click(0)
    wire.silence()
    alice.type("23")
    bob.click(1).type("3")
    expect(alice.status).to_have_text("Sending…")
    alice.page.evaluate("window.dispatchEvent(new Event('online'))")
    alice.wait_offline()
    wire.let_flow()
    for tab in (alice, bob):
        tab.wait_sources("x = 123", "y = 23")
        tab.wait_back()
        assert tab.dialogs_seen() == []


@pytest.mark.parametrize("meanwhile", ["others type", "the network goes", "the server restarts"])
def test_a_page_that_slept_catches_up(own: Lab, wire: WireThread, wired: tuple[Tab, Tab], meanwhile: str) -> None:
    alice, bob = wired
    alice.click(0).type("23")
    alice.freeze()
    bob.click(1).type("3")
    if meanwhile == "the network goes":
        wire.cut()
    if meanwhile == "the server restarts":
        own.server.kill()
        own.server.start()
    bob.click(0, end=False).press("Control+Home").type("bob_")
    bob.run(1)
    wire.mend()
    alice.thaw()
    for tab in (alice, bob):
        tab.wait_sources("bob_x = 123", "y = 23")
        tab.wait_back()
        assert tab.dialogs_seen() == []
    alice.type("4")
    bob.wait_sources("bob_x = 1234", "y = 23")


def test_who_closes_the_tab_during_a_long_cell_finds_all_of_it(own: Lab) -> None:
    path = own.write("import time\nfor i in range(40):\n    print(i)\n    time.sleep(.05)", "'after'")
    alice = own.open(path)
    alice.click(0)
    alice.command("notebook:run-all-cells")
    expect(alice.outputs(0)).to_contain_text("3")
    alice.click(1).type(" # typed")
    own.wait_for(lambda: _on_server(own.server, path)[1] == "'after' # typed", "what was typed is on the server")
    alice.context.close()
    own.tabs.remove(alice)
    own.wait_file(path, own.read(path).cells[0].source, "'after' # typed")
    again = own.open(path)
    expect(again.outputs(1)).to_have_text("'after'")
    assert again.model("nb.cells[0].getOutputs()[0].text") == "".join(f"{i}\n" for i in range(40))
    expect(again.prompt(0)).to_have_text("[1]:")
    expect(again.prompt(1)).to_have_text("[2]:")
    assert again.dialogs_seen() == []


def test_a_server_that_lost_its_log_finds_the_notebook_again(own: Lab) -> None:
    path = own.write("x = 1")
    alice = own.open(path)
    alice.click(0).type("23")
    alice.wait_sources("x = 123")
    alice.wait_saved()
    alice.wait_kernel()  # JupyterLab says in a dialog that it could not start one
    own.server.kill()
    _forget(own.server)
    alice.wait_offline()
    alice.type("4")
    own.server.start()
    alice.wait_back()
    alice.wait_sources("x = 1234")
    assert [cell.source for cell in own.read(path).cells] == ["x = 1234"]


def test_a_file_that_was_changed_while_the_server_was_away_and_its_log_lost_is_merged(own: Lab) -> None:
    path = own.write("a = 1", "b = 1", "c = 1", "d = 1")
    alice = own.open(path)
    alice.click(0).type("0")
    own.wait_file(path, "a = 10", "b = 1", "c = 1", "d = 1")
    own.server.kill()
    _forget(own.server)
    notebook = own.read(path)
    notebook.cells[1].source = "b = 2"
    notebook.cells[3].source = "d = 2"
    nbformat.write(notebook, own.server.root / path)
    alice.wait_offline()
    alice.click(0).type("0")
    alice.click(2).press("Escape", "b", "Enter").type("new = 1")
    alice.click(4, end=False).press("Control+Home").type("# alice\n")
    alice.shot("merge-before", ARTIFACTS)
    own.server.start()
    alice.wait_back()
    alice.shot("merge-after", ARTIFACTS)
    alice.wait_sources("a = 100", "b = 2", "c = 1", "new = 1", "# alice\nd = 2")
    own.wait_file(path, "a = 100", "b = 2", "c = 1", "new = 1", "# alice\nd = 2")
    alice.click(1).type("0")
    own.wait_file(path, "a = 100", "b = 20", "c = 1", "new = 1", "# alice\nd = 2")


def test_closing_a_tab_never_asks_to_save(own: Lab) -> None:
    path = own.write("x = 1")
    alice = own.open(path)
    alice.click(0).type("23")
    alice.model("panel.close()")
    expect(alice.page.locator(".jp-NotebookPanel")).to_have_count(0)
    expect(alice.dialogs).to_have_count(0)
    again = own.open(path)
    again.wait_sources("x = 123")


def _on_server(server: ServerProcess, path: str) -> list[str]:
    """The sources that the room of a file has."""

    def get(route: str) -> Any:
        request = urllib.request.Request(
            f"{server.url}api/runtimed/rooms{route}", headers={"Authorization": f"token {TOKEN}"}
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)

    (room_id,) = [room["room_id"] for room in get("") if room["path"] == path]
    return ["".join(cell["source"]) for cell in get(f"/{room_id}/notebook")["cells"]]


def _end(server: ServerProcess, how: str) -> None:
    if how == "stop":
        server.stop()
    else:
        server.kill()


def _forget(server: ServerProcess) -> None:
    """Take away everything the server kept but the notebooks."""
    for folder in (server.home / "data").iterdir():
        shutil.rmtree(folder) if folder.is_dir() else folder.unlink()
