"""Which outputs JupyterLab may run when a notebook is opened again: the server's own signatures say."""

from __future__ import annotations

from typing import Any

from tests.conformance.conftest import Visitor, code_cell, notebook

HTML = {"output_type": "display_data", "data": {"text/html": "<script>1</script>"}, "metadata": {}}


async def is_trusted(v: Visitor, path: str) -> bool:
    """Whether Jupyter's contents API says so of the first cell."""
    async with v.session.get(v.server.url + f"api/contents/{path}") as answer:
        body: dict[str, Any] = await answer.json()
    return bool(body["content"]["cells"][0]["metadata"].get("trusted"))


async def test_what_this_kernel_printed_is_trusted_when_it_comes_back(visit: Any) -> None:
    async with (
        visit() as v,
        v.joined(code_cell("from IPython.display import HTML, display\ndisplay(HTML('<b>hi</b>'))", "a")) as (
            peer,
            room,
        ),
    ):
        ran = await peer.request("execute_cell", cell_id="a")
        await peer.request("wait_for_execution", execution_id=ran["result"]["execution_id"], timeout=60, deadline_s=70)
        await peer.request("save_notebook")
        assert await is_trusted(v, room["path"])


async def test_what_came_with_a_file_is_not_trusted_for_being_saved(visit: Any) -> None:
    async with visit() as v, v.joined(code_cell("not trusted", "a", [HTML])) as (peer, room):
        peer.type_text("a", 0, "2")
        await peer.flush()
        await peer.request("save_notebook", required_heads=peer.heads())
        assert v.read(room["path"])["cells"][0]["source"] in ("2not trusted", ["2not trusted"])
        assert not await is_trusted(v, room["path"])


async def test_a_file_that_somebody_trusted_stays_trusted(visit: Any) -> None:
    async with visit() as v:
        path = v.write(notebook(code_cell("1", "a", [HTML])))
        async with v.session.post(v.server.url + f"api/contents/{path}/trust") as answer:
            assert answer.status == 201
        async with v.peer(await v.open(path)) as peer:
            await peer.ready()
            peer.type_text("a", 0, "2")
            await peer.flush()
            await peer.request("save_notebook", required_heads=peer.heads())
        assert await is_trusted(v, path)
