"""What a person in JupyterLab waits for: a key until the other tab shows it, a click until the cells are there.

    python -m benchmarks.browser [--quick] [--only open,keys] [--systems ours] [--notebooks 25]

Chromium runs the pages, of JupyterLab with this extension, without any, and with jupyter-collaboration; two contexts
are two people. What is timed happens in the pages: from the key's own event to the change of the other page's DOM,
and from the command behind a double click to the first cell in the DOM, and to all cells in the model.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil
from playwright.sync_api import Browser, Page, sync_playwright

from benchmarks.notebooks import generated
from benchmarks.rooms import Row, median, percentile, show
from benchmarks.systems import Collaboration, Connection, Ours, System
from tests.browser.conftest import CHROMIUM_ARGUMENTS, PAGE_CONFIG, chromium
from tests.support.server_process import TOKEN

SIZES = {"25 KB of source": (25, 1000), "100 KB of source": (100, 1000), "1 MB of source": (1000, 1000)}
"""Name -> cells, and characters in each."""

DEADLINE_MS = 120_000

_EXPOSE = "--LabApp.expose_app_in_browser=True"


class OurLab(Ours):
    arguments = (_EXPOSE,)


class PlainLab(Ours):
    name = "JupyterLab alone"
    arguments = (_EXPOSE, "--RuntimedApp.enabled=False")
    ready_route = "api/status"


class CollaborationLab(Collaboration):
    arguments = (_EXPOSE,)

    async def open(self, session: Any, path: str) -> Connection:
        raise NotImplementedError("the browser opens")


LABS: tuple[type[System], ...] = (OurLab, PlainLab, CollaborationLab)

# All three answer with milliseconds of the page's clock, which all pages of a machine share.
_OPEN = """([path, cells]) => new Promise((resolve, reject) => {
    const { commands, shell } = window.jupyterapp;
    const start = performance.now();
    const times = {};
    commands.execute('docmanager:open', { path }).catch(reject);
    const look = () => {
        const panel = [...shell.widgets('main')].find(widget => widget.context?.path === path);
        const model = panel?.context.model?.sharedModel;
        if (times.first === undefined && panel?.node.querySelector('.jp-Cell .cm-content')) {
            times.first = performance.now() - start;
        }
        if (times.first !== undefined && model?.cells.length === cells && panel.context.isReady) {
            times.whole = performance.now() - start;
            resolve(times);
        } else {
            setTimeout(look, 1);
        }
    };
    look();
})"""

_CLOSE = """async () => {
    const { shell, serviceManager } = window.jupyterapp;
    [...shell.widgets('main')].forEach(widget => widget.dispose());
    await serviceManager.sessions.shutdownAll();
}"""

_NOTE_KEYS = """() => {
    window.pressed = [];
    document.addEventListener('keydown', () => pressed.push(performance.timeOrigin + performance.now()), true);
}"""

_NOTE_CHANGES = """() => {
    window.shown = [];
    const text = window.jupyterapp.shell.currentWidget.node.querySelector('.jp-Cell .cm-content');
    let length = text.textContent.length;
    new MutationObserver(() => {
        for (; length < text.textContent.length; length++) {
            shown.push(performance.timeOrigin + performance.now());
        }
    }).observe(text, { childList: true, characterData: true, subtree: true });
}"""


class Person:
    """A browser context with JupyterLab open in it."""

    def __init__(self, browser: Browser, system: System) -> None:
        before = _renderers()
        self.context = browser.new_context(viewport={"width": 1200, "height": 800})
        self.context.set_default_timeout(DEADLINE_MS)
        self.page: Page = self.context.new_page()
        self.page.goto(f"{system.url}lab?reset&token={TOKEN}")
        self.page.wait_for_function("window.jupyterapp?.shell.currentWidget")
        self.page.wait_for_selector("#jupyterlab-splash", state="detached")
        self.processes = _renderers() - before

    def open(self, path: str, cells: int) -> dict[str, float]:
        """Click on a notebook; milliseconds to the first cell and to the whole."""
        times: dict[str, float] = self.page.evaluate(_OPEN, [path, cells])
        return times

    def memory(self) -> float:
        """Bytes that the page's process has for itself."""
        devtools = self.context.new_cdp_session(self.page)
        devtools.send("HeapProfiler.collectGarbage")
        devtools.detach()
        return max(psutil.Process(pid).memory_full_info().uss for pid in self.processes)


