"""What people do in JupyterLab, and what they see."""

from __future__ import annotations

import itertools
import json
import re
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import nbformat
from nbformat.sign import NotebookNotary
from playwright.sync_api import Browser, BrowserContext, Locator, Page, WebSocketRoute, expect
from playwright.sync_api import TimeoutError as PlaywrightTimeout

from jupyter_runtimed.core.frames import FrameType
from tests.support.server_process import TOKEN, ServerProcess

_ANY_PANEL = ".jp-NotebookPanel:not(.lm-mod-hidden)"
_MARKED_PANEL = ".jp-NotebookPanel[data-shown]"

OPEN_MS = 60_000
SEEN_MS = 20_000
SAVE_MS = 8_000
SAVE_TRIES = 4

KERNEL = {"kernelspec": {"name": "python3", "display_name": "Python 3 (ipykernel)", "language": "python"}}
"""Without it JupyterLab asks for a kernel in a dialog."""

_HELLO_BYTES = 1000
"""A sync message that brings cells is larger."""

_numbers = itertools.count()

# Complaints of the page that are not about us.
_HARMLESS = (
    "Comm not found",  # widgets of another tab
    "favicon",
    "ResizeObserver",
    "net::ERR_",
    "WebSocket connection to",
    "Skip",
    "404 (Not Found)",
    "sourcemap",
    "Canceled future for create_subshell_request",  # a notebook that is closed while its kernel starts
    "Could not restore the debugger state",  # a notebook that is closed before JupyterLab has asked its debugger
)


_NOTE_DIALOGS = """
    window.dialogsSeen = [];
    new MutationObserver(() => {
        for (const dialog of document.querySelectorAll('.jp-Dialog:not([data-seen])')) {
            dialog.dataset.seen = 'yes';
            window.dialogsSeen.push(dialog.textContent);
        }
    }).observe(document, {childList: true, subtree: true});
"""


