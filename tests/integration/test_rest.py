"""The REST part: errors, documents, blobs, and what happens to files through the contents API."""

from __future__ import annotations

import base64
import hashlib
import io
import json
from typing import Any

import pytest

from jupyter_runtimed.core.files import ContentsEvent
from jupyter_runtimed.handlers.blobs import SHOWN_TYPES
from tests.conformance.conftest import Visitor, code_cell, notebook
from tests.integration.conftest import Served, soon

RAW = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 8_000
NAME = hashlib.sha256(RAW).hexdigest()
PICTURE = {"data": {"image/png": base64.b64encode(RAW).decode()}, "metadata": {}, "output_type": "display_data"}


async def loaded(v: Visitor, *cells: dict[str, Any], name: str | None = None) -> dict[str, Any]:
    room = await v.open(v.write(notebook(*(cells or (code_cell("1", "a"),))), name))
    status, _, _ = await v.call("GET", f"/rooms/{room['room_id']}/notebook")
    assert status == 200
    return room


# Errors.


@pytest.mark.parametrize(
    ("method", "route", "body", "status", "code"),
    [
        ("GET", "/nowhere", b"", 404, "not_found"),
        ("POST", "/rooms/{room}/nowhere", b"", 404, "not_found"),
        ("PATCH", "/rooms", b"", 405, "method_not_allowed"),
        ("DELETE", "", b"", 405, "method_not_allowed"),
        ("PUT", "/rooms/{room}/doc", b"", 405, "method_not_allowed"),
        ("POST", "/rooms", b"", 400, "bad_request"),
        ("POST", "/rooms", b"{", 400, "bad_request"),
        ("POST", "/rooms", b"[1]", 400, "bad_request"),
        ("POST", "/rooms", b"\xff", 400, "bad_request"),
        ("POST", "/rooms", b"[" * 100 + b"]" * 100, 400, "bad_request"),
        ("POST", "/rooms", b"{}", 400, "bad_request"),
        ("POST", "/rooms", b'{"path": 1}', 400, "bad_request"),
        ("POST", "/rooms", b'{"untitled": 1}', 400, "bad_request"),
        ("POST", "/rooms", b'{"untitled": true, "directory": 1}', 400, "bad_request"),
        ("POST", "/rooms", b'{"untitled": true, "directory": "no/such"}', 404, "not_found"),
        ("POST", "/rooms", b'{"path": "nowhere.ipynb"}', 404, "not_found"),
        ("POST", "/rooms", b'{"path": "../nowhere.ipynb"}', 404, "not_found"),
        ("POST", "/rooms", b'{"path": "a.txt"}', 400, "not_a_notebook"),
        ("POST", "/rooms", b'{"path": ""}', 400, "not_a_notebook"),
        ("GET", "/rooms/none", b"", 404, "no_such_room"),
        ("DELETE", "/rooms/{room}?discard=perhaps", b"", 400, "bad_request"),
        ("GET", "/rooms/{room}/doc?document=other", b"", 400, "bad_request"),
        ("PUT", "/rooms/{room}/metadata/x", b"{}", 400, "bad_request"),
        ("PUT", "/rooms/{room}/metadata/x", b'{"value": 1, "required_heads": 7}', 400, "bad_request"),
        ("PUT", "/rooms/{room}/metadata/x", b'{"value": 123456789012345678901234567890}', 400, "bad_request"),
        ("PUT", "/rooms/{room}/metadata/x", b'{"value": {"": 1}}', 400, "bad_request"),
        ("PUT", "/rooms/{room}/metadata/x", b'{"value": {"a": [{"": 1}]}}', 400, "bad_request"),
        ("POST", "/rooms/{room}/merge", b"no automerge", 400, "bad_request"),
        ("POST", "/rooms/{room}/requests", b"", 400, "bad_request"),
        ("POST", "/rooms/{room}/requests", b"[]", 400, None),
        ("GET", "/blobs/x", b"", 400, "bad_request"),
        ("GET", "/blobs/" + "A" * 64, b"", 400, "bad_request"),
        ("GET", "/blobs/" + "0" * 64, b"", 404, "not_found"),
    ],
)
async def test_every_error_is_json_with_a_code_and_a_message(
    served: Served, method: str, route: str, body: bytes, status: int, code: str | None
) -> None:
    async with served.visit() as v:
        room = await loaded(v)
        got, headers, said = await v.call(method, route.replace("{room}", room["room_id"]), data=body)
        assert got == status, said
        assert headers["Content-Type"].startswith("application/json")
        error = said if code is not None else said["error"]
        assert error["code"] == (code or "bad_request")
        assert error["message"]


