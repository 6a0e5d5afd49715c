"""Who may only read sees everything live, is told so, and can do no harm."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.browser.guests import GUEST_TOKEN
from tests.browser.lab import Lab


def test_a_guest_sees_all_and_changes_nothing(lab: Lab) -> None:
    path = lab.write("print('out')", "x = 1", "%md text")
    before = lab.read(path)
    guest = lab.open(path, token=GUEST_TOKEN)
    expect(guest.status).to_have_text("Read-only")
    expect(guest.page.locator(".jp-NotebookPanel-toolbar")).to_contain_text("notebook is read-only")
    guest.click(1).type("typed by the guest")
    guest.press("Escape", "d", "d", "b", "x", "v", "m")
    guest.command("notebook:move-cell-up")
    guest.command("notebook:insert-cell-below")
    guest.run(0)
    expect(guest.page.locator(".Toastify__toast")).to_contain_text("you may not run")
    guest.wait_sources("print('out')", "x = 1", "text")
    alice = lab.join(path)
    alice.wait_sources("print('out')", "x = 1", "text")
    assert lab.read(path) == before
    alice.click(1).type("2")
    alice.run(0)
    expect(guest.editor(1)).to_have_text("x = 12")
    expect(guest.outputs(0)).to_have_text("out")
    assert guest.model("panel.sessionContext.session") is None  # the server would refuse it again and again
    expect(guest.page.locator("#jp-main-statusbar")).to_contain_text("No Kernel | Unknown")
    guest.shot("guest", lab.artifacts)
    expect(guest.dialogs).to_have_count(0)


def test_a_guest_is_not_asked_what_a_cell_asks(lab: Lab) -> None:
    path = lab.write("print('Hello', input('Who? '))")
    alice, guest = lab.join(path), lab.open(path, token=GUEST_TOKEN)
    alice.run(0)
    expect(guest.prompt(0)).to_have_text("[*]:")
    box = alice.page.locator(".jp-Stdin-input")
    box.fill("Alice")
    expect(guest.page.locator(".jp-Stdin-input")).to_have_count(0)
    box.press("Enter")
    expect(guest.outputs(0)).to_have_text("Who?  Alice\nHello Alice")
