"""A server dies, and its kernels with it: the notebook has a working kernel again, and JupyterLab is connected to it."""

from __future__ import annotations

import json
import re
import urllib.request
from contextlib import nullcontext
from typing import Any

import nbformat
import pytest
from playwright.sync_api import Route, expect

from tests.browser.lab import KERNEL, Lab, Tab
from tests.support.server_process import TOKEN, ServerProcess
from tests.support.tcp_proxy import WireThread


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_a_kernel_that_died_with_the_server_is_replaced_by_one_for_all(own: Lab, end: str) -> None:
    path = own.write("import collections; x = 41", "collections.Ordered", "x")
    alice, bob = own.open(path), own.open(path)
    for tab in (alice, bob):
        tab.wait_kernel()
    before = _kernel_id(alice)
    alice.run(0)
    expect(bob.prompt(0)).to_have_text("[1]:")
    _restart(own, end, alice, bob)
    for tab in (alice, bob):
        tab.wait_kernel()
        tab.wait_until("panel.sessionContext.kernelDisplayStatus === 'idle'")
        expect(tab.page.locator(".jp-toast-message")).to_contain_text("Its variables are gone")
    alice.shot(f"kernel-lost-{end}", own.artifacts)
    (kernel,) = _kernels(own.server)
    assert kernel == _kernel_id(alice) == _kernel_id(bob) != before
    alice.run(2)
    expect(bob.outputs(2)).to_contain_text("NameError")
    bob.run(0)
    expect(alice.prompt(0)).to_have_text("[2]:")
    alice.click(1).press("Tab")
    expect(alice.page.locator(".jp-Completer")).to_contain_text("OrderedDict")
    for tab in (alice, bob):
        assert tab.dialogs_seen() == []


def test_a_console_and_the_inspector_go_along_with_the_kernel(own: Lab) -> None:
    alice = own.open(own.write("import collections; x = 41", "collections.OrderedDict"))
    alice.wait_kernel()
    alice.command("inspector:open", refresh=True)
    alice.command("notebook:create-console", activate=False)
    prompt = alice.page.locator(".jp-CodeConsole-promptCell .cm-content")
    expect(prompt).to_be_visible()
    alice.click(0)
    _restart(own, "kill", alice)
    alice.wait_kernel()
    expect(alice.page.locator(".jp-toast-message")).to_have_count(0)  # nobody had put anything into it
    alice.run(0)
    expect(alice.prompt(0)).to_have_text("[1]:")
    alice.click(1).press("ArrowLeft")
    expect(alice.page.locator(".jp-Inspector")).to_contain_text("insertion order", timeout=30_000)
    prompt.click()
    alice.type("print('from the console', x + 1)").press("Shift+Enter")
    expect(alice.page.locator(".jp-CodeConsole .jp-OutputArea-output")).to_have_text("from the console 42")
    assert len(_kernels(own.server)) == 1
    assert alice.dialogs_seen() == []


def test_a_kernel_that_outlives_a_lost_network_is_connected_again(own: Lab, wire: WireThread) -> None:
    path = own.write("x = 41", "x")
    own.port = wire.port
    alice = own.open(path)
    alice.wait_kernel()
    alice.run(0)
    expect(alice.prompt(0)).to_have_text("[1]:")
    before = _kernel_id(alice)
    wire.cut()
    alice.wait_offline()
    alice.wait_until("panel.sessionContext.session.kernel.connectionStatus !== 'connected'")
    wire.mend()
    alice.wait_back()
    alice.wait_kernel()
    assert _kernel_id(alice) == before
    alice.run(1)
    expect(alice.outputs(1)).to_have_text("41")
    expect(alice.page.locator(".jp-toast-message")).to_have_count(0)
    assert alice.dialogs_seen() == []


def test_who_shut_the_kernel_down_finds_none_when_the_server_is_back(own: Lab) -> None:
    alice = own.open(own.write("6 * 7"))
    alice.wait_kernel()
    alice.model("panel.sessionContext.shutdown()")
    own.wait_for(lambda: _kernels(own.server) == [], "the kernel is gone")
    _restart(own, "kill", alice)
    assert _kernels(own.server) == []
    alice.run(0)
    expect(alice.outputs(0)).to_have_text("42")
    alice.wait_kernel()
    assert alice.dialogs_seen() == []