@pytest.mark.parametrize("runtimed_traits", [{"max_request_bytes": 2048}])
async def test_a_body_over_the_limit_is_too_large(served: Served) -> None:
    async with served.visit() as v:
        room = await loaded(v)
        big = json.dumps({"value": "x" * 3000, "id": "1", "action": "get_raw_metadata", "key": "x" * 3000}).encode()
        for method, route in (
            ("POST", "/rooms"),
            ("PUT", "/rooms/{room}/metadata/x"),
            ("POST", "/rooms/{room}/requests"),
        ):
            status, _, said = await v.call(method, route.replace("{room}", room["room_id"]), data=big)
            assert (status, said["code"]) == (413, "too_large")


async def test_our_own_fault_is_said_without_its_inside(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: object) -> None:
        raise RuntimeError("secret detail")

    async with served.visit() as v:
        room = await loaded(v)
        monkeypatch.setattr("jupyter_runtimed.rooms.room.Room.to_json", fail)
        status, _, said = await v.call("GET", f"/rooms/{room['room_id']}")
        assert (status, said["code"]) == (500, "internal")
        assert "secret" not in json.dumps(said)


async def test_addresses_carry_the_base_url(served: Served) -> None:
    async with served.visit() as v:
        status, headers, room = await v.call("POST", "/rooms", json={"path": v.write(notebook())})
        assert status == 201
        assert headers["Location"] == f"/some/where/api/runtimed/rooms/{room['room_id']}"
        async with v.session.get(served.origin + headers["Location"]) as answer:
            assert (await answer.json())["room_id"] == room["room_id"]


async def test_a_metadata_key_may_be_any_string(served: Served) -> None:
    async with served.visit() as v:
        room = await loaded(v)
        for key, address in (("a b", "a%20b"), ("a/b", "a%2Fb"), ("100%25", "100%2525"), ("é🎉", "%C3%A9%F0%9F%8E%89")):
            from yarl import URL

            url = URL(f"{v.api}/rooms/{room['room_id']}/metadata/{address}", encoded=True)
            async with v.session.put(url, json={"value": key}) as answer:
                assert answer.status == 200
            async with v.session.get(url) as answer:
                assert await answer.json() == {"value": key}
            _, _, whole = await v.call("GET", f"/rooms/{room['room_id']}/metadata")
            assert whole["value"][key] == key


async def test_metadata_null_is_a_value(served: Served) -> None:
    async with served.visit() as v:
        route = f"/rooms/{(await loaded(v))['room_id']}/metadata"
        assert (await v.call("PUT", route + "/x", json={"value": None}))[0] == 200
        assert "x" in (await v.call("GET", route))[2]["value"]
        assert (await v.call("DELETE", route + "/x"))[0] == 200
        assert "x" not in (await v.call("GET", route))[2]["value"]


# Blobs.


async def test_a_blob_is_for_who_may_read_a_notebook_that_shows_it(served: Served) -> None:
    async with served.visit() as v, served.visit("viewer") as viewer:
        await served.runtimed.server._blobs.put(RAW)
        for visitor in (v, viewer):
            assert (await visitor.call("GET", f"/blobs/{NAME}"))[0] == 404, "its name alone opens nothing"
        room = await loaded(v, code_cell("x", "a", [PICTURE]))
        for visitor in (v, viewer):
            assert (await visitor.call("GET", f"/blobs/{NAME}"))[2] == RAW
        await v.call("POST", f"/rooms/{room['room_id']}/requests", json={"id": "1", "action": "clear_outputs"})
        assert (await v.call("DELETE", f"/rooms/{room['room_id']}"))[0] == 204
        assert (await viewer.call("GET", f"/blobs/{NAME}"))[0] == 404


