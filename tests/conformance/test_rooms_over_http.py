"""The REST table of the protocol page."""

from __future__ import annotations

import asyncio
import hashlib
import json
import unicodedata
from typing import Any

from automerge.core import Document

from tests.conformance.conftest import code_cell, notebook
from tests.support.bare_peer import to_python


async def test_the_probe_tells_versions_and_limits(visit: Any) -> None:
    async with visit() as v:
        status, _, probe = await v.call("GET", "")
        assert status == 200
        assert probe["protocol"] == 1 and probe["schema_version"] == 1 and probe["version"]
        limits = probe["limits"]
        assert limits["max_frame_bytes"] >= 64 * 1024 * 1024
        assert limits["max_presence_bytes"] == 4096 and limits["max_depth"] == 64 and limits["max_inline_bytes"] == 1024
        assert limits["required_heads_timeout_s"] == 10
        assert {"max_inflated_bytes", "max_request_bytes", "autosave_s", "disk_check_s"} <= set(limits)


async def test_opening_answers_created_then_existing_with_one_room_for_every_spelling(visit: Any) -> None:
    async with visit() as v:
        name = "é" + "ord.ipynb"
        path = v.write(notebook(code_cell("1", "a")), f"spell/ings/{unicodedata.normalize('NFC', name)}")
        status, headers, room = await v.call("POST", "/rooms", json={"path": path})
        assert status == 201 and room["path"] == path
        assert headers["Location"].endswith("/api/runtimed/rooms/" + room["room_id"])
        (v.server.root / "spell" / "link.ipynb").symlink_to(v.file(path))
        for spelling in (
            path,
            "/" + path,
            "./" + path,
            path.replace("/", "//"),
            f"spell/../{path}",
            unicodedata.normalize("NFD", path),
            "spell/link.ipynb",
        ):
            status, _, again = await v.call("POST", "/rooms", json={"path": spelling})
            assert (status, again["room_id"]) == (200, room["room_id"]), spelling


async def test_twenty_opens_at_once_make_one_room(visit: Any) -> None:
    async with visit() as v:
        path = v.write(notebook(code_cell("1", "a")))
        answers = await asyncio.gather(*(v.call("POST", "/rooms", json={"path": path}) for _ in range(20)))
        assert len({room["room_id"] for _, _, room in answers}) == 1
        assert sorted(status for status, _, _ in answers) == [200] * 19 + [201]


async def test_what_is_no_notebook_or_not_there_is_refused_in_json(visit: Any) -> None:
    async with visit() as v:
        (v.server.root / "folder.ipynb").mkdir(exist_ok=True)
        (v.server.root / "text.txt").write_text("x")
        cases = {
            "nowhere.ipynb": (404, "not_found"),
            "../outside.ipynb": (404, "not_found"),
            "../../etc/passwd": (404, "not_found"),
            "folder.ipynb": (400, "not_a_notebook"),
            "text.txt": (400, "not_a_notebook"),
            "": (400, None),
        }
        for path, (want, code) in cases.items():
            status, headers, body = await v.call("POST", "/rooms", json={"path": path})
            assert status == want or (path == "../../etc/passwd" and status in (400, 404)), (path, status, body)
            assert headers["Content-Type"].startswith("application/json") and body["message"], path
            if code and path != "../../etc/passwd":
                assert body["code"] == code, path
        for body in (b"", b"[]", b"{", b'{"path": 3}', b'{"untitled": "yes"}'):
            status, _, answer = await v.call("POST", "/rooms", data=body)
            assert status == 400 and answer["code"] == "bad_request", body


async def test_a_name_is_not_percent_decoded_twice(visit: Any) -> None:
    async with visit() as v:
        path = v.write(notebook(code_cell("odd", "a")), "100%25.ipynb")
        v.write(notebook(code_cell("plain", "a")), "100%.ipynb")
        room = await v.open(path)
        assert room["path"] == "100%25.ipynb"
        _, _, nb = await v.call("GET", f"/rooms/{room['room_id']}/notebook")
        assert "".join(nb["cells"][0]["source"]) == "odd"


