"""Console, inspector, debugger, output widgets: what talks to the kernel goes on working with a room's kernel."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import expect

from tests.browser.lab import Lab, Tab

Two = Callable[..., tuple[Tab, Tab]]


def test_a_console_shares_the_notebooks_kernel(lab: Lab, two: Two) -> None:
    alice, bob = two("x = 41", "x")
    alice.wait_kernel()
    alice.run(0)
    expect(bob.prompt(0)).to_have_text("[1]:")
    alice.command("notebook:create-console")
    console = alice.page.locator(".jp-CodeConsole")
    prompt = console.locator(".jp-CodeConsole-promptCell .cm-content")
    expect(prompt).to_be_visible()
    prompt.click()
    alice.type("x += 1; print('from the console', x)").press("Shift+Enter")
    expect(console.locator(".jp-OutputArea-output")).to_have_text("from the console 42")
    alice.shot("console", lab.artifacts)
    bob.run(1)
    expect(bob.outputs(1)).to_have_text("42")
    # What the console printed is nobody else's.
    assert bob.sources() == ["x = 41", "x"]
    expect(bob.outputs(0)).to_have_count(0)
    assert alice.complaints == bob.complaints == []


def test_the_inspector_follows_the_caret(lab: Lab, two: Two) -> None:
    alice, _ = two("import collections", "collections.OrderedDict")
    alice.wait_kernel()
    alice.run(0)
    expect(alice.prompt(0)).to_have_text("[1]:")
    alice.command("inspector:open", refresh=True)
    inspector = alice.page.locator(".jp-Inspector")
    expect(inspector).to_be_visible()
    alice.click(1).press("ArrowLeft")
    expect(inspector).to_contain_text("OrderedDict", timeout=30_000)
    alice.shot("inspector", lab.artifacts)


def test_the_debugger_stops_at_a_breakpoint_of_a_cell_the_server_runs(lab: Lab, two: Two) -> None:
    alice, bob = two("def f(n):\n    total = n + 1\n    return total\nf(41)")
    alice.wait_kernel()
    bug = alice.page.locator(".jp-DebuggerBugButton")
    expect(bug).to_have_attribute("aria-disabled", "false", timeout=30_000)
    bug.click()
    gutter = alice.cells.nth(0).locator(".cm-breakpoint-gutter .cm-gutterElement")
    expect(gutter).to_have_count(5)
    gutter.nth(3).click()
    alice.run(0)
    panel = alice.page.locator(".jp-DebuggerCallstack")
    expect(panel).to_contain_text("f", timeout=30_000)
    expect(alice.page.locator(".jp-DebuggerVariables")).to_contain_text("total")
    alice.shot("debugger", lab.artifacts)
    alice.command("debugger:continue")
    for tab in (alice, bob):
        expect(tab.outputs(0)).to_have_text("42", timeout=30_000)


def test_an_output_widget_captures_in_both_tabs_and_after_a_reload(lab: Lab) -> None:
    path = lab.write(
        "import ipywidgets as w\nout = w.Output()\nb = w.Button(description='go')\n"
        "def on(_):\n    with out: print('clicked')\nb.on_click(on)\nw.VBox([b, out])",
        "with out: print('captured')",
    )
    alice, bob = lab.open(path), lab.open(path)
    alice.wait_kernel()
    bob.wait_kernel()
    alice.run(0)
    for tab in (alice, bob):
        expect(tab.page.locator(".jupyter-button")).to_be_visible()
    alice.run(1)
    captured = ".widget-output .jp-OutputArea-output"
    for tab in (alice, bob):
        expect(tab.page.locator(captured)).to_have_text("captured")
        expect(tab.outputs(1)).to_have_count(0)
    bob.page.locator(".jupyter-button").click()
    for tab in (alice, bob):
        expect(tab.page.locator(captured)).to_contain_text("clicked")
    alice.shot("output-widget", lab.artifacts)
    bob.reload()
    expect(bob.page.locator(captured)).to_contain_text("clicked")
