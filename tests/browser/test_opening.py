"""A large notebook while it is being opened."""

from __future__ import annotations

import json
import re

from playwright.sync_api import expect

from tests.browser.lab import Gate, Lab

CELLS = 3000
"""The server needs a second for so many; it sends the first of them long before."""


def test_the_first_cells_show_and_can_be_edited_before_the_others_are_there(lab: Lab) -> None:
    alice = lab.open(lab.write("x"))
    gate = Gate(alice)
    path = lab.write(*[f"value_{number} = {number}" for number in range(CELLS)])
    alice.show(path)
    expect(alice.editor(0)).to_have_text("value_0 = 0")
    expect(alice.status).to_have_text(re.compile(rf"Opening.* \d+ (of {CELLS} cells|cells so far)…"))
    assert 0 < alice.model("nb.cells.length") < CELLS
    alice.click(0).type("  # early")
    alice.wait_until("panel.context.model.dirty === false")
    gate.open()
    alice.wait_until(f"nb.cells.length === {CELLS} && nb.cells[{CELLS - 1}].getSource() === 'value_2999 = 2999'")
    alice.wait_saved()
    expect(alice.editor(0)).to_have_text("value_0 = 0  # early")
    bob = lab.join(path)
    bob.wait_until(f"nb.cells.length === {CELLS} && nb.cells[0].getSource() === 'value_0 = 0  # early'")
    lab.wait_for(lambda: lab.read(path).cells[0].source == "value_0 = 0  # early", "what was typed is in the file")
    assert len(lab.read(path).cells) == CELLS
    assert alice.dialogs_seen() == [] and alice.complaints == []


def test_outputs_follow_the_cells(lab: Lab) -> None:
    tab = lab.open(lab.write("x"))
    gate = Gate(tab)
    path = lab.write(*[f"print({number})" for number in range(CELLS)])
    notebook = lab.read(path)
    for number, cell in enumerate(notebook.cells):
        cell.outputs = [{"output_type": "stream", "name": "stdout", "text": f"said {number}"}]
    (lab.server.root / path).write_text(json.dumps(notebook))
    tab.show(path)
    expect(tab.editor(0)).to_have_text("print(0)")
    expect(tab.outputs(0)).to_have_count(0)
    gate.open()
    expect(tab.outputs(0)).to_have_text("said 0")
    last = f"nb.cells[{CELLS - 1}]"
    tab.wait_until(f"{last}?.outputs.length === 1 && {last}.outputs[0].text === 'said {CELLS - 1}'")
    assert tab.complaints == []


def test_a_file_that_turns_out_to_be_broken_leaves_no_half_of_it(lab: Lab) -> None:
    tab = lab.open(lab.write("x"))
    gate = Gate(tab)
    path = lab.write(*[f"value_{number} = {number}" for number in range(CELLS)])
    file = lab.server.root / path
    notebook = json.loads(file.read_text())
    notebook["cells"][-1] = {"cell_type": "code", "source": {"no": "text"}}
    content = json.dumps(notebook)
    file.write_text(content)
    tab.show(path)
    expect(tab.editor(0)).to_have_text("value_0 = 0")
    tab.click(0).type("  # in vain")
    gate.open()
    expect(tab.page.get_by_role("tab", name=path)).to_have_count(0)
    notice = tab.page.locator(".Toastify__toast")
    expect(notice).to_contain_text(f"cells[{CELLS - 1}]")
    expect(notice).to_contain_text("Nothing was changed")
    tab.shot("broken-late", lab.artifacts)
    notice.get_by_role("button", name="Open as text").click()
    expect(tab.page.locator(".jp-FileEditor .cm-content")).to_contain_text('"cells"')
    assert file.read_text() == content