@pytest.mark.parametrize("moment", ["asked for", "launched", "connected to"])
def test_a_kernel_starts_though_the_server_died_while_it_did(own: Lab, moment: str) -> None:
    alice = own.open(own.write("x"))
    alice.wait_kernel()
    alice.leave()
    own.wait_for(lambda: _kernels(own.server) == [], "the first kernel is gone")
    path = own.write("6 * 7", "'later'")
    asked: list[str | bytes] = []
    alice.page.on("websocket", lambda socket: socket.on("framesent", lambda frame: asked.append(frame)))
    with (
        alice.page.expect_websocket(lambda socket: "/channels" in socket.url)
        if moment == "connected to"
        else nullcontext()
    ):
        alice.show(path)
    if moment == "asked for":
        own.wait_for(lambda: any(b"start_kernel" in _bytes(frame) for frame in asked), "the kernel was asked for")
    if moment == "launched":
        own.wait_for(lambda: _kernels(own.server) != [], "the kernel was launched")
    own.server.kill()
    alice.wait_offline()
    alice.click(0).type(" + 1")
    own.server.start()
    alice.wait_back()
    alice.wait_kernel()
    (kernel,) = _kernels(own.server)
    assert kernel == _kernel_id(alice)
    alice.run(0)
    expect(alice.outputs(0)).to_have_text("43")
    alice.run(1)
    expect(alice.outputs(1)).to_have_text("'later'")
    assert alice.dialogs_seen() == []


def test_a_kernel_is_connected_to_though_requests_for_it_are_lost(own: Lab) -> None:
    alice = own.open(own.write("x"))
    alice.wait_kernel()
    alice.leave()
    lost: list[Route] = []

    def lose(route: Route) -> None:
        if len(lost) < 3:
            lost.append(route)
            route.abort("connectionreset")
        else:
            route.continue_()

    alice.page.route(re.compile("/api/sessions"), lose)
    alice.show(own.write("6 * 7"))
    alice.wait_kernel()
    assert len(lost) == 3
    alice.run(0)
    expect(alice.outputs(0)).to_have_text("42")
    assert alice.dialogs_seen() == []


def test_who_opens_a_notebook_by_a_link_has_the_same_kernel(own: Lab) -> None:
    path = own.write("x = 41", "x + 1")
    (own.server.root / "link.ipynb").symlink_to(path)
    alice = own.open("link.ipynb")
    alice.wait_kernel()
    alice.run(0)
    expect(alice.prompt(0)).to_have_text("[1]:")
    bob = own.open(path)
    bob.wait_kernel()
    bob.run(1)
    for tab in (alice, bob):
        expect(tab.outputs(1)).to_have_text("42")
    (kernel,) = _kernels(own.server)
    assert kernel == _kernel_id(alice) == _kernel_id(bob)
    alice.wait_saved()
    assert alice.model("panel.context.path") == "link.ipynb"
    assert alice.dialogs_seen() == bob.dialogs_seen() == []


def test_who_cannot_have_a_kernel_is_told_why(own: Lab) -> None:
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1")], metadata=KERNEL)
    spec = own.server.home / "data" / "kernels" / "broken"
    spec.mkdir(parents=True)
    (spec / "kernel.json").write_text(
        json.dumps({"argv": ["/no/such/program"], "display_name": "Broken", "language": "python"})
    )
    notebook.metadata = {"kernelspec": {"name": "broken", "display_name": "Broken", "language": "python"}}
    nbformat.write(notebook, own.server.root / "broken.ipynb")
    alice = own.open("broken.ipynb")
    expect(alice.dialogs).to_contain_text("/no/such/program")


def _restart(lab: Lab, end: str, *tabs: Tab) -> None:
    """End the server, by which its kernels end, and start it again."""
    for tab in tabs:
        tab.wait_saved()
    if end == "stop":
        lab.server.stop()
    else:
        lab.server.kill()
    for tab in tabs:
        tab.wait_offline()
    lab.server.start()
    for tab in tabs:
        expect(tab.status).to_contain_text("Saved", timeout=60_000)


def _bytes(frame: str | bytes) -> bytes:
    return frame.encode() if isinstance(frame, str) else frame


def _kernel_id(tab: Tab) -> str:
    """The kernel JupyterLab is connected to."""
    kernel_id: str = tab.model("panel.sessionContext.session.kernel.id")
    return kernel_id


def _kernels(server: ServerProcess) -> list[str]:
    """The kernels the server has."""
    request = urllib.request.Request(f"{server.url}api/kernels", headers={"Authorization": f"token {TOKEN}"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        kernels: list[Any] = json.load(answer)
    return [kernel["id"] for kernel in kernels]