async def test_the_room_object_has_every_field(visit: Any) -> None:
    async with visit() as v, v.joined(code_cell("1", "a"), code_cell("2", "b")) as (_, room):
        status, _, found = await v.call("GET", f"/rooms/{room['room_id']}")
        assert status == 200
        assert set(found) >= {"room_id", "path", "state", "error", "cells", "peers", "kernel", "heads", "last_saved"}
        assert found["state"] == "ready" and found["error"] is None and found["cells"] == 2 and found["peers"] == 1
        assert set(found["kernel"]) >= {"name", "status", "kernel_id"}
        assert all(len(head) == 64 for head in found["heads"])
        _, _, rooms = await v.call("GET", "/rooms")
        assert room["room_id"] in [one["room_id"] for one in rooms]


async def test_a_room_that_is_gone_stays_gone(visit: Any) -> None:
    async with visit() as v:
        missing = "00000000-0000-4000-8000-000000000000"
        for method, route in (
            ("GET", ""),
            ("DELETE", ""),
            ("GET", "/doc"),
            ("GET", "/notebook"),
            ("GET", "/metadata"),
            ("GET", "/metadata/x"),
        ):
            status, _, body = await v.call(method, f"/rooms/{missing}{route}")
            assert (status, body["code"]) == (404, "no_such_room"), route
        room = await v.open(v.write(notebook(code_cell("1", "a"))))
        status, _, _ = await v.call("DELETE", f"/rooms/{room['room_id']}")
        assert status == 204
        status, _, body = await v.call("GET", f"/rooms/{room['room_id']}")
        assert (status, body["code"]) == (404, "no_such_room")


async def test_document_bytes_load_in_any_library_and_carry_their_heads(visit: Any) -> None:
    async with visit() as v, v.joined(code_cell("print(1)", "a")) as (_, room):
        route = f"/rooms/{room['room_id']}/doc"
        status, headers, body = await v.call("GET", route)
        assert status == 200 and headers["Content-Type"] == "application/octet-stream"
        document = Document.load(body)
        heads = sorted(head.hex() for head in document.get_heads())
        assert sorted(headers["X-Automerge-Heads"].split(",")) == heads
        root = to_python(document)
        assert root["schema_version"] == 1 and root["cells"]["a"]["source"] == "print(1)"
        status, _, _ = await v.call("GET", route, headers={"If-None-Match": headers["ETag"]})
        assert status == 304
        status, _, body = await v.call("GET", route + "?document=runtime")
        runtime = to_python(Document.load(body))
        assert runtime["schema_version"] == 1 and runtime["kernel"]["status"] == "not_started"
        status, _, body = await v.call("GET", route + "?document=other")
        assert status == 400


async def test_equal_files_have_equal_histories(visit: Any) -> None:
    async with visit() as v:
        content = notebook(code_cell("x = 1", "a"), code_cell("é🎉", "b"))
        documents = []
        for _ in range(2):
            room = await v.open(v.write(content))
            documents.append(await v.call("GET", f"/rooms/{room['room_id']}/doc"))
        assert documents[0][1]["X-Automerge-Heads"] == documents[1][1]["X-Automerge-Heads"]


async def test_metadata_is_read_set_and_deleted_as_any_edit(visit: Any) -> None:
    async with visit() as v, v.joined(code_cell("1", "a")) as (peer, room):
        route = f"/rooms/{room['room_id']}/metadata"
        assert (await v.call("GET", route + "/absent"))[2] == {"value": None}
        value = {"deep": [1, 2.5, None, True, {"é": "🎉"}]}
        status, _, body = await v.call("PUT", route + "/mine", json={"value": value})
        assert status == 200 and all(len(head) == 64 for head in body["heads"])
        assert (await v.call("GET", route + "/mine"))[2] == {"value": value}
        assert (await v.call("GET", route))[2]["value"]["mine"] == value
        await peer.until(lambda: peer.root()["metadata"].get("mine") == value)
        status, _, body = await v.call("DELETE", route + "/mine")
        assert status == 200 and body["heads"]
        await peer.until(lambda: "mine" not in peer.root()["metadata"])
        status, _, body = await v.call("PUT", route + "/mine", json={"value": 1, "required_heads": ["zz"]})
        assert (status, body["code"]) == (400, "bad_request")


