"""With the extension off, or another that owns the notebooks, JupyterLab is as without it."""

from __future__ import annotations

import json
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.conftest import ARTIFACTS, failed_name, start_server
from tests.browser.lab import Lab
from tests.support.server_process import TOKEN, ServerProcess

INSTALLED = Path(sys.prefix)


@pytest.fixture
def server(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[ServerProcess]:
    with start_server(tmp_path / "lab", **request.param) as server:
        yield server


@pytest.fixture
def lab(server: ServerProcess, browser: Browser, request: pytest.FixtureRequest) -> Iterator[Lab]:
    """People of this server alone."""
    lab = Lab(server, browser, ARTIFACTS)
    yield lab
    lab.close(failed_name(request))


OFF = {"arguments": ("--RuntimedApp.enabled=False",), "probe": "api/status"}


@pytest.mark.parametrize("server", [OFF], indirect=True)
def test_switched_off_it_leaves_jupyterlab_as_it_is(lab: Lab) -> None:
    path = lab.write("x = 41")
    alice = lab.open(path)
    assert alice.model("panel.context.model.collaborative") is False
    expect(alice.status).to_have_count(0)
    alice.wait_kernel()
    alice.click(0).type(" + 1\nx").press("Control+Enter")
    expect(alice.outputs(0)).to_have_text("42")
    expect(alice.prompt(0)).to_have_text("[1]:")
    assert lab.read(path).cells[0].source == "x = 41"
    alice.press("Control+s")
    alice.wait_until("panel.context.model.dirty === false")
    saved = lab.read(path).cells[0]
    assert (saved.source, saved.execution_count) == ("x = 41 + 1\nx", 1)
    expect(alice.dialogs).to_have_count(0)
    alice.shot("switched-off", ARTIFACTS)
    assert alice.complaints == []


TOOLS = {"arguments": (f"--LabApp.extra_labextensions_path={INSTALLED / 'tools/share/jupyter/labextensions'}",)}


@pytest.mark.parametrize("server", [TOOLS], indirect=True)
def test_a_variable_inspector_follows_what_the_server_runs(lab: Lab) -> None:
    path = lab.write("answer = 41", "answer += 1\nword = 'spam'", "del word")
    alice, bob = lab.open(path), lab.open(path)
    alice.wait_kernel()
    alice.command("variableinspector:open")
    variables = alice.page.locator(".jp-VarInspector-table")
    expect(variables).to_be_visible()
    alice.page.evaluate(  # drag it beside the notebook
        """() => {
            const { shell } = window.jupyterapp;
            const inspector = [...shell.widgets('main')].find(({ node }) => node.matches('.jp-VarInspector'));
            shell.add(inspector, 'main', { mode: 'split-right' });
        }"""
    )
    alice.run(0)
    expect(variables).to_contain_text("answer")
    expect(variables).to_contain_text("41")
    bob.run(1)
    expect(variables).to_contain_text("spam")
    expect(variables).to_contain_text("42")
    alice.shot("variable-inspector", ARTIFACTS)
    bob.run(2)
    expect(variables).not_to_contain_text("spam")
    # What the inspector asks the kernel is nobody's cell.
    expect(alice.prompt(1)).to_have_text("[2]:")
    expect(bob.prompt(2)).to_have_text("[3]:")
    for tab in (alice, bob):
        expect(tab.outputs(0)).to_have_count(0)
        assert tab.dialogs_seen() == []


def _beside(folder: str, *extensions: str) -> dict[str, object]:
    """A server that has others' extensions, installed apart, too."""
    return {
        "extensions": ("jupyter_runtimed", "jupyter_server_fileid", *extensions),
        "environment": {"PYTHONPATH": str(INSTALLED / folder)},
        "arguments": (f"--LabApp.extra_labextensions_path={INSTALLED / folder / 'share/jupyter/labextensions'}",),
    }


JUPYTER_COLLABORATION = _beside("rivals", "jupyter_server_ydoc")
SERVER_DOCUMENTS = _beside("rivals-jsd", "jupyter_server_documents")


@pytest.mark.parametrize(
    ("server", "name"),
    [(JUPYTER_COLLABORATION, "jupyter-collaboration"), (SERVER_DOCUMENTS, "jupyter-server-documents")],
    indirect=["server"],
)
def test_it_steps_back_from_others_and_says_so_once(lab: Lab, name: str) -> None:
    path = lab.write("x = 1")
    alice = lab.open(path)
    toast = alice.page.locator(".Toastify__toast")
    expect(toast).to_have_count(1)
    expect(toast).to_contain_text(f"{name} is installed")
    alice.shot(f"beside-{name}", ARTIFACTS)
    bob = lab.open(path)
    alice.click(0).type("2")
    bob.wait_sources("x = 12")
    for tab in (alice, bob):
        expect(tab.status).to_have_count(0)
        expect(tab.dialogs).to_have_count(0)
    assert _rooms(lab) == []
    alice.reload()
    alice.wait_sources("x = 12")
    expect(toast).to_have_count(0)


def _rooms(lab: Lab) -> object:
    request = urllib.request.Request(f"{lab.server.url}api/runtimed/rooms", headers={"Authorization": f"token {TOKEN}"})
    with urllib.request.urlopen(request, timeout=20) as answer:
        return json.load(answer)
