"""What happens to the .ipynb: page 7 of the protocol."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import pytest

from tests.conformance.conftest import code_cell, notebook

SHARED = Path(__file__).resolve().parents[3] / "shared" / "notebooks"


async def test_opening_and_saving_an_untouched_notebook_changes_no_byte(visit: Any) -> None:
    async with visit() as v:
        odd = json.dumps(notebook(code_cell("a\nb", "a")), indent=3, sort_keys=False).encode().replace(b"\n", b"\r\n")
        path = v.write(odd)
        before = v.file(path).stat()
        async with v.peer(await v.open(path)) as peer:
            await peer.ready()
            answer = await peer.request("save_notebook")
            assert answer["ok"] and answer["result"] == {"path": path, "saved_heads": peer.heads()}
        after = v.file(path).stat()
        assert v.file(path).read_bytes() == odd and (before.st_ino, before.st_mtime_ns) == (
            after.st_ino,
            after.st_mtime_ns,
        )


async def test_an_edit_is_saved_by_itself(visit: Any) -> None:
    async with visit() as v, v.joined(code_cell("x", "a")) as (peer, room):
        peer.type_text("a", 1, " = 1")
        await peer.flush()
        await peer.until(lambda: peer.statuses[-1]["dirty"] or peer.statuses[-1]["saved_heads"] == peer.heads())
        await peer.until(
            lambda: peer.statuses[-1]["saved_heads"] == peer.heads() and not peer.statuses[-1]["dirty"], 15
        )
        saved = v.read(room["path"])
        assert saved["cells"][0]["source"] == ["x = 1"] and saved["nbformat_minor"] == 5
        assert peer.statuses[-1]["last_saved"]
        await peer.until(lambda: peer.statuses[-1]["durable_heads"] == peer.heads())


async def test_a_change_on_disk_is_merged_with_the_edits_in_the_room(visit: Any) -> None:
    async with visit() as v, v.joined(code_cell("one", "a"), code_cell("two", "b")) as (peer, room):
        outside = v.read(room["path"])
        outside["cells"][1]["source"] = ["two from outside"]
        peer.type_text("a", 3, " from the room")
        await peer.flush()
        v.write(outside, room["path"])
        await peer.until(
            lambda: [cell["source"] for cell in peer.cells()] == ["one from the room", "two from outside"], 20
        )
        answer = await peer.request("save_notebook")
        assert answer["ok"], answer
        saved = v.read(room["path"])
        assert ["".join(cell["source"]) for cell in saved["cells"]] == ["one from the room", "two from outside"]


async def test_a_file_that_is_no_notebook_any_more_is_not_overwritten(visit: Any) -> None:
    async with visit() as v, v.joined(code_cell("one", "a")) as (peer, room):
        v.file(room["path"]).write_bytes(b"not a notebook at all")
        peer.type_text("a", 0, "x")
        await peer.flush()
        answer = await peer.request("save_notebook", deadline_s=60)
        assert answer["error"]["code"] == "file_changed", answer
        assert v.file(room["path"]).read_bytes() == b"not a notebook at all"


async def test_save_as_moves_the_room_and_refuses_what_is_taken(visit: Any) -> None:
    async with visit() as v, v.joined(code_cell("one", "a")) as (peer, room):
        other = await v.open(v.write(notebook(code_cell("other", "o"))))
        async with v.peer(other) as in_use:
            await in_use.ready()
            answer = await peer.request("save_notebook", path=other["path"])
            assert answer["error"]["code"] == "path_already_open" and answer["error"]["room_id"] == other["room_id"]
            assert answer["error"]["path"] == other["path"]
        lonely = v.write(notebook(code_cell("lonely", "l")))
        answer = await peer.request("save_notebook", path=lonely)
        assert answer["error"]["code"] == "file_exists"
        assert (await peer.request("save_notebook", path="no/such/folder/x.ipynb"))["error"]["code"] == "not_found"
        assert (await peer.request("save_notebook", path="x.txt"))["error"]["code"] == "not_a_notebook"
        assert v.read(lonely)["cells"][0]["source"] == "lonely"
        new = lonely.replace(".ipynb", "-new.ipynb")
        answer = await peer.request("save_notebook", path=new)
        assert answer["ok"] and answer["result"]["path"] == new
        assert v.read(new)["cells"][0]["id"] == "a" and v.file(room["path"]).exists()
        again = await v.open(new)
        assert again["room_id"] == room["room_id"]
        await peer.until(lambda: peer.statuses[-1]["path"] == new)
        answer = await peer.request("save_notebook", path=lonely, overwrite=True)
        assert answer["ok"] and "".join(v.read(lonely)["cells"][0]["source"]) == "one"


async def test_an_untitled_room_gets_its_file_and_keeps_its_id(visit: Any) -> None:
    async with visit() as v:
        _, _, room = await v.call("POST", "/rooms", json={"untitled": True, "kernel_name": "python3"})
        async with v.peer(room) as peer:
            await peer.ready()
            peer.add_cell("c", "print(6 * 7)", "i")
            await peer.flush()
            answer = await peer.request("execute_cell", cell_id="c", required_heads=peer.heads())
            assert answer["ok"], answer
            waited = await peer.request(
                "wait_for_execution", execution_id=answer["result"]["execution_id"], timeout=60, deadline_s=70
            )
            assert waited["result"]["status"] == "done"
            path = f"named-{room['room_id']}.ipynb"
            answer = await peer.request("save_notebook", path=path)
            assert answer["ok"], answer
        saved = v.read(path)
        assert (
            "".join(saved["cells"][0]["outputs"][0]["text"]) == "42\n"
            and saved["metadata"]["kernelspec"]["name"] == "python3"
        )
        again = await v.open(path)
        assert again["room_id"] == room["room_id"] and again["kernel"]["kernel_id"]


async def test_renaming_through_the_contents_api_is_followed(visit: Any) -> None:
    async with visit() as v, v.joined(code_cell("one", "a")) as (peer, room):
        new = "moved-" + room["path"]
        contents = v.server.url + "api/contents/"
        async with v.session.patch(contents + room["path"], json={"path": new}) as answer:
            assert answer.status == 200
        await peer.until(lambda: peer.statuses[-1]["path"] == new)
        fresh = await v.open(v.write(notebook(code_cell("fresh", "f")), room["path"]))
        assert fresh["room_id"] != room["room_id"]
        peer.type_text("a", 0, "x")
        await peer.flush()
        assert (await peer.request("save_notebook"))["result"]["path"] == new
        assert "".join(v.read(new)["cells"][0]["source"]) == "xone" and v.read(room["path"])["cells"][0]["id"] == "f"


async def test_renaming_a_folder_is_followed(visit: Any) -> None:
    async with visit() as v:
        path = v.write(notebook(code_cell("one", "a")), "folder-a/sub/x.ipynb")
        async with v.peer(await v.open(path)) as peer:
            await peer.ready()
            async with v.session.patch(v.server.url + "api/contents/folder-a", json={"path": "folder-b"}) as answer:
                assert answer.status == 200
            await peer.until(lambda: peer.statuses[-1]["path"] == "folder-b/sub/x.ipynb")


async def test_a_deleted_file_stays_deleted_until_somebody_saves(visit: Any) -> None:
    async with visit() as v, v.joined(code_cell("one", "a")) as (peer, room):
        async with v.session.delete(v.server.url + "api/contents/" + room["path"]) as answer:
            assert answer.status == 204
        peer.type_text("a", 0, "x")
        await peer.flush()
        await peer.until(lambda: peer.statuses[-1]["dirty"] and peer.statuses[-1]["durable_heads"] == peer.heads())
        # When a notebook that was changed later is in its file by itself, this one would have been, too.
        async with v.joined(code_cell("two", "b")) as (later, _):
            later.type_text("b", 0, "x")
            await later.flush()
            await later.until(lambda: later.statuses[-1]["saved_heads"] == later.heads(), 30)
        assert not v.file(room["path"]).exists()
        answer = await peer.request("save_notebook")
        assert answer["ok"], answer
        assert "".join(v.read(room["path"])["cells"][0]["source"]) == "xone"


async def test_unknown_keys_survive_a_save(visit: Any) -> None:
    async with visit() as v:
        cell = code_cell(
            "one", "a", [{"output_type": "display_data", "data": {"x/y": {"blob": "z"}}, "metadata": {}, "strange": 1}]
        )
        cell["strange"] = {"k": [1]}
        cell["metadata"] = {"nan": float("nan"), "big": 2**80, "trusted": True}
        content = notebook(cell)
        content["strange"] = "root"
        async with v.peer(await v.open(v.write(content))) as peer:
            await peer.ready()
            assert "trusted" not in peer.cells()[0]["metadata"]
            peer.type_text("a", 0, "x")
            await peer.flush()
            answer = await peer.request("save_notebook")
            saved = v.read(answer["result"]["path"])
        assert saved["strange"] == "root" and saved["cells"][0]["strange"] == {"k": [1]}
        assert saved["cells"][0]["outputs"][0]["strange"] == 1
        assert saved["cells"][0]["outputs"][0]["data"]["x/y"] == {"blob": "z"}
        metadata = saved["cells"][0]["metadata"]
        assert metadata["nan"] != metadata["nan"] and metadata["big"] == 2**80


async def test_a_broken_cell_never_makes_a_room_unsaveable(visit: Any) -> None:
    from automerge.core import ROOT, ObjType, ScalarType

    async with visit() as v, v.joined(code_cell("one", "a")) as (peer, room):
        cells = peer.notebook.get(ROOT, "cells")
        assert cells is not None
        with peer.notebook.transaction() as tx:
            broken = tx.put_object(cells[1], "broken", ObjType.Map)
            tx.put(broken, "cell_type", ScalarType.Int, 7)
            tx.put(broken, "id", ScalarType.Str, "another")
            tx.put(broken, "mine", ScalarType.Str, "kept")
            tx.put(cells[1], "worse", ScalarType.Int, 1)
        await peer.flush()
        answer = await peer.request("save_notebook", required_heads=peer.heads())
        assert answer["ok"], answer
        by_id = {cell["id"]: cell for cell in v.read(room["path"])["cells"]}
        assert by_id["broken"]["cell_type"] == "code" and "".join(by_id["broken"]["source"]) == ""
        assert by_id["broken"]["metadata"] == {} and by_id["a"]["cell_type"] == "code"


@pytest.mark.skipif(not SHARED.is_dir(), reason="the folder of real notebooks is not beside this checkout")
@pytest.mark.parametrize("name", sorted(path.name for path in SHARED.glob("*.ipynb")) if SHARED.is_dir() else [])
async def test_every_real_notebook_opens_and_gives_itself_back(visit: Any, name: str) -> None:
    import nbformat

    async with visit() as v:
        data = (SHARED / name).read_bytes()
        path = v.write(data, f"real/{name}")
        room = await v.open(path)
        status, _, got = await v.call("GET", f"/rooms/{room['room_id']}/notebook")
        if name.startswith("badjson"):
            assert status == 409 and got["code"] == "load_failed"
        else:
            assert status == 200, got
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # nbformat repairs what it reads, and says so
                want = nbformat.convert(nbformat.reads(data.decode(), as_version=nbformat.NO_CONVERT), 4)
            want, have = (nbformat.v4.rwbase.rejoin_lines(each) for each in (want, nbformat.from_dict(got)))
            for transient in ("orig_nbformat", "orig_nbformat_minor", "signature"):
                want.metadata.pop(transient, None)
            assert [c.source for c in have.cells] == [c.source for c in want.cells]
            for mine, theirs in zip(have.cells, want.cells, strict=True):
                assert mine.get("outputs") == theirs.get("outputs"), theirs.get("id")
                assert mine.get("attachments") == theirs.get("attachments")
                theirs.metadata.pop("trusted", None)
                assert mine.metadata == theirs.metadata
            assert have.metadata == want.metadata
        assert v.file(path).read_bytes() == data
        await v.call("DELETE", f"/rooms/{room['room_id']}?discard=true")