async def test_the_notebook_call_gives_what_a_save_would_write(visit: Any) -> None:
    png = "iVBORw0KGgo=" + "\n"
    outputs = [
        {"name": "stdout", "output_type": "stream", "text": ["a\n", "b\n"]},
        {"data": {"image/png": png, "text/plain": "x"}, "metadata": {}, "output_type": "display_data"},
    ]
    async with visit() as v:
        content = notebook(code_cell("x", "a", outputs, 3), mine={"k": [1]})
        room = await v.open(v.write(content))
        status, headers, got = await v.call("GET", f"/rooms/{room['room_id']}/notebook")
        assert status == 200 and headers["Content-Type"].startswith("application/json")
        assert got["metadata"] == content["metadata"] and got["nbformat"] == 4
        cell = got["cells"][0]
        assert cell["execution_count"] == 3 and cell["id"] == "a"
        assert "".join(cell["outputs"][0]["text"]) == "a\nb\n"
        assert "".join(cell["outputs"][1]["data"]["image/png"]) == png


async def test_requests_work_without_a_socket(visit: Any) -> None:
    async with visit() as v, v.joined(code_cell("1", "a")) as (_, room):
        route = f"/rooms/{room['room_id']}/requests"
        status, _, body = await v.call("POST", route, json={"id": "7", "action": "get_raw_metadata", "key": "none"})
        assert status == 200 and body == {"id": "7", "ok": True, "result": {"value": None}}
        status, _, body = await v.call("POST", route, json={"id": "8", "action": "execute_cell", "cell_id": "zz"})
        assert status == 404 and body["ok"] is False and body["error"]["code"] == "no_such_cell" and body["id"] == "8"
        status, _, body = await v.call("POST", route, json={"id": "9", "action": "fly"})
        assert status == 400 and body["error"]["code"] == "bad_request"


async def test_blobs_are_stored_by_their_hash_and_served_safely(visit: Any) -> None:
    async with visit() as v:
        data = bytes(range(256)) * 64
        name = hashlib.sha256(data).hexdigest()
        status, _, body = await v.call("POST", "/blobs", data=data)
        assert status == 201 and body == {"blob": name, "size": len(data)}
        status, _, body = await v.call("GET", f"/blobs/{name}")
        assert status == 200 and body == data, "who stored a blob may read it back"
        for bad in ("x", name.upper(), name + "0", "..%2f..%2fetc"):
            assert (await v.call("GET", f"/blobs/{bad}"))[0] in (400, 404)
        assert (await v.call("GET", f"/blobs/{name.upper()}"))[0] == 400
        assert (await v.call("GET", f"/blobs/{'0' * 64}"))[0] == 404


async def test_an_output_blob_comes_with_ranges_and_headers(visit: Any) -> None:
    async with visit() as v:
        import base64

        raw = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 32
        output = {
            "data": {"image/png": base64.b64encode(raw).decode()},
            "metadata": {},
            "output_type": "display_data",
        }
        room = await v.open(v.write(notebook(code_cell("x", "a", [output]))))
        async with v.peer(room) as peer:
            await peer.ready()
            reference = peer.outputs_of("a")[0]["data"]["image/png"]
        assert reference == {"blob": hashlib.sha256(raw).hexdigest(), "size": len(raw)}
        route = f"/blobs/{reference['blob']}"
        status, headers, body = await v.call("GET", route + "?type=image/png")
        assert status == 200 and body == raw and headers["Content-Type"] == "image/png"
        assert headers["Cache-Control"] == "private, max-age=31536000, immutable"
        assert headers["X-Content-Type-Options"] == "nosniff" and "sandbox" in headers["Content-Security-Policy"]
        assert (await v.call("GET", route, headers={"If-None-Match": headers["ETag"]}))[0] == 304
        status, headers, body = await v.call("GET", route, headers={"Range": "bytes=8-15"})
        assert status == 206 and body == raw[8:16] and headers["Content-Range"] == f"bytes 8-15/{len(raw)}"
        assert headers["Content-Type"] == "application/octet-stream"
        status, headers, body = await v.call("HEAD", route)
        assert status == 200 and body == b"" and int(headers["Content-Length"]) == len(raw)


