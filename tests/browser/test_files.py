"""Saving, renaming, changes on disk: as JupyterLab's users know them, without false alarms."""

from __future__ import annotations

import json
import re
import urllib.request
from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.browser.lab import KERNEL, Lab, Tab
from tests.support.server_process import TOKEN

Two = Callable[..., tuple[Tab, Tab]]


def _call(lab: Lab, method: str, path: str, body: object = None) -> None:
    request = urllib.request.Request(
        lab.server.url + path,
        data=None if body is None else json.dumps(body).encode(),
        method=method,
        headers={"Authorization": f"token {TOKEN}"},
    )
    urllib.request.urlopen(request, timeout=20).close()


def test_saving_in_turns_raises_no_dialog(lab: Lab, two: Two) -> None:
    alice, bob = two("x = 1")
    alice.click(0).type("2").press("Control+s")
    alice.wait_saved()
    bob.wait_sources("x = 12")
    bob.click(0).type("3").press("Control+s")
    bob.wait_saved()
    alice.wait_sources("x = 123")
    alice.save()
    for tab in (alice, bob):
        expect(tab.dialogs).to_have_count(0)
        tab.wait_until("panel.context.model.dirty === false")
    assert lab.read(alice.path).cells[0].source == "x = 123"


def test_opening_a_notebook_changes_no_byte(lab: Lab) -> None:
    path = lab.write("x = 1")
    before = (lab.server.root / path).read_bytes()
    tab = lab.join(path)
    tab.wait_kernel()
    tab.save()
    tab.wait_until("panel.context.model.dirty === false")
    assert (lab.server.root / path).read_bytes() == before


def test_a_change_on_disk_comes_in_without_a_question(lab: Lab, two: Two) -> None:
    alice, bob = two("a", "b")
    alice.click(0).type("1")
    bob.wait_sources("a1", "b")
    alice.wait_saved()
    notebook = lab.read(alice.path)
    notebook.cells[1].source = "from disk"
    (lab.server.root / alice.path).write_text(json.dumps(notebook))
    for tab in (alice, bob):
        tab.wait_sources("a1", "from disk")
        expect(tab.dialogs).to_have_count(0)


@pytest.mark.parametrize("by", ["JupyterLab", "another program"])
def test_a_rename_is_followed_in_both_tabs(lab: Lab, two: Two, by: str) -> None:
    alice, bob = two("x = 1")
    renamed = f"renamed-{alice.path}"
    if by == "JupyterLab":
        rename = "([a, b]) => window.jupyterapp.serviceManager.contents.rename(a, b)"
        alice.page.evaluate(rename, [alice.path, renamed])
    else:
        (lab.server.root / alice.path).rename(lab.server.root / renamed)
    for tab in (alice, bob):
        tab.wait_until(f"panel.context.path === {json.dumps(renamed)}")
    alice.click(0).type("2").press("Control+s")
    bob.wait_sources("x = 12")
    lab.wait_for(lambda: lab.read(renamed).cells[0].source == "x = 12", "it is saved under its new name")
    assert not (lab.server.root / alice.path).exists()


def test_a_file_that_is_no_notebook_says_so(lab: Lab) -> None:
    path = "broken.ipynb"
    (lab.server.root / path).write_text("{ this is no JSON")
    tab = lab.visit(path)
    dialog = tab.dialogs
    expect(dialog).to_contain_text("File Load Error for broken.ipynb", timeout=60_000)
    expect(dialog).to_contain_text("Nothing was changed")
    tab.shot("broken", lab.artifacts)
    dialog.get_by_role("button", name="Close").click()
    tab.page.get_by_role("button", name="Open as text").click()
    expect(tab.page.locator(".jp-FileEditor .cm-content")).to_have_text("{ this is no JSON")
    assert (lab.server.root / path).read_text() == "{ this is no JSON"


def test_other_files_open_as_ever(lab: Lab) -> None:
    (lab.server.root / "notes.txt").write_text("plain text")
    tab = lab.visit("notes.txt")
    expect(tab.page.locator(".jp-FileEditor .cm-content")).to_have_text("plain text", timeout=60_000)


def test_a_big_notebook_tells_how_far_it_is(lab: Lab) -> None:
    tab = lab.join(lab.write("x"))
    tab.leave()
    seen = tab.page.evaluate_handle(
        """() => {
            const seen = [];
            new MutationObserver(() => seen.push(document.querySelector('.jp-RuntimedStatus')?.textContent ?? ''))
                .observe(document.body, {subtree: true, childList: true, characterData: true});
            return seen;
        }"""
    )
    cells = 2000
    tab.show(lab.write(*[f"value_{number} = {number}\n" * 20 for number in range(cells)]))
    tab.wait_until(f"nb.cells.length === {cells}")
    tab.wait_saved()
    told = re.compile(r"Opening( \d+ of 2000 cells|, \d+ cells so far)…")
    progress = [text for text in dict.fromkeys(seen.json_value()) if told.fullmatch(text)]
    assert progress
    assert tab.dialogs.count() == 0


def test_a_long_notebook_shows_its_beginning_and_has_its_end(lab: Lab) -> None:
    tab = lab.join(lab.write(*[f"value_{number} = {number}" for number in range(600)]))
    expect(tab.editor(0)).to_have_text("value_0 = 0")
    tab.wait_until("nb.cells.length === 600 && nb.cells[599].getSource() === 'value_599 = 599'")
    tab.click(0).type("  # changed")
    again = lab.join(tab.path)
    again.wait_until("nb.cells.length === 600 && nb.cells[0].getSource() === 'value_0 = 0  # changed'")


def test_notebook_7_works_the_same(lab: Lab) -> None:
    path = lab.write("x = 20", "x + 22")
    alice = lab.join(path)
    bob = lab.visit(path, app="notebooks")
    bob.page.wait_for_selector(".jp-Notebook .jp-Cell .cm-content", timeout=60_000)
    bob.click(0).type("  # notebook 7")
    expect(alice.editor(0)).to_have_text("x = 20  # notebook 7")
    bob.run(0)
    bob.run(1)
    for tab in (alice, bob):
        expect(tab.outputs(1)).to_have_text("42", timeout=30_000)
    expect(bob.status).to_contain_text("Saved")
    expect(bob.prompt(1)).to_have_attribute("title", re.compile("Last run by"))
    bob.shot("notebook7", lab.artifacts)
    alice.click(0).type(" and back").press("Control+s")
    expect(bob.editor(0)).to_have_text("x = 20  # notebook 7 and back")
    lab.wait_file(path, "x = 20  # notebook 7 and back", "x + 22")
    bob.click(1).press("Escape", "c", "v")
    for tab in (alice, bob):
        expect(tab.outputs(2)).to_have_text("42")
        expect(tab.dialogs).to_have_count(0)


@pytest.mark.parametrize("metadata", [KERNEL, {}])
def test_an_empty_notebook_can_be_typed_into(lab: Lab, metadata: object) -> None:
    path = f"empty-{'with' if metadata else 'without'}-kernel.ipynb"
    empty = {"cells": [], "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}
    (lab.server.root / path).write_text(json.dumps(empty))
    tab = lab.join(path)
    if not metadata:
        tab.page.locator(".jp-Dialog select").select_option(label="Python 3 (ipykernel)")
        tab.page.locator(".jp-Dialog .jp-mod-accept").click()
    tab.click(0).type("1 + 1").press("Control+Enter")
    expect(tab.outputs(0)).to_have_text("2", timeout=30_000)
