"""Images and long texts stay with the server until somebody is about to see them."""

from __future__ import annotations

import base64
import json
import random
import struct
import urllib.request
import zlib

import nbformat
from playwright.sync_api import expect

from tests.browser.lab import Lab
from tests.support.server_process import TOKEN

CELLS = 40


def _noise(seed: int, side: int = 64) -> str:
    """A picture no two of which are the same, as base64 of a PNG."""
    pixels = random.Random(seed)
    rows = b"".join(b"\0" + pixels.randbytes(3 * side) for _ in range(side))

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    png = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return base64.b64encode(png).decode()


def _gallery() -> list[nbformat.NotebookNode]:
    cells = [nbformat.v4.new_code_cell(f"picture({number})") for number in range(CELLS)]
    for number, cell in enumerate(cells):
        cell.outputs = [nbformat.v4.new_output("display_data", data={"image/png": _noise(number)})]
    cells[-1].outputs.append(nbformat.v4.new_output("stream", name="stdout", text="a long text\n" * 20_000))
    return cells


def test_what_is_far_away_is_fetched_when_it_comes_near(lab: Lab) -> None:
    path = lab.write(*_gallery())
    tab = lab.join(lab.write("x"))
    tab.leave()
    fetched: list[str] = []
    tab.page.on("request", lambda request: fetched.append(request.url) if "/runtimed/blobs/" in request.url else None)
    tab.show(path)
    expect(tab.outputs(0).locator("img")).to_have_js_property("naturalWidth", 64)
    tab.shot("gallery", lab.artifacts)
    begun = len(fetched)
    assert 0 < begun < CELLS * 3 / 4
    assert len(_runtime_document(lab, path)) < 20_000
    picture = tab.outputs(CELLS - 1).first.locator("img")

    def is_seen() -> bool:
        tab.cells.last.scroll_into_view_if_needed()  # pictures that come in above push it down again
        return picture.count() > 0

    lab.wait_for(is_seen, "the last picture is not shown")
    expect(picture).to_have_js_property("naturalWidth", 64)
    expect(tab.outputs(CELLS - 1).last).to_contain_text("a long text")
    assert begun < len(fetched) == len(set(fetched))
    tab.shot("gallery-end", lab.artifacts)
    assert tab.complaints == []


def test_a_copy_has_what_nobody_has_seen(lab: Lab) -> None:
    path = lab.write(*_gallery())
    tab = lab.join(path)
    tab.command("docmanager:save-as")
    tab.page.locator(".jp-Dialog input").first.fill(f"copy-{path}")
    tab.page.locator(".jp-Dialog .jp-mod-accept").click()
    tab.wait_until(f"panel.context.path === {json.dumps(f'copy-{path}')}")
    assert [cell.outputs for cell in lab.read(f"copy-{path}").cells] == [cell.outputs for cell in lab.read(path).cells]


def _runtime_document(lab: Lab, path: str) -> bytes:
    def get(url: str) -> bytes:
        request = urllib.request.Request(lab.server.url + url, headers={"Authorization": f"token {TOKEN}"})
        with urllib.request.urlopen(request, timeout=20) as answer:
            content: bytes = answer.read()
            return content

    (room,) = (room for room in json.loads(get("api/runtimed/rooms")) if room["path"] == path)
    return get(f"api/runtimed/rooms/{room['room_id']}/doc?document=runtime")