async def test_an_untitled_room_with_content_is_not_thrown_away(visit: Any) -> None:
    async with visit() as v:
        status, headers, room = await v.call("POST", "/rooms", json={"untitled": True})
        assert status == 201 and room["path"] is None and headers["Location"]
        async with v.peer(room) as peer:
            await peer.ready()
            peer.add_cell("c1", "1 + 1", "i")
            await peer.flush()
            answer = await peer.request("get_raw_metadata", key="x", required_heads=peer.heads())
            assert answer["ok"]
        status, _, body = await v.call("DELETE", f"/rooms/{room['room_id']}")
        assert status == 409 and body["message"]
        assert (await v.call("GET", f"/rooms/{room['room_id']}"))[0] == 200
        assert (await v.call("DELETE", f"/rooms/{room['room_id']}?discard=true"))[0] == 204


async def test_a_failed_load_says_why_and_touches_nothing(visit: Any) -> None:
    async with visit() as v:
        broken = b'{"cells": [{"cell_type": "code", "source": "x" "y"}]}'
        path = v.write(broken)
        room = await v.open(path)
        await v.call("GET", f"/rooms/{room['room_id']}/notebook")  # answers when the load has ended
        _, _, room = await v.call("GET", f"/rooms/{room['room_id']}")
        assert (
            room["state"] == "failed"
            and room["error"]["code"] == "load_failed"
            and "line 1" in room["error"]["message"]
        )
        for route in ("/doc", "/notebook", "/metadata"):
            status, _, body = await v.call("GET", f"/rooms/{room['room_id']}{route}")
            assert (status, body["code"]) == (409, "load_failed")
        async with v.peer(room) as peer:
            await peer.until(lambda: peer.statuses and peer.statuses[-1]["load"]["phase"] == "failed")
            assert peer.statuses[-1]["load"]["error"]
            answer = await peer.request("save_notebook")
            assert answer["error"]["code"] == "load_failed"
        assert v.file(path).read_bytes() == broken
        v.write(json.loads(json.dumps(notebook(code_cell("1", "a")))), path)
        again = await v.open(path)
        assert again["room_id"] == room["room_id"]
        await v.call("GET", f"/rooms/{room['room_id']}/notebook")  # answers when the load has ended
        _, _, again = await v.call("GET", f"/rooms/{room['room_id']}")
        assert again["state"] == "ready" and again["cells"] == 1 and again["error"] is None


async def test_without_a_token_everything_is_forbidden_in_json(visit: Any) -> None:
    async with visit() as v:
        room = await v.open(v.write(notebook(code_cell("1", "a"))))
    async with visit(token=None) as v:
        for method, route in (
            ("GET", ""),
            ("GET", "/rooms"),
            ("POST", "/rooms"),
            ("GET", f"/rooms/{room['room_id']}"),
            ("DELETE", f"/rooms/{room['room_id']}"),
            ("GET", f"/rooms/{room['room_id']}/doc"),
            ("GET", f"/rooms/{room['room_id']}/notebook"),
            ("PUT", f"/rooms/{room['room_id']}/metadata/x"),
            ("POST", f"/rooms/{room['room_id']}/requests"),
            ("POST", f"/rooms/{room['room_id']}/merge"),
            ("GET", "/blobs/" + "0" * 64),
            ("POST", "/blobs"),
        ):
            status, headers, body = await v.call(method, route, allow_redirects=False)
            assert status == 403, (method, route, status)
            assert headers["Content-Type"].startswith("application/json") and body["code"] == "forbidden"
