"""What people do to whole cells: copy, cut, paste, duplicate, drag, split, merge, search, attach, describe."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable

from playwright.sync_api import expect

from tests.browser.lab import Lab, Tab

Two = Callable[..., tuple[Tab, Tab]]

# One red pixel.
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg=="


def _show(tab: Tab, *outputs: str) -> None:
    """Each cell of a tab has one output, or none if that is ''."""
    for index, text in enumerate(outputs):
        expect(tab.outputs(index)).to_have_text([text] if text else [])


def test_copied_cut_and_duplicated_cells_keep_their_outputs(lab: Lab, two: Two) -> None:
    alice, bob = two("print('one')", "'two'")
    alice.run(0)
    alice.run(1)
    _show(bob, "one", "'two'")
    alice.click(0).press("Escape", "c", "v")
    for tab in (alice, bob):
        _show(tab, "one", "one", "'two'")
    assert len(set(alice.ids())) == 3
    alice.press("ArrowDown", "x")  # cuts the last one
    bob.wait_until("nb.cells.length === 2")
    alice.press("v", "v")
    for tab in (alice, bob):
        _show(tab, "one", "one", "'two'", "'two'")
    alice.command("notebook:duplicate-below")
    for tab in (alice, bob):
        _show(tab, "one", "one", "'two'", "'two'", "'two'")
    # One of the copies runs again, and is cleared; the other stays as it was.
    alice.click(1).type(" # again").press("Control+Enter")
    expect(bob.prompt(1)).to_have_text("[3]:")
    alice.command("notebook:clear-cell-output")
    for tab in (alice, bob):
        _show(tab, "one", "", "'two'", "'two'", "'two'")
    lab.wait_for(
        lambda: [len(cell.outputs) for cell in lab.read(alice.path).cells] == [1, 0, 1, 1, 1], "outputs in the file"
    )
    assert alice.complaints == bob.complaints == []


def test_a_cell_of_another_notebook_is_pasted_with_its_outputs(lab: Lab, two: Two) -> None:
    alice, bob = two("import base64\nfrom IPython.display import Image\nprint('one')\ndisplay(Image(base64.b64decode('" + PNG + "')))")  # fmt: skip
    alice.run(0)
    expect(bob.outputs(0)).to_have_count(2)
    alice.click(0).press("Escape", "c")
    there = lab.write("x = 1")
    alice.show(there)
    bob.show(there)
    alice.click(0).press("Escape", "v")
    for tab in (alice, bob):
        expect(tab.outputs(1)).to_have_count(2)
        expect(tab.outputs(1).first).to_have_text("one")
        expect(tab.outputs(1).locator("img")).to_be_visible()
        expect(tab.prompt(1)).to_have_text("[1]:")
    lab.wait_for(
        lambda: [len(cell.get("outputs", [])) for cell in lab.read(there).cells] == [0, 2], "outputs in the file"
    )
    alice.click(1).press("Control+Enter")
    for tab in (alice, bob):
        expect(tab.outputs(1)).to_have_count(2)
        expect(tab.prompt(1)).to_have_text("[1]:")
    assert alice.complaints == bob.complaints == []


def test_a_deletion_that_is_undone_brings_the_outputs_back(two: Two) -> None:
    alice, bob = two("'one'", "x")
    alice.run(0)
    _show(bob, "'one'", "")
    alice.press("Escape", "d", "d")
    bob.wait_sources("x")
    alice.press("z")
    for tab in (alice, bob):
        _show(tab, "'one'", "")
        expect(tab.prompt(0)).to_have_text("[1]:")


def test_a_cell_that_is_dragged_keeps_its_identity(two: Two) -> None:
    alice, bob = two("'a'", "b = 1", "c = 1")
    alice.run(0)
    expect(bob.outputs(0)).to_have_text("'a'")
    first, second, third = alice.ids()
    bob.click(1)
    source = alice.prompt(0).bounding_box()
    target = alice.cells.nth(2).bounding_box()
    assert source is not None and target is not None
    mouse = alice.page.mouse
    mouse.move(source["x"] + 10, source["y"] + 8)
    mouse.down()
    mouse.move(source["x"] + 20, source["y"] + 30, steps=5)
    mouse.move(target["x"] + 60, target["y"] + target["height"] + 1, steps=10)
    mouse.up()
    for tab in (alice, bob):
        tab.wait_until(f"nb.cells.map(cell => cell.getId()).join() === {json.dumps(f'{second},{first},{third}')}")
        expect(tab.outputs(1)).to_have_text("'a'")
    bob.type("2")  # the caret is where it was
    alice.wait_sources("b = 12", "'a'", "c = 1")


def test_a_move_that_is_undone_leaves_what_others_typed_since(lab: Lab, two: Two) -> None:
    alice, bob = two("a = 1", "b = 1", "c = 1")
    first, second, third = alice.ids()
    alice.click(0).press("Escape", "Control+Shift+ArrowDown")
    bob.wait_sources("b = 1", "a = 1", "c = 1")
    bob.click(1).type("0  # bob")
    alice.wait_sources("b = 1", "a = 10  # bob", "c = 1")
    alice.press("z")
    for tab in (alice, bob):
        tab.wait_sources("a = 10  # bob", "b = 1", "c = 1")
        assert tab.ids() == [first, second, third]
    alice.press("Shift+Z")
    for tab in (alice, bob):
        tab.wait_sources("b = 1", "a = 10  # bob", "c = 1")
    alice.press("z")
    bob.wait_sources("a = 10  # bob", "b = 1", "c = 1")
    lab.wait_file(alice.path, "a = 10  # bob", "b = 1", "c = 1")


def test_split_and_merged_cells_keep_what_can_be_kept(two: Two) -> None:
    alice, bob = two("a = 1\n'out'", "rest")
    alice.run(0)
    expect(bob.outputs(0)).to_have_text("'out'")
    alice.click(0, end=False).press("Control+Home", "ArrowDown", "Control+Shift+Minus")
    for tab in (alice, bob):
        tab.wait_sources("a = 1", "'out'", "rest")
        _show(tab, "", "'out'", "")
    alice.press("Escape", "Shift+ArrowUp", "Shift+M")
    for tab in (alice, bob):
        tab.wait_until("nb.cells.length === 2")
        assert tab.sources()[0].split() == ["a", "=", "1", "'out'"]


def test_find_and_replace_goes_through_all_cells(two: Two) -> None:
    alice, bob = two("spam = 1", "%md some spam", "spam + spam")
    alice.click(0).press("Escape", "Control+f")
    page = alice.page
    page.locator(".jp-DocumentSearch-input").first.fill("spam")
    page.locator(".jp-DocumentSearch-toggle-wrapper").click()
    page.get_by_placeholder("Replace").fill("eggs")
    expect(page.locator(".jp-DocumentSearch-index-counter")).to_contain_text("/4")
    # Meanwhile another writes in front of what was found.
    bob.click(0, end=False).press("Control+Home").type("more_")
    bob.click(2, end=False).press("Control+Home").type("spam + ")
    alice.wait_sources("more_spam = 1", "some spam", "spam + spam + spam")
    page.get_by_role("button", name="Replace All").click()
    for tab in (alice, bob):
        tab.wait_sources("more_eggs = 1", "some eggs", "eggs + eggs + eggs")


def test_an_image_is_pasted_into_markdown(lab: Lab, two: Two) -> None:
    alice, bob = two("%md text ")
    alice.cells.nth(0).dblclick()
    alice.click(0)
    alice.page.evaluate(
        """data => {
            const bytes = Uint8Array.from(atob(data), unit => unit.charCodeAt(0));
            const clipboardData = new DataTransfer();
            clipboardData.items.add(new File([bytes], 'pixel.png', {type: 'image/png'}));
            const event = new ClipboardEvent('paste', {clipboardData, bubbles: true, cancelable: true});
            document.activeElement.dispatchEvent(event);
        }""",
        PNG,
    )
    bob.wait_until("nb.cells[0].getSource().includes('](attachment:')")
    image = bob.page.locator(".jp-RenderedMarkdown img")
    expect(image).to_have_attribute("src", f"data:image/png;base64,{PNG}")
    alice.press("Control+s")
    lab.wait_for(lambda: "attachments" in lab.read(alice.path).cells[0], "no attachment in the file")
    (attachment,) = lab.read(alice.path).cells[0].attachments.values()
    assert base64.b64decode(attachment["image/png"]) == base64.b64decode(PNG)


def test_metadata_is_edited_in_the_side_bar(lab: Lab, two: Two) -> None:
    alice, bob = two("x = 1")
    # The kernel's arrival is metadata, too: the side bar shows it, and forgets what is half typed.
    alice.wait_until("nb.getMetadata('language_info') !== undefined", 60_000)
    alice.click(0).press("Escape")
    alice.command("property-inspector:show-panel")
    alice.page.get_by_text("Advanced Tools").click()
    editor = alice.page.locator(".jp-MetadataEditorTool .cm-content").first
    editor.click()
    alice.press("Control+a").type('{"mark": ["a", 1]}')
    alice.page.get_by_title("Commit changes to data").first.click()
    bob.wait_until("String(nb.cells[0].getMetadata('mark')) === 'a,1'")
    lab.wait_for(lambda: lab.read(alice.path).cells[0].metadata.get("mark") == ["a", 1], "no metadata in the file")
    assert "trusted" not in lab.read(alice.path).cells[0].metadata
