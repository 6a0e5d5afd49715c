"""The picture in the README: two people in one notebook, as their browsers show it.

`make picture` puts what this test has drawn where the README has it.
"""

from __future__ import annotations

import base64
import json
from pathlib import Path

from playwright.sync_api import Browser, expect

from tests.browser.conftest import ARTIFACTS, start_server
from tests.browser.lab import Lab

EXAMPLE = Path(__file__).parents[2] / "examples" / "welcome.ipynb"
PICTURE = ARTIFACTS / "two-people.png"
SIZE = {"width": 720, "height": 700}

_SIDE_BY_SIDE = """
    <body style="margin: 0; padding: 24px; display: flex; gap: 24px; background: #e8eaee">
        <img src="data:image/png;base64,%s" style="border-radius: 6px; box-shadow: 0 2px 12px #0004">
        <img src="data:image/png;base64,%s" style="border-radius: 6px; box-shadow: 0 2px 12px #0004">
"""


def test_two_people_in_one_notebook(tmp_path: Path, browser: Browser) -> None:
    arguments = ("--ServerApp.identity_provider_class=tests.browser.guests.Named",)
    with start_server(tmp_path / "lab", arguments) as server:
        lab = Lab(server, browser, ARTIFACTS)
        notebook = json.loads(EXAMPLE.read_text())
        notebook["cells"] = notebook["cells"][2:4]
        (server.root / "birthdays.ipynb").write_text(json.dumps(notebook))
        ada, grace = (lab.open("birthdays.ipynb", token=f"a-token-for-{name}") for name in ("ada", "grace"))
        for tab in (ada, grace):
            tab.page.set_viewport_size(SIZE)
            tab.command("application:toggle-left-area")
        ada.wait_kernel()
        ada.run(0)
        expect(grace.outputs(0)).to_have_text("23 people: 50.7%")
        grace.run(1)
        expect(ada.outputs(1)).to_contain_text("60")
        ada.click(0).type("\n# and in our team of ")
        grace.click(1, end=False).press("Control+Home", "ArrowDown", "ArrowDown")
        grace.press(*["Shift+ArrowRight"] * 12)
        expect(grace.editor(0)).to_contain_text("in our team of")
        for tab in (ada, grace):
            tab.page.locator(".jp-WindowedPanel-outer").evaluate("node => node.scrollTo(0, 0)")
            expect(tab.page.locator(".jp-remote-cursor").first).to_be_attached()
            expect(tab.status).to_contain_text("Saved")
        _draw(browser, [tab.page.screenshot() for tab in (ada, grace)])
        lab.close(None)
    assert 20_000 < PICTURE.stat().st_size < 300_000


def _draw(browser: Browser, shots: list[bytes]) -> None:
    """Put the two pages side by side into one picture."""
    page = browser.new_page(viewport={"width": 2 * SIZE["width"] + 72, "height": SIZE["height"] + 48})
    page.set_content(_SIDE_BY_SIDE % tuple(base64.b64encode(shot).decode() for shot in shots))
    page.screenshot(path=PICTURE)
    page.close()
