"""Two people edit one notebook."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import expect

from tests.browser.lab import Lab, Tab

Two = Callable[..., tuple[Tab, Tab]]


def test_what_one_types_the_other_sees_emoji_and_all(two: Two) -> None:
    alice, bob = two("x = 1", "y")
    alice.click(0).type("23 # hé 😀👩‍🔬")
    expect(bob.editor(0)).to_have_text("x = 123 # hé 😀👩‍🔬")
    bob.click(1).type(" = 2")
    expect(alice.editor(1)).to_have_text("y = 2")
    assert alice.complaints == bob.complaints == []


def test_combining_characters_stay_with_what_they_combine_with(lab: Lab, two: Two) -> None:
    alice, bob = two("e = 1", "y")
    alice.click(0, end=False).press("Control+Home", "ArrowRight")
    bob.click(0, end=False).press("Control+Home")
    accents, flags = "\u0301\u0308", "🇩🇪नि👨‍👩‍👧"
    for accent, flag in zip(accents, (flags[:2], flags[2:]), strict=True):
        alice.type(accent)
        bob.type(flag)
    for tab in (alice, bob):
        tab.wait_sources(f"{flags}e{accents} = 1", "y")
        assert tab.editor(0).inner_text() == f"{flags}e{accents} = 1"
    alice.press("Backspace")  # takes an accent away
    bob.press("Backspace")  # and this a whole family
    for tab in (alice, bob):
        tab.wait_sources("🇩🇪निe\u0301 = 1", "y")
    lab.wait_file(alice.path, "🇩🇪निe\u0301 = 1", "y")
    assert alice.complaints == bob.complaints == []


def test_a_key_touches_no_other_cell(lab: Lab) -> None:
    path = lab.write(*(f"cell {index}" for index in range(30)))
    tabs = alice, bob = lab.open(path), lab.open(path)
    bob.click(2)
    alice.click(0).type("!")
    expect(bob.editor(0)).to_have_text("cell 0!")
    expect(alice.cells.nth(2).locator(".jp-RuntimedPeople")).to_be_visible()
    expect(bob.cells.nth(0).locator(".jp-RuntimedPeople")).to_be_visible()
    for tab in tabs:
        tab.wait_saved()
        tab.note_redrawn()
    alice.type("23")
    expect(bob.editor(0)).to_have_text("cell 0!23")
    for tab in tabs:
        tab.wait_saved()
        assert set(tab.redrawn()) <= {0}


def test_two_type_in_one_cell_and_nobody_loses_the_caret(two: Two) -> None:
    alice, bob = two("middle")
    alice.click(0)
    bob.click(0).press("Control+Home")
    for left, right in zip("abcdef", "uvwxyz", strict=True):
        bob.type(left)
        alice.type(right)
    alice.wait_sources("abcdefmiddleuvwxyz")
    bob.wait_sources("abcdefmiddleuvwxyz")


def test_cells_are_inserted_moved_retyped_and_deleted(two: Two) -> None:
    alice, bob = two("a", "b", "c")
    first, second, third = alice.ids()
    alice.click(0).press("Escape", "b", "Enter").type("new")
    bob.wait_sources("a", "new", "b", "c")
    new = alice.ids()[1]
    alice.press("Escape", "Control+Shift+ArrowDown")
    bob.wait_sources("a", "b", "new", "c")
    assert bob.ids() == [first, second, new, third]
    alice.press("m")
    bob.wait_until("nb.cells[2].cell_type === 'markdown'")
    assert bob.ids()[2] == new
    alice.wait_until("Date.now() - nb.undoManager.lastChange > 500")  # what follows sooner is undone together
    alice.press("d", "d")
    bob.wait_sources("a", "b", "c")
    alice.press("z")
    bob.wait_sources("a", "b", "new", "c")
    assert alice.complaints == bob.complaints == []


def test_cells_are_split_and_merged(two: Two) -> None:
    alice, bob = two("first\nsecond", "third")
    alice.click(0, end=False).press("Control+Home", "ArrowDown", "Control+Shift+Minus")
    bob.wait_sources("first", "second", "third")
    alice.press("Escape", "Shift+ArrowUp", "Shift+M")
    bob.wait_until("nb.cells.length === 2")
    assert "first" in bob.sources()[0]
    assert "second" in bob.sources()[0]


def test_who_types_in_a_cell_that_is_split_keeps_the_caret(two: Two) -> None:
    alice, bob = two("first\nsecond")
    bob.click(0).press("ArrowLeft")
    alice.click(0, end=False).press("Control+Home", "ArrowDown", "Control+Shift+Minus")
    bob.wait_sources("first", "second")
    bob.type("!")
    for tab in (alice, bob):
        tab.wait_sources("first", "secon!d")


def test_what_is_typed_in_a_cell_that_another_deletes_goes_into_no_other(two: Two) -> None:
    alice, bob = two("a", "b", "c", "d")
    bob.click(2).type("1")
    alice.wait_sources("a", "b", "c1", "d")
    alice.click(2).press("Escape", "d", "d")
    bob.wait_sources("a", "b", "d")
    bob.type("ddx2")
    bob.wait_until("panel.content.activeCellIndex === 2 && panel.content.mode === 'command'")
    bob.click(1).type("3")
    for tab in (alice, bob):
        tab.wait_sources("a", "b3", "d")
    alice.click(1).press("Escape", "Shift+ArrowDown", "Shift+M")
    bob.wait_sources("a", "b3\n\nd")
    bob.type("ddx4")
    bob.click(0).type("5")
    for tab in (alice, bob):
        tab.wait_sources("a5", "b3\n\nd")


def test_undo_takes_back_only_ones_own_words(two: Two) -> None:
    alice, bob = two("base")
    alice.click(0).type(" alice")
    bob.wait_sources("base alice")
    bob.click(0, end=False).press("Control+Home").type("bob ")
    alice.wait_sources("bob base alice")
    alice.press("Control+z")
    bob.wait_sources("bob base")
    alice.wait_sources("bob base")


def test_a_new_untitled_notebook_has_its_first_cell(lab: Lab) -> None:
    tab = lab.join(lab.write("old"))
    tab.page.evaluate(
        """async () => {
            const model = await window.jupyterapp.commands.execute('docmanager:new-untitled', {type: 'notebook', path: ''});
            await window.jupyterapp.commands.execute('docmanager:open',
                {path: model.path, factory: 'Notebook', kernel: {name: 'python3'}});
        }"""
    )
    tab.wait_until("panel.context.path.startsWith('Untitled') && nb.cells.length === 1")
    tab.page.locator(".jp-NotebookPanel:not(.lm-mod-hidden) .cm-content").click()
    tab.type("1 + 1")
    tab.press("Control+Enter")
    expect(tab.page.locator(".jp-NotebookPanel:not(.lm-mod-hidden) .jp-OutputArea-output")).to_have_text("2")


def test_three_tabs_show_the_same_after_edits_of_all_kinds(lab: Lab) -> None:
    path = lab.write("a", "%md text", "c")
    tabs = [lab.join(path), lab.join(path), lab.open(path)]
    tabs[0].click(0).type("1")
    tabs[1].click(2).type("2")
    tabs[2].command("notebook:insert-cell-below")
    tabs[2].wait_until("nb.cells.length === 4")
    for tab in tabs:
        tab.wait_until("nb.cells.length === 4 && nb.cells[0].getSource() === 'a1'")
    tabs[0].wait_until("nb.cells.some(cell => cell.getSource() === 'c2')")
    assert tabs[0].sources() == tabs[1].sources() == tabs[2].sources()
    assert tabs[0].ids() == tabs[1].ids() == tabs[2].ids()


def test_another_persons_caret_and_name_are_seen(lab: Lab) -> None:
    path = lab.write("alpha = 1", "beta = 2")
    alice, bob = lab.open(path), lab.join(path)
    alice.click(0, end=False).press("Control+Home", "Shift+ArrowRight", "Shift+ArrowRight", "Shift+ArrowRight")
    expect(bob.page.locator(".jp-remote-cursor").first).to_be_attached()
    expect(bob.page.locator(".jp-remote-selection").first).to_be_attached()
    name = alice.page.evaluate("window.jupyterapp.serviceManager.user.identity.name")
    expect(bob.cells.nth(0).locator(".jp-RuntimedPeople")).to_have_text(name)
    bob.shot("presence", lab.artifacts)
    alice.click(1)
    expect(bob.cells.nth(1).locator(".jp-RuntimedPeople")).to_have_text(name)
    expect(bob.cells.nth(0).locator(".jp-RuntimedPeople")).to_have_text("")
    alice.context.close()
    expect(bob.cells.nth(1).locator(".jp-RuntimedPeople")).to_have_text("")


def test_who_is_there_and_where_is_seen_in_the_collaborators_panel(lab: Lab) -> None:
    first, second = lab.write("x = 1"), lab.write("y = 1")
    alice, bob = lab.open(first), lab.open(first)
    for tab in (alice, bob):
        tab.show(second)
    identity = bob.page.evaluate("window.jupyterapp.serviceManager.user.identity")
    panel = alice.page.locator(".jp-CollaboratorsList")
    alice.command("application:toggle-left-area")
    alice.page.locator('.lm-TabBar-tab[data-id="jp-collaboration-panel"]').click()
    expect(panel.locator(".jp-CollaboratorHeader")).to_have_count(1)
    expect(panel).to_contain_text(identity["name"])
    expect(panel.locator(".jp-CollaboratorIcon")).to_have_text(identity["initials"])
    panel.locator(".jp-CollaboratorHeader").click()
    expect(panel.locator(".jp-CollaboratorFile")).to_have_text([first, second])
    alice.shot("collaborators", lab.artifacts)
    panel.locator(".jp-CollaboratorFile").first.click()
    alice.went_on(first)
    bob.context.close()
    expect(panel).not_to_contain_text(identity["name"])
    expect(alice.dialogs).to_have_count(0)


_MARK = """() => {
    window.focused = document.activeElement;
    for (const cell of window.jupyterapp.shell.currentWidget.content.widgets) {
        cell.node.dataset.mark = cell.model.id;
    }
}"""

_MARKS = """() => window.jupyterapp.shell.currentWidget.content.widgets.map(cell => [cell.model.id, cell.node.dataset.mark])"""


def test_what_others_do_takes_nobodys_focus_and_makes_no_cell_anew(lab: Lab, two: Two) -> None:
    alice, bob = two("one", "two", "three", "four", "five")
    carol = lab.open(alice.path)
    one, second, three, four, five = alice.ids()
    alice.click(1, end=False).press("Control+Home", "ArrowRight", "ArrowRight")
    alice.page.evaluate(_MARK)
    bob.click(1, end=False).press("Control+Home").type("bob ")  # in front of the caret
    carol.click(1).type(" carol")  # behind it
    alice.wait_sources("one", "bob two carol", "three", "four", "five")
    bob.click(4).press("Escape", "Control+Shift+ArrowUp", "Control+Shift+ArrowUp")  # another cell moves
    carol.click(1).press("Escape", "Control+Shift+ArrowUp")  # and the very one
    alice.wait_sources("bob two carol", "one", "five", "three", "four")
    bob.press("a").wait_until("nb.cells.length === 6")  # a cell above
    carol.click(1).press("Escape", "d", "d")  # and one less
    alice.wait_until("nb.cells.length === 5 && nb.cells[1].getSource() === ''")
    alice.type("!")
    for tab in (alice, bob, carol):
        tab.wait_sources("bob tw!o carol", "", "five", "three", "four")
    new = alice.ids()[1]
    assert alice.ids() == bob.ids() == carol.ids() == [second, new, five, three, four]
    assert one not in alice.ids()
    assert alice.page.evaluate("document.activeElement === window.focused")
    marks = dict(alice.page.evaluate(_MARKS))
    assert {cell for cell, mark in marks.items() if mark != cell} <= {new, five}, "only what moved is made anew"
    assert marks[second] == second
