"""The file menu while a notebook is open: save, save as, rename, duplicate, download, delete, checkpoints."""

from __future__ import annotations

import json
from collections.abc import Callable

from playwright.sync_api import expect

from tests.browser.lab import Lab, Tab

Two = Callable[..., tuple[Tab, Tab]]


def test_save_as_leaves_the_old_file_and_goes_on_in_the_new_one(lab: Lab, two: Two) -> None:
    alice, bob = two("x = 1")
    alice.click(0).type("2")
    bob.wait_sources("x = 12")
    copy = f"as-{alice.path}"
    alice.command("docmanager:save-as")
    _answer(alice, copy)
    old, _ = alice.path, alice.went_on(copy)
    alice.click(0).type("3")
    lab.wait_file(copy, "x = 123")
    lab.wait_file(old, "x = 12")
    for tab in (alice, bob):
        expect(tab.dialogs).to_have_count(0)


def test_it_is_renamed_moved_duplicated_downloaded_and_deleted_while_open(lab: Lab, two: Two) -> None:
    alice, bob = two("x = 1")
    (lab.server.root / "folder").mkdir(exist_ok=True)
    alice.click(0).type("2")
    named, moved = f"named-{alice.path}", f"folder/{alice.path}"
    alice.command("docmanager:rename")
    _answer(alice, named)
    _is_now(alice, bob, named)
    alice.page.evaluate("([a, b]) => window.jupyterapp.serviceManager.contents.rename(a, b)", [named, moved])
    _is_now(alice, bob, moved)
    alice.click(0).type("3")
    bob.wait_sources("x = 123")
    with alice.page.expect_download() as download:
        alice.command("docmanager:download")
    assert json.loads(download.value.path().read_text())["cells"][0]["source"] == ["x = 123"]
    alice.click(0).type("4")
    alice.command("docmanager:duplicate")
    copy = moved.replace(".ipynb", "-Copy1.ipynb")
    lab.wait_for((lab.server.root / copy).exists, "the copy")
    lab.wait_file(copy, "x = 1234")
    alice.page.evaluate("path => window.jupyterapp.serviceManager.contents.delete(path)", moved)
    expect(bob.status).to_contain_text("Not yet in the file")
    bob.click(0).type("5").press("Control+s")
    lab.wait_file(moved, "x = 12345")
    for tab in (alice, bob):
        expect(tab.status).to_contain_text("Saved")
        expect(tab.dialogs).to_have_count(0)


def test_a_checkpoint_is_made_by_saving_and_can_be_gone_back_to(lab: Lab, two: Two) -> None:
    alice, bob = two("x = 1")
    alice.click(0).type("2").press("Control+s")
    # The first save of a session keeps the file as it was; what the menu makes a checkpoint of takes its place.
    lab.wait_file(f".ipynb_checkpoints/{alice.path.removesuffix('.ipynb')}-checkpoint.ipynb", "x = 12")
    alice.type("3")
    lab.wait_file(alice.path, "x = 123")
    alice.command("docmanager:restore-checkpoint")
    alice.page.locator(".jp-Dialog .jp-mod-accept").click()
    for tab in (alice, bob):
        tab.wait_sources("x = 12")
        expect(tab.dialogs).to_have_count(0)
    lab.wait_file(alice.path, "x = 12")


def test_a_tab_that_is_closed_while_it_saves_asks_nothing(lab: Lab, two: Two) -> None:
    alice, bob = two("x = 1")
    alice.click(0).type("2")
    alice.press("Control+s")
    alice.model("panel.dispose()")
    lab.wait_file(alice.path, "x = 12")
    bob.wait_sources("x = 12")
    expect(alice.dialogs).to_have_count(0)
    assert alice.complaints == []


def test_autosave_is_switched_off_and_on_in_the_settings_menu(lab: Lab, two: Two) -> None:
    alice, bob = two("x = 1")
    alice.command("docmanager:toggle-autosave")
    alice.click(0).type("2")
    for tab in (alice, bob):
        tab.wait_sources("x = 12")
        expect(tab.status).to_have_text("Not saved")
    assert lab.read(alice.path).cells[0].source == "x = 1"
    bob.command("docmanager:save")
    lab.wait_file(alice.path, "x = 12")
    alice.type("3")
    alice.command("docmanager:toggle-autosave")
    lab.wait_file(alice.path, "x = 123")


def _answer(tab: Tab, name: str) -> None:
    tab.page.locator(".jp-Dialog input").first.fill(name)
    tab.page.locator(".jp-Dialog .jp-mod-accept").click()
    expect(tab.dialogs).to_have_count(0)


def _is_now(alice: Tab, bob: Tab, path: str) -> None:
    for tab in (alice, bob):
        tab.wait_until(f"panel.context.path === {json.dumps(path)}")
