"""Running cells: the server does it, everybody sees it."""

from __future__ import annotations

import re
from collections.abc import Callable

import nbformat
from playwright.sync_api import expect

from tests.browser.lab import Lab, Tab

Two = Callable[..., tuple[Tab, Tab]]


def test_what_one_runs_both_see(lab: Lab, two: Two) -> None:
    alice, bob = two(
        "for i in range(3): print(i, flush=True)",
        "from IPython.display import HTML; HTML('<b id=bold>bold</b>')",
        "1/0",
        "from IPython.display import Image\n"
        "import base64\n"
        "Image(base64.b64decode('iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=='))",
    )
    for index in range(4):
        alice.run(index)
    for tab in (alice, bob):
        expect(tab.outputs(0)).to_have_text("0\n1\n2")
        expect(tab.outputs(1).locator("#bold")).to_have_text("bold")
        expect(tab.outputs(2)).to_contain_text("ZeroDivisionError")
        expect(tab.outputs(3).locator("img")).to_be_visible()
        expect(tab.prompt(3)).to_have_text("[4]:")
    name = alice.page.evaluate("window.jupyterapp.serviceManager.user.identity.name")
    expect(bob.prompt(0)).to_have_attribute("title", re.compile(f"Last run by {name}"))
    bob.shot("outputs", lab.artifacts)
    assert alice.complaints == bob.complaints == []


def test_progress_that_is_written_over_shows_its_last_state(two: Two) -> None:
    alice, bob = two(
        "import time\nfor i in range(20):\n    print(f'\\r{i:3}% ' + '#' * (20 - i), end='', flush=True); time.sleep(.03)\nprint('\\ndone')"
    )
    alice.run(0)
    for tab in (alice, bob):
        expect(tab.outputs(0)).to_contain_text("done")
        tab.wait_until("nb.cells[0].getOutputs()[0].text.split('\\n')[0].startsWith(' 19% #')")
        assert tab.outputs(0).inner_text().rstrip("\n") == tab.model("nb.cells[0].getOutputs()[0].text").rstrip("\n")


def test_a_display_that_is_updated_changes_in_place(two: Two) -> None:
    alice, bob = two(
        "from IPython.display import display\nh = display('one', display_id=True)\nprint('between')\ndisplay('last')",
        "h.update('two')",
    )
    alice.run(0)
    expect(bob.outputs(0)).to_have_text(["'one'", "between", "'last'"])
    alice.run(1)
    for tab in (alice, bob):
        expect(tab.outputs(0)).to_have_text(["'two'", "between", "'last'"])


def test_run_all_stops_at_the_first_error(two: Two) -> None:
    alice, bob = two("print('first')", "1/0", "print('never')")
    alice.wait_kernel()
    alice.command("notebook:run-all-cells")
    for tab in (alice, bob):
        expect(tab.outputs(0)).to_have_text("first")
        expect(tab.outputs(1)).to_contain_text("ZeroDivisionError")
        expect(tab.prompt(2)).to_have_text("[ ]:")
        expect(tab.outputs(2)).to_have_count(0)


def test_the_selected_cells_run_and_no_other(two: Two) -> None:
    alice, bob = two("x = 1", "x += 41; x", "%md text", "'not this'")
    alice.wait_kernel()
    alice.click(0).press("Escape", "Shift+ArrowDown", "Shift+ArrowDown", "Control+Enter")
    for tab in (alice, bob):
        expect(tab.outputs(1)).to_have_text("42")
        expect(tab.prompt(0)).to_have_text("[1]:")
        expect(tab.prompt(3)).to_have_text("[ ]:")
    alice.click(3)
    alice.command("notebook:run-all-above")
    for tab in (alice, bob):
        expect(tab.prompt(1)).to_have_text("[4]:")
        expect(tab.outputs(1)).to_have_text("42")
        expect(tab.prompt(3)).to_have_text("[ ]:")