async def test_an_uploaded_blob_is_for_who_uploaded_it_until_a_notebook_shows_it(served: Served) -> None:
    async with served.visit("editor") as editor, served.visit("viewer") as viewer:
        room = await loaded(editor)
        status, _, said = await editor.call("POST", "/blobs", data=io.BytesIO(RAW))
        assert (status, said) == (201, {"blob": NAME, "size": len(RAW)})
        assert (await editor.call("GET", f"/blobs/{NAME}"))[0] == 200
        assert (await viewer.call("GET", f"/blobs/{NAME}"))[0] == 404
        reference = {"blob": NAME, "size": len(RAW)}
        await editor.call("PUT", f"/rooms/{room['room_id']}/metadata/x", json={"value": reference})
        assert (await viewer.call("GET", f"/blobs/{NAME}"))[0] == 404, "metadata is no place for references"


async def test_storing_takes_the_right_to_edit(served: Served) -> None:
    async with served.visit("viewer") as viewer:
        status, _, said = await viewer.call("POST", "/blobs", data=io.BytesIO(RAW))
        assert status == 403 and said["code"] == "forbidden"
        assert served.runtimed.server._blobs.size(NAME) is None


@pytest.mark.parametrize("runtimed_traits", [{"max_upload_bytes_per_hour": 10}])
async def test_who_stores_too_much_in_an_hour_is_refused(served: Served) -> None:
    async with served.visit("editor") as editor, served.visit("executor") as other:
        assert (await editor.call("POST", "/blobs", data=b"1234567890"))[0] == 201
        status, _, said = await editor.call("POST", "/blobs", data=b"1")
        assert (status, said["code"]) == (429, "quota_exceeded") and said["retry_after_s"] > 0
        assert (await other.call("POST", "/blobs", data=b"1"))[0] == 201


async def test_a_blob_is_known_by_its_etag(served: Served) -> None:
    async with served.visit() as v:
        await v.call("POST", "/blobs", data=io.BytesIO(RAW))
        _, headers, _ = await v.call("GET", f"/blobs/{NAME}")
        assert headers["Etag"] == f'"{NAME}"'
        assert headers["Cache-Control"] == "private, max-age=31536000, immutable"
        for method in ("GET", "HEAD"):
            status, _, body = await v.call(method, f"/blobs/{NAME}", headers={"If-None-Match": headers["Etag"]})
            assert (status, body) == (304, b"")


@pytest.mark.parametrize(
    ("asked", "status", "start", "end"),
    [
        ("bytes=0-0", 206, 0, 1),
        ("bytes=10-19", 206, 10, 20),
        ("bytes=10-", 206, 10, len(RAW)),
        ("bytes=-10", 206, len(RAW) - 10, len(RAW)),
        ("bytes=-99999999", 206, 0, len(RAW)),
        (f"bytes=5-{len(RAW) * 2}", 206, 5, len(RAW)),
        ("bytes=5-4", 200, 0, len(RAW)),
        ("bytes=-", 200, 0, len(RAW)),
        ("bytes=0-1,5-6", 200, 0, len(RAW)),
        ("lines=1-2", 200, 0, len(RAW)),
    ],
)
async def test_a_part_of_a_blob_may_be_asked_for(served: Served, asked: str, status: int, start: int, end: int) -> None:
    async with served.visit() as v:
        await v.call("POST", "/blobs", data=io.BytesIO(RAW))
        for method in ("GET", "HEAD"):
            got, headers, body = await v.call(method, f"/blobs/{NAME}", headers={"Range": asked})
            assert got == status
            assert int(headers["Content-Length"]) == end - start
            assert headers.get("Content-Range") == (f"bytes {start}-{end - 1}/{len(RAW)}" if status == 206 else None)
            assert headers["Accept-Ranges"] == "bytes"
            assert body == (RAW[start:end] if method == "GET" else b"")