class Tab:
    """One browser context with one notebook: one person.

    Attributes:
        panel: selects the notebook's panel. JupyterLab may bring back another one that was open before a reload.
    """

    def __init__(self, context: BrowserContext, page: Page, path: str) -> None:
        self.context = context
        self.page = page
        self.path = path
        self.panel = _ANY_PANEL
        self.complaints: list[str] = []
        page.on("console", lambda message: self._note(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: self._note(str(error)))

    def _note(self, text: str) -> None:
        if len(self.complaints) < 20 and not any(part in text for part in _HARMLESS):
            self.complaints.append(text[:1000])

    # ---- what is there ----

    @property
    def cells(self) -> Locator:
        return self.page.locator(f"{self.panel} .jp-Notebook .jp-Cell")

    def editor(self, index: int) -> Locator:
        return self.cells.nth(index).locator(".cm-content")

    def outputs(self, index: int) -> Locator:
        return self.cells.nth(index).locator(".jp-OutputArea-output")

    def prompt(self, index: int) -> Locator:
        return self.cells.nth(index).locator(".jp-InputPrompt")

    @property
    def status(self) -> Locator:
        return self.page.locator(".jp-RuntimedStatus")

    @property
    def dialogs(self) -> Locator:
        return self.page.locator(".jp-Dialog")

    def dialogs_seen(self) -> list[str]:
        """What any dialog said since the page was loaded."""
        seen: list[str] = self.page.evaluate("window.dialogsSeen")
        return seen

    def model(self, expression: str) -> Any:
        """A value of the notebook's model in this page; `nb` is the shared model, `panel` the widget."""
        return self.page.evaluate(
            """expression => {
                const panel = window.jupyterapp.shell.currentWidget;
                return new Function('panel', 'nb', 'return ' + expression)(panel, panel.context.model.sharedModel);
            }""",
            expression,
        )

    def sources(self) -> list[str]:
        """The cells' sources, from the model: those out of view are not in the page."""
        sources: list[str] = self.model("nb.cells.map(cell => cell.getSource())")
        return sources

    def ids(self) -> list[str]:
        ids: list[str] = self.model("nb.cells.map(cell => cell.getId())")
        return ids

    # ---- what is done ----

    def wait_open(self) -> Tab:
        self.page.wait_for_selector(".jp-Notebook .jp-Cell", timeout=OPEN_MS)
        self.page.wait_for_selector("#jupyterlab-splash", state="detached", timeout=OPEN_MS)
        return self._mark()

    def _mark(self) -> Tab:
        self.page.evaluate("window.jupyterapp.restored.then(() => undefined)")
        self.wait_until(f"panel.context.path === {json.dumps(self.path)} && panel.context.isReady", OPEN_MS)
        self.page.evaluate(
            """() => {
                document.querySelectorAll('[data-shown]').forEach(node => delete node.dataset.shown);
                window.jupyterapp.shell.currentWidget.node.dataset.shown = 'yes';
            }"""
        )
        self.panel = _MARKED_PANEL
        return self

    def show(self, path: str) -> Tab:
        """Open a notebook in a page that is there already."""
        self.path = path
        self.page.evaluate("path => void window.jupyterapp.commands.execute('docmanager:open', {path})", path)
        return self._mark()

    def went_on(self, path: str) -> Tab:
        """Wait until what is shown is at another path, in the same panel or in a new one."""
        self.path = path
        return self._mark()

    def leave(self) -> None:
        """Close everything that is open, and shut the kernels down."""
        self.page.evaluate(
            """async () => {
                const { restored, shell, serviceManager } = window.jupyterapp;
                await restored;
                [...shell.widgets('main'), ...shell.widgets('down')].forEach(widget => widget.dispose());
                await serviceManager.sessions.shutdownAll();
            }"""
        )
        self.complaints.clear()

    def wait_until(self, expression: str, timeout: float = SEEN_MS) -> None:
        """Wait for a fact about the model; see `model`."""
        self.page.wait_for_function(
            """expression => {
                const panel = window.jupyterapp.shell.currentWidget;
                const nb = panel?.context?.model.sharedModel;
                return nb !== undefined && new Function('panel', 'nb', 'return ' + expression)(panel, nb);
            }""",
            arg=expression,
            timeout=timeout,
        )

    def wait_sources(self, *sources: str) -> None:
        expected = json.dumps(sources, ensure_ascii=False)
        self.wait_until(f"JSON.stringify(nb.cells.map(cell => cell.getSource())) === {json.dumps(_compact(expected))}")

    def note_redrawn(self) -> None:
        """From now on note which cells anything in the page writes to."""
        self.page.evaluate(
            """panel => {
                window.redrawn = new Set();
                const cells = [...document.querySelectorAll(`${panel} .jp-Notebook .jp-Cell`)];
                for (const [index, cell] of cells.entries()) {
                    const observer = new MutationObserver(() => window.redrawn.add(index));
                    observer.observe(cell, {attributes: true, characterData: true, childList: true, subtree: true});
                }
            }""",
            self.panel,
        )

    def redrawn(self) -> list[int]:
        """The cells that were written to since `note_redrawn`."""
        indexes: list[int] = self.page.evaluate("[...window.redrawn]")
        return indexes

    def save(self) -> Tab:
        """Press the keys for it; return when JupyterLab says that it is done.

        JupyterLab takes no notice of them while it makes the checkpoint of the save before; then they are pressed again.
        """
        self.model(
            "void (window.saved = null, panel.context.saveState.connect((_, state) => "
            "state !== 'started' && (window.saved = state)))"
        )
        for _ in range(SAVE_TRIES):
            self.press("Control+s")
            with suppress(PlaywrightTimeout):
                self.page.wait_for_function("window.saved !== null", timeout=SAVE_MS)
                break
        assert self.page.evaluate("window.saved") == "completed"
        return self

    def wait_saved(self) -> None:
        expect(self.status).to_contain_text("Saved", timeout=SEEN_MS)

    def wait_offline(self) -> None:
        expect(self.status).to_contain_text("Offline", timeout=30_000)

    def wait_back(self) -> None:
        """Wait until the room is back after a loss, with everything safe."""
        expect(self.status).to_have_text(re.compile(r"^Saved \d?\d:\d\d"), timeout=60_000)
        expect(self.status).to_have_attribute("title", re.compile("would survive a crash"))

    def wait_kernel(self) -> None:
        self.wait_until("panel.sessionContext.session?.kernel?.connectionStatus === 'connected'", 60_000)

    def click(self, index: int, *, end: bool = True) -> Tab:
        self.editor(index).click()
        if end:
            self.page.keyboard.press("Control+End")
        return self

    def type(self, text: str, delay: float = 0) -> Tab:
        self.page.keyboard.type(text, delay=delay)
        return self

    def press(self, *keys: str) -> Tab:
        for key in keys:
            self.page.keyboard.press(key)
        return self

    def command(self, name: str, **arguments: Any) -> Any:
        """What a menu entry does."""
        return self.page.evaluate(
            "([name, args]) => void window.jupyterapp.commands.execute(name, args)", [name, arguments]
        )

    def run(self, index: int) -> Tab:
        self.click(index)
        return self.press("Control+Enter")

    def reload(self) -> Tab:
        self.page.reload()
        self.panel = _ANY_PANEL
        return self.wait_open()

    def freeze(self) -> None:
        """The machine sleeps: no timer, no event, no network."""
        self._life_cycle("frozen")

    def thaw(self) -> None:
        """It is awake again."""
        self._life_cycle("active")

    def _life_cycle(self, state: str) -> None:
        devtools = self.context.new_cdp_session(self.page)
        devtools.send("Page.setWebLifecycleState", {"state": state})
        devtools.detach()

    def shot(self, name: str, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=folder / f"{name}.png")


class Gate:
    """Lets the first part of a large notebook through to a page, and holds back what comes behind it."""

    def __init__(self, tab: Tab) -> None:
        self._is_open = False
        self._held: list[tuple[WebSocketRoute, bytes]] = []
        tab.page.route_web_socket(re.compile(r"/api/runtimed/rooms/.*/sync"), self._route)
        tab.reload()  # only what a page opens from its beginning passes here

    def _route(self, page: WebSocketRoute) -> None:
        seen: list[bool] = []

        def pass_on(message: str | bytes) -> None:
            assert isinstance(message, bytes)
            is_progress = message[0] == FrameType.STATUS and b'"loading"' in message
            if self._is_open or not seen or is_progress:
                page.send(message)
            else:
                self._held.append((page, message))
            if message[0] == FrameType.NOTEBOOK_SYNC and len(message) > _HELLO_BYTES:
                seen.append(True)

        page.connect_to_server().on_message(pass_on)

    def open(self) -> None:
        """Let everything through."""
        self._is_open = True
        for page, message in self._held:
            page.send(message)
        self._held.clear()


class Lab:
    """A server, a browser, and the people who came.

    Attributes:
        port: where browsers look for the server; another one when there is something in between.

    Args:
        regulars: people who stay when a test is over; opening a page takes longer than most tests.
    """

    def __init__(
        self, server: ServerProcess, browser: Browser, artifacts: Path, regulars: list[Tab] | None = None
    ) -> None:
        self.server = server
        self.browser = browser
        self.artifacts = artifacts
        self.port = server.port
        self.tabs: list[Tab] = []
        self._regulars = [] if regulars is None else regulars
        self._free = list(self._regulars)

    def write(self, *sources: str | nbformat.NotebookNode, name: str | None = None) -> str:
        """A notebook file; a source that begins with "%md " is Markdown."""
        cells = [_cell(source) for source in sources]
        path = name or f"n{next(_numbers)}.ipynb"
        notebook = nbformat.v4.new_notebook(cells=cells, metadata=KERNEL)
        nbformat.write(notebook, self.server.root / path)
        return path

    def sign(self, path: str) -> None:
        """Let the server trust a file, as `jupyter trust` does."""
        notary = NotebookNotary(data_dir=str(self.server.home / "data"))
        notary.sign(self.read(path))
        notary.store.close()

    def read(self, path: str) -> nbformat.NotebookNode:
        return nbformat.read(self.server.root / path, 4)

    def wait_for(self, is_so: Callable[[], bool], what: str, deadline_s: float = 20.0) -> None:
        """Wait for a fact outside of the pages, or one a page has to ask its server for."""
        end = time.monotonic() + deadline_s
        while not is_so():
            assert time.monotonic() < end, what
            if self.tabs:
                self.tabs[0].page.wait_for_timeout(50)  # lets the driver's own loop run
            else:
                time.sleep(0.05)

    def wait_file(self, path: str, *sources: str) -> None:
        """Wait until there is a file with these cells."""
        file = self.server.root / path
        self.wait_for(
            lambda: file.exists() and tuple(cell.source for cell in self.read(path).cells) == sources,
            f"{path} has not {sources}",
        )

    def url(self, path: str, app: str = "lab/tree", token: str = TOKEN) -> str:
        address = f"http://127.0.0.1:{self.port}{self.server.base_url}"
        return f"{address}{app}/{path}?{'reset&' if app == 'lab/tree' else ''}token={token}"

    def visit(self, path: str, app: str = "lab/tree", token: str = TOKEN) -> Tab:
        context = self.browser.new_context(viewport={"width": 1200, "height": 800})
        context.set_default_timeout(SEEN_MS)
        context.add_init_script(_NOTE_DIALOGS)
        page = context.new_page()
        tab = Tab(context, page, path)
        self.tabs.append(tab)
        page.goto(self.url(path, app, token), timeout=OPEN_MS)
        return tab

    def open(self, path: str, app: str = "lab/tree", token: str = TOKEN) -> Tab:
        """One more person opens a notebook, in a browser of his own."""
        return self.visit(path, app, token).wait_open()

    def join(self, path: str) -> Tab:
        """A regular opens a notebook."""
        if self._free:
            tab = self._free.pop(0)
            self.tabs.append(tab)
            return tab.show(path)
        tab = self.open(path)
        self._regulars.append(tab)
        return tab

    def close(self, failed: str | None) -> None:
        for number, tab in enumerate(self.tabs):
            if failed is not None:
                tab.shot(f"{failed}-{number}", self.artifacts)
                (self.artifacts / f"{failed}-{number}.txt").write_text("\n".join(tab.complaints))
            if failed is None and tab in self._regulars:
                tab.leave()
                continue
            tab.context.close()
            if tab in self._regulars:
                self._regulars.remove(tab)


def _cell(source: str | nbformat.NotebookNode) -> nbformat.NotebookNode:
    if not isinstance(source, str):
        return source
    if source.startswith("%md "):
        return nbformat.v4.new_markdown_cell(source[4:])
    return nbformat.v4.new_code_cell(source)


def _compact(text: str) -> str:
    """JSON as JavaScript writes it."""
    return json.dumps(json.loads(text), ensure_ascii=False, separators=(",", ":"))