def test_what_waits_and_what_runs_is_shown_and_an_interrupt_empties_the_queue(lab: Lab, two: Two) -> None:
    alice, bob = two("import time\nprint('begun', flush=True)\ntime.sleep(60)", "print('second')")
    alice.run(0)
    alice.run(1)
    expect(bob.outputs(0)).to_contain_text("begun")
    for tab in (alice, bob):
        expect(tab.prompt(0)).to_have_text("[*]:")
        expect(tab.prompt(1)).to_have_text("[*]:")
        expect(tab.page.locator(".jp-mod-runtimedQueued")).to_have_count(1)
        expect(tab.page.locator(".jp-mod-runtimedRunning")).to_have_count(1)
    bob.shot("queue", lab.artifacts)
    bob.wait_kernel()
    bob.command("notebook:interrupt-kernel")
    for tab in (alice, bob):
        expect(tab.outputs(0).last).to_contain_text("KeyboardInterrupt")
        expect(tab.prompt(1)).to_have_text("[ ]:")
        expect(tab.page.locator(".jp-mod-runtimedQueued")).to_have_count(0)


def test_restart_and_run_all(two: Two) -> None:
    alice, bob = two("x = 41", "x + 1")
    alice.wait_kernel()
    alice.run(0)
    expect(bob.prompt(0)).to_have_text("[1]:")
    alice.command("notebook:restart-run-all")
    alice.page.locator(".jp-Dialog .jp-mod-accept").click()
    for tab in (alice, bob):
        expect(tab.outputs(1)).to_have_text("42", timeout=30_000)
        expect(tab.prompt(1)).to_have_text("[2]:")


def test_a_question_is_asked_in_both_tabs_and_answered_in_one(two: Two) -> None:
    alice, bob = two("name = input('Who? '); print('Hello', name)")
    alice.run(0)
    box = ".jp-Stdin-input"
    expect(alice.page.locator(box)).to_be_visible()
    expect(bob.page.locator(box)).to_be_visible()
    bob.page.locator(box).fill("Bob")
    bob.page.locator(box).press("Enter")
    for tab in (alice, bob):
        expect(tab.outputs(0).last).to_contain_text("Hello Bob")
        expect(tab.page.locator(box)).to_have_count(0)


def test_cleared_outputs_are_cleared_everywhere(two: Two) -> None:
    alice, bob = two("print('there')")
    alice.run(0)
    expect(bob.outputs(0)).to_have_text("there")
    bob.click(0)
    bob.command("notebook:clear-cell-output")
    for tab in (alice, bob):
        expect(tab.outputs(0)).to_have_count(0)
        expect(tab.prompt(0)).to_have_text("[ ]:")


def test_a_long_cell_goes_on_while_nobody_looks(lab: Lab) -> None:
    path = lab.write("import time\nfor i in range(30): print(i, flush=True); time.sleep(.1)")
    tab = lab.open(path)
    tab.run(0)
    expect(tab.outputs(0)).to_contain_text("3")
    tab.context.close()
    again = lab.join(path)
    expect(again.outputs(0)).to_contain_text("29")
    assert again.model("nb.cells[0].getOutputs()[0].text") == "".join(f"{i}\n" for i in range(30))


def test_a_slider_moves_in_both_tabs_and_after_a_reload(two: Two) -> None:
    alice, bob = two(
        "import ipywidgets as w\ns = w.IntSlider(value=3)\nlabel = w.Label('none')\n"
        "s.observe(lambda c: setattr(label, 'value', f\"saw {c['new']}\"), 'value')\nw.VBox([s, label])"
    )
    alice.wait_kernel()
    bob.wait_kernel()
    alice.run(0)
    handle = ".widget-slider .noUi-handle"
    for tab in (alice, bob):
        expect(tab.page.locator(handle)).to_be_visible()
    alice.page.locator(handle).focus()
    alice.press("ArrowRight", "ArrowRight")
    for tab in (alice, bob):
        expect(tab.page.locator(".widget-readout")).to_have_text("5")
        expect(tab.page.locator(".widget-label").last).to_have_text("saw 5")
    bob.reload()
    expect(bob.page.locator(".widget-readout")).to_have_text("5")