async def test_a_part_outside_a_blob_does_not_exist(served: Served) -> None:
    async with served.visit() as v:
        await v.call("POST", "/blobs", data=io.BytesIO(RAW))
        for asked in (f"bytes={len(RAW)}-", f"bytes={len(RAW)}-{len(RAW) + 5}", "bytes=-0"):
            status, headers, said = await v.call("GET", f"/blobs/{NAME}", headers={"Range": asked})
            assert (status, said["code"]) == (416, "range_not_satisfiable")
            assert headers["Content-Type"].startswith("application/json")


@pytest.mark.parametrize(
    "wanted", ["text/html", "image/svg+xml2", "text/javascript", "application/xhtml+xml", "", "text/xml"]
)
async def test_a_type_that_could_act_is_an_attachment(served: Served, wanted: str) -> None:
    async with served.visit() as v:
        await v.call("POST", "/blobs", data=b"<script>alert(1)</script>")
        name = hashlib.sha256(b"<script>alert(1)</script>").hexdigest()
        _, headers, _ = await v.call("GET", f"/blobs/{name}?type={wanted.replace('+', '%2B')}")
        assert headers["Content-Type"] == "application/octet-stream"
        assert headers["Content-Disposition"].startswith("attachment")
        guarded(headers)


@pytest.mark.parametrize("wanted", sorted(SHOWN_TYPES))
async def test_a_type_that_only_shows_is_given_in_a_sandbox(served: Served, wanted: str) -> None:
    async with served.visit() as v:
        await v.call("POST", "/blobs", data=b"1")
        name = hashlib.sha256(b"1").hexdigest()
        _, headers, _ = await v.call("GET", f"/blobs/{name}?type={wanted.replace('+', '%2B')}")
        assert headers["Content-Type"].split(";")[0] == wanted
        assert "Content-Disposition" not in headers
        guarded(headers)


def guarded(headers: Any) -> None:
    assert headers["X-Content-Type-Options"] == "nosniff"
    policy = headers["Content-Security-Policy"]
    assert "sandbox" in policy
    assert "allow-scripts" not in policy
    assert "default-src 'none'" in policy


async def test_a_damaged_blob_is_not_served(served: Served) -> None:
    async with served.visit() as v:
        await v.call("POST", "/blobs", data=io.BytesIO(RAW))
        store = served.runtimed.server._blobs
        store.path(NAME).write_bytes(bytes(len(RAW)))
        store._trusted.clear()  # as after a restart
        assert (await v.call("GET", f"/blobs/{NAME}"))[0] == 404


# Files that others touch, through the contents API.


async def contents(v: Visitor, method: str, path: str, body: Any = None) -> None:
    async with v.session.request(method, f"{v.server.url}api/contents/{path}", json=body) as answer:
        assert answer.status < 300, await answer.text()


async def test_a_rename_is_followed_and_the_old_name_is_free(served: Served) -> None:
    async with served.visit() as v:
        room = await loaded(v, name="old.ipynb")
        async with v.peer(room) as peer:
            await peer.ready()
            await contents(v, "PATCH", "old.ipynb", {"path": "new.ipynb"})
            await peer.until(lambda: peer.statuses[-1]["path"] == "new.ipynb")
            peer.type_text("a", 0, "x")
            await peer.flush()
            assert (await peer.request("save_notebook", required_heads=peer.heads()))["ok"]
        assert v.read("new.ipynb")["cells"][0]["source"] == ["x1"]
        assert not v.file("old.ipynb").exists()
        assert (await v.open("new.ipynb"))["room_id"] == room["room_id"]
        assert (await loaded(v, name="old.ipynb"))["room_id"] != room["room_id"]