def _renderers() -> set[int]:
    """The processes of pages, of every Chromium below this process."""
    return {child.pid for child in psutil.Process().children(recursive=True) if _is_renderer(child)}


def _is_renderer(process: psutil.Process) -> bool:
    try:
        return "--type=renderer" in process.cmdline()
    except psutil.Error:  # it has just ended
        return False


def put(system: System, data: bytes) -> str:
    """A new file with a notebook; its path."""
    path = f"bench-{time.time_ns()}.ipynb"
    (system.root / path).write_bytes(data)
    return path


def measure_open(browser: Browser, system: System, data: bytes, cells: int, times: int) -> list[Row]:
    """A notebook is opened in a page that has had others open; each time another file."""
    person = Person(browser, system)
    first, whole = [], []
    for index in range(times + 1):
        found = person.open(put(system, data), cells)
        if index > 0:
            first.append(found["first"])
            whole.append(found["whole"])
        person.page.evaluate(_CLOSE)
    person.context.close()
    person = Person(browser, system)
    before = person.memory()
    person.open(put(system, data), cells)
    person.page.wait_for_timeout(2_000)  # what is drawn in idle time belongs to it
    memory = person.memory() - before
    person.context.close()
    return [
        ("click to first cell", "ms", median(first)),
        ("click to the whole notebook", "ms", median(whole)),
        ("memory of the page for it", "MB", memory / 1e6),
    ]


def measure_keys(browser: Browser, system: System, data: bytes, cells: int, keys: int) -> list[Row]:
    """One types at the end of the first cell, the other looks."""
    path = put(system, data)
    writer, reader = Person(browser, system), Person(browser, system)
    for person in (writer, reader):
        person.open(path, cells)
    writer.page.locator(".jp-Cell .cm-content").first.click()
    writer.page.keyboard.press("Control+End")
    writer.page.wait_for_timeout(1_000)
    writer.page.evaluate(_NOTE_KEYS)
    reader.page.evaluate(_NOTE_CHANGES)
    for index in range(keys + 5):
        writer.page.keyboard.press("abcdefgh"[index % 8])
        reader.page.wait_for_function("count => shown.length >= count", arg=index + 1)
    pressed, shown = writer.page.evaluate("pressed"), reader.page.evaluate("shown")
    waits = [after - before for before, after in zip(pressed, shown, strict=True)][5:]
    for person in (writer, reader):
        person.context.close()
    return [
        ("key to the other tab: p50", "ms", median(waits)),
        ("key to the other tab: p95", "ms", percentile(waits, 0.95)),
    ]


def measure(browser: Browser, kind: type[System], data: bytes, cells: int, options: Any) -> list[Row]:
    """All rows of one system."""
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="bench-", ignore_cleanup_errors=True) as home:
        system = kind(Path(home))
        settings = Path(home) / "config" / "labconfig"
        settings.mkdir(parents=True)
        (settings / "page_config.json").write_text(json.dumps(PAGE_CONFIG))
        system.start()
        try:
            if "keys" in options.only and kind is not PlainLab:
                rows += measure_keys(browser, system, data, cells, 20 if options.quick else 100)
            if "open" in options.only:
                rows += measure_open(browser, system, data, cells, 3 if options.quick else 7)
        finally:
            system.stop()
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", default="open,keys")
    parser.add_argument("--systems", default="all", help="'ours' leaves the peers out")
    parser.add_argument("--notebooks", default="", help="only sizes whose name contains this")
    options = parser.parse_args()
    labs = [kind for kind in LABS if kind.available() and (options.systems == "all" or kind is OurLab)]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=CHROMIUM_ARGUMENTS)
        for name, (cells, characters) in SIZES.items():
            if options.notebooks not in name:
                continue
            data = generated(cells, characters, 0, 0)
            results: dict[str, list[Row]] = {}
            for kind in labs:
                try:
                    results[kind.name] = measure(browser, kind, data, cells, options)
                except Exception as error:  # a peer that cannot do it must not end the run
                    print(f"{kind.name} on {name}: {error!r}")
            show({f"JupyterLab: {name}": results})
        browser.close()


if __name__ == "__main__":
    main()