def test_scripts_of_a_file_do_not_run_until_it_is_trusted(lab: Lab) -> None:
    evil = nbformat.v4.new_code_cell("1")
    html = "<img src=x onerror='window.__ran = 1'><script>window.__ran = 2</script>safe"
    evil.outputs = [nbformat.v4.new_output("display_data", data={"text/html": html})]
    path = lab.write(evil)
    alice, bob = lab.open(path), lab.open(path)
    for tab in (alice, bob):
        expect(tab.outputs(0)).to_contain_text("safe")
    alice.model("panel.content.widgets[0].model.trusted = true")
    alice.page.wait_for_function("window.__ran === 2 || window.__ran === 1")
    later = lab.open(path)
    expect(later.outputs(0)).to_contain_text("safe")
    for tab in (bob, later):
        assert tab.page.evaluate("window.__ran ?? null") is None
        assert tab.model("panel.content.widgets[0].model.trusted") is False
    alice.click(0).type("2").press("Control+s")  # what is edited where it is trusted brings no trust along
    bob.wait_sources("12")
    lab.wait_file(path, "12")
    assert "trusted" not in lab.read(path).cells[0].metadata
    assert bob.model("panel.content.widgets[0].model.trusted") is False


def test_trust_given_in_the_menu_lasts(lab: Lab) -> None:
    cell = nbformat.v4.new_code_cell("1")
    cell.outputs = [nbformat.v4.new_output("display_data", data={"text/html": "<script>window.__ran = 1</script>ok"})]
    path = lab.write(cell)
    tab = lab.open(path)
    expect(tab.outputs(0)).to_contain_text("ok")
    assert tab.page.evaluate("window.__ran ?? null") is None
    with tab.page.expect_response(lambda response: response.url.split("?")[0].endswith("/trust")) as answer:
        tab.command("notebook:trust")
        tab.dialogs.get_by_role("button", name="Trust").click()
    assert answer.value.status == 201
    tab.reload()
    tab.page.wait_for_function("window.__ran === 1")
    tab.click(0).type("2")
    lab.wait_file(path, "12")
    again = lab.open(path)  # what is saved later is signed, too
    again.page.wait_for_function("window.__ran === 1")
    assert "trusted" not in lab.read(path).cells[0].metadata


def test_a_file_the_server_has_signed_is_trusted(lab: Lab) -> None:
    cell = nbformat.v4.new_code_cell("1")
    cell.outputs = [nbformat.v4.new_output("display_data", data={"text/html": "<script>window.__ran = 1</script>"})]
    path = lab.write(cell)
    lab.sign(path)
    tab = lab.open(path)
    tab.page.wait_for_function("window.__ran === 1")
    tab.wait_until("panel.content.widgets[0].model.trusted")


def test_scripts_of_this_kernel_run(two: Two) -> None:
    alice, bob = two("from IPython.display import HTML; HTML('<script>window.__ran = 1</script>')")
    alice.run(0)
    for tab in (alice, bob):
        tab.page.wait_for_function("window.__ran === 1")


def test_completion_and_inspection_work(two: Two) -> None:
    alice, _ = two("import collections", "collections.Ordered", "collections.OrderedDict")
    alice.wait_kernel()
    alice.run(0)
    expect(alice.prompt(0)).to_have_text("[1]:")
    alice.click(2).press("Shift+Tab")
    expect(alice.page.locator(".jp-Tooltip")).to_contain_text("OrderedDict")
    alice.press("Escape")
    alice.click(1).press("Tab")
    expect(alice.page.locator(".jp-Completer")).to_contain_text("OrderedDict")
    alice.press("Enter")
    alice.wait_until("nb.cells[1].getSource() === 'collections.OrderedDict'")