async def test_a_renamed_folder_takes_its_notebooks_along(served: Served) -> None:
    async with served.visit() as v:
        room = await loaded(v, name="one/deep/a.ipynb")
        other = await loaded(v, name="onetwo/a.ipynb")
        async with v.peer(room) as peer:
            await peer.ready()
            await contents(v, "PATCH", "one", {"path": "two"})
            await peer.until(lambda: peer.statuses[-1]["path"] == "two/deep/a.ipynb")
        assert (await v.call("GET", f"/rooms/{other['room_id']}"))[2]["path"] == "onetwo/a.ipynb"


async def test_a_deleted_file_comes_back_only_by_an_explicit_save(served: Served) -> None:
    async with served.visit() as v:
        room = await loaded(v, name="a.ipynb")
        async with v.peer(room) as peer:
            await peer.ready()
            told = len(peer.statuses)
            await contents(v, "DELETE", "a.ipynb")
            peer.type_text("a", 0, "x")
            await peer.flush()
            await peer.until(lambda: len(peer.statuses) > told and peer.statuses[-1]["dirty"])
            await served.runtimed.server._on_contents_event(ContentsEvent("saved", "a.ipynb"))
            assert not v.file("a.ipynb").exists()
            assert (await peer.request("save_notebook", required_heads=peer.heads()))["ok"]
        assert v.read("a.ipynb")["cells"][0]["source"] == ["x1"]


async def test_what_a_save_hook_strips_is_not_in_the_file(served: Served) -> None:
    def strip(model: dict[str, Any], **_: Any) -> None:
        if model["type"] == "notebook":
            for cell in model["content"]["cells"]:
                cell["outputs"] = []

    served.app.contents_manager.register_pre_save_hook(strip)
    async with served.visit() as v:
        room = await loaded(v, code_cell("x", "a", [PICTURE]), name="a.ipynb")
        async with v.peer(room) as peer:
            await peer.ready()
            for text in ("1", "2"):
                peer.type_text("a", 0, text)
                await peer.flush()
                answer = await peer.request("save_notebook", required_heads=peer.heads())
                assert answer["ok"], answer
                assert v.read("a.ipynb")["cells"][0]["outputs"] == []
            assert peer.outputs_of("a")


# The whole extension.


async def test_the_extension_is_listed_and_says_that_it_is_busy_while_something_runs(served: Served) -> None:
    async with served.visit() as v:
        room = await loaded(v, code_cell("input()", "a"))
        assert await soon(lambda: served.runtimed.current_activity() is None)
        async with v.peer(room) as peer:
            await peer.ready()
            assert (await peer.request("execute_cell", cell_id="a"))["ok"]
            assert served.runtimed.current_activity() == [room["room_id"]]
            await peer.until(lambda: peer.execution_of("a").get("input_request"), deadline_s=60)
            request_id = peer.execution_of("a")["input_request"]["request_id"]
            assert (await peer.request("input_reply", request_id=request_id, value="x"))["ok"]
            await peer.until(lambda: peer.execution_of("a").get("status") == "done")
        assert await soon(lambda: served.runtimed.current_activity() is None)


async def test_a_state_folder_that_cannot_be_used_is_said_and_tried_again(served: Served) -> None:
    state = served.root.parent / "data" / "runtimed"
    state.parent.mkdir(parents=True, exist_ok=True)
    state.write_text("in the way")
    async with served.visit() as v:
        status, _, said = await v.call("GET", "")
        assert (status, said["code"]) == (500, "internal")
        assert str(state) in said["message"]
        state.unlink()
        assert (await v.call("GET", ""))[0] == 200


@pytest.mark.parametrize("runtimed_traits", [{"enabled": False}])
async def test_turned_off_it_is_not_there(served: Served) -> None:
    async with served.visit() as v:
        for route in ("", "/rooms"):
            status, _, _ = await v.call("GET", route)
            assert status == 404
    assert not (served.root.parent / "data" / "runtimed").exists()
    assert served.runtimed.current_activity() is None
    await served.runtimed.stop_extension()
