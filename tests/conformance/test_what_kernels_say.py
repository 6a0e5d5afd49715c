"""What kernels say, as people see it: in both replicas, for who comes later, and in the file."""

from __future__ import annotations

from typing import Any

import nbformat

from tests.conformance.conftest import code_cell, notebook
from tests.conformance.test_bad_kernels import with_kernel
from tests.conformance.test_running import finished, run, text_of
from tests.conformance.test_shared_kernels import kernel_is
from tests.support.bare_peer import to_python


def texts(outputs: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(output["name"], text_of(output)) for output in outputs]


async def test_what_is_printed_is_shown_as_a_terminal_would(visit: Any) -> None:
    colours = "\x1b[31mred\x1b[0m"
    cells = {
        "prints": ("for i in range(50): print(i, flush=True)", "".join(f"{i}\n" for i in range(50))),
        "back": ("print('abc\\b\\bX', flush=True)\nprint('12', end='', flush=True)\nprint('\\b3')", "aXc\n13\n"),
        "colours": (f"print({colours!r})", f"{colours}\n"),
        "erased": ("print('a long line\\r\\x1b[Kshort')", "short\n"),
    }
    async with visit() as v, v.joined(*(code_cell(cells[name][0], name) for name in cells)) as (peer, room):
        for name, (_, shown) in cells.items():
            await run(peer, name)
            assert texts(peer.outputs_of(name)) == [("stdout", shown)], name
        assert (await peer.request("save_notebook"))["ok"]
        saved = {cell["id"]: cell["outputs"] for cell in v.read(room["path"])["cells"]}
        assert {name: "".join(outputs[0]["text"]) for name, outputs in saved.items()} == {
            name: shown for name, (_, shown) in cells.items()
        }


async def test_a_bar_of_many_updates_leaves_one_line(visit: Any) -> None:
    bar = (
        "import sys, time\n"
        "for i in range(101):\n"
        "    print(f'\\r{i:3}%|{chr(9608) * (i // 10):10}|', end='', file=sys.stderr, flush=True)\n"
        "    time.sleep(0.005)\n"
        "print(file=sys.stderr)"
    )
    async with visit() as v, v.joined(code_cell(bar, "a")) as (peer, _):
        await run(peer, "a")
        assert texts(peer.outputs_of("a")) == [("stderr", f"100%|{chr(9608) * 10}|\n")]


async def test_bars_of_tqdm_leave_one_line_each(visit: Any) -> None:
    options = "ascii=True, ncols=60, mininterval=0, miniters=1, bar_format='{desc}{percentage:3.0f}%|{bar}|{n}'"
    cells = {
        "one": f"import sys\nfrom tqdm import tqdm\nfor _ in tqdm(range(300), {options}): pass",
        "nested": (
            f"from tqdm import trange\nfor i in trange(4, desc='outer ', {options}):\n"
            f"    for j in trange(25, desc='inner ', {options}): pass"
        ),
        "gone": f"for i in trange(3, {options}):\n    for j in trange(9, leave=False, {options}): pass",
        "written": f"for i in tqdm(range(3), {options}): tqdm.write(f'line {{i}}', file=sys.stderr)",
    }
    shown = {
        "one": [("100%", "300")],
        # tqdm leaves each inner bar above the outer one, in a terminal as here.
        "nested": [*[("inner 100%", "25")] * 4, ("outer 100%", "4")],
        "gone": [("100%", "3")],
        "written": [("line 0", ""), ("line 1", ""), ("line 2", ""), ("100%", "3")],
    }
    async with visit() as v, v.joined(*(code_cell(source, name) for name, source in cells.items())) as (peer, _):
        for name, ends in shown.items():
            assert (await run(peer, name))["status"] == "done"
            outputs = peer.outputs_of(name)
            lines = [line.strip() for line in "".join(text for _, text in texts(outputs)).split("\n") if line.strip()]
            assert [(line.split("|")[0], line.rsplit("|", 1)[-1] if "|" in line else "") for line in lines] == ends, (
                lines
            )
        assert [name for name, _ in texts(peer.outputs_of("one"))] == ["stderr"]


async def test_a_bar_of_tqdm_in_a_notebook_is_a_widget_for_who_comes_later(visit: Any) -> None:
    source = "from tqdm.notebook import tqdm\nfor _ in tqdm(range(40), desc='steps'): pass"
    async with visit() as v, v.joined(code_cell(source, "a")) as (peer, room):
        assert (await run(peer, "a"))["status"] == "done"
        async with v.peer(room) as late:
            await late.ready()
            (output,) = late.outputs_of("a")
            comms = to_python(late.runtime)["comms"]
            box = comms[output["data"]["application/vnd.jupyter.widget-view+json"]["model_id"]]["state"]
            children = [comms[child.removeprefix("IPY_MODEL_")]["state"] for child in box["children"]]
            bar = next(child for child in children if child["_model_name"] == "FloatProgressModel")
            assert (bar["value"], bar["max"], bar["bar_style"]) == (40, 40, "success")
            said = " ".join(child["value"] for child in children if child["_model_name"] == "HTMLModel").replace(
                "\u2007", " "
            )
            assert "steps: 100%" in said and "40/40" in said


async def test_stdout_and_stderr_keep_their_order(visit: Any) -> None:
    source = (
        "import sys\n"
        "for i in range(10):\n"
        "    print('out', i, flush=True)\n"
        "    print('err', i, file=sys.stderr, flush=True)"
    )
    async with visit() as v, v.joined(code_cell(source, "a")) as (peer, _):
        await run(peer, "a")
        expected = [(f"std{name}", f"{name} {i}\n") for i in range(10) for name in ("out", "err")]
        assert texts(peer.outputs_of("a")) == expected


async def test_a_display_is_updated_wherever_it_is_in_both_documents_and_the_file(visit: Any) -> None:
    first = "h = display({'text/plain': 'one'}, raw=True, display_id='x')"
    second = "display({'text/plain': 'two'}, raw=True, display_id='x')\nprint('between')"
    update = "h.update({'text/plain': 'new', 'text/html': '<b>new</b>'}, raw=True)\ndisplay('beside')"
    cells = (code_cell(first, "a"), code_cell(second, "b"), code_cell(update, "u"))
    async with visit() as v, v.joined(*cells) as (peer, room), v.peer(room) as other:
        await other.ready()
        for cell_id in ("a", "b", "u"):
            assert (await run(peer, cell_id))["status"] == "done"
        for one in (peer, other):
            for cell_id, count in (("a", 1), ("b", 2), ("u", 1)):
                await one.until(lambda one=one, c=cell_id, n=count: len(one.outputs_of(c)) == n)
            for cell_id in ("a", "b"):
                await one.until(lambda one=one, c=cell_id: "text/html" in one.outputs_of(c)[0]["data"])
                assert one.outputs_of(cell_id)[0]["data"] == {"text/plain": "new", "text/html": "<b>new</b>"}
        assert (await peer.request("save_notebook"))["ok"]
        saved = [cell["outputs"][0]["data"] for cell in v.read(room["path"])["cells"][:2]]
        assert ["".join(data["text/html"]) for data in saved] == ["<b>new</b>"] * 2


async def test_outputs_are_cleared_now_and_with_the_next_one(visit: Any) -> None:
    use = "from IPython.display import clear_output\n"
    now = use + "print('old')\nclear_output()\nprint('new')"
    waits = use + "print('old')\nclear_output(wait=True)\ndisplay('new')"
    never = use + "print('stays')\nclear_output(wait=True)"
    async with visit() as v, v.joined(code_cell(now, "a"), code_cell(waits, "b"), code_cell(never, "c")) as (peer, _):
        await run(peer, "a")
        assert texts(peer.outputs_of("a")) == [("stdout", "new\n")]
        await run(peer, "b")
        assert [output["output_type"] for output in peer.outputs_of("b")] == ["display_data"]
        await run(peer, "c")
        assert texts(peer.outputs_of("c")) == [("stdout", "stays\n")]


async def test_help_is_shown_and_the_next_input_is_a_cell_for_everybody(visit: Any) -> None:
    cells = (
        code_cell("len?", "help"),
        code_cell("get_ipython().set_next_input('next_one = 1')", "next"),
        code_cell("get_ipython().set_next_input('replaced = 2', replace=True)", "replace"),
    )
    async with visit() as v, v.joined(*cells) as (peer, room), v.peer(room) as other:
        await other.ready()
        await run(peer, "help")
        assert "Return the number of items" in str(peer.outputs_of("help"))
        await run(peer, "next")
        await run(peer, "replace")
        expected = ["len?", "get_ipython().set_next_input('next_one = 1')", "next_one = 1", "replaced = 2"]
        for one in (peer, other):
            await one.until(lambda one=one: [cell["source"] for cell in one.cells()] == expected)
        assert (
            other.cells()[2]["cell_type"] == "code" and (await run(other, other.cells()[2]["id"]))["status"] == "done"
        )


async def test_types_nobody_knows_and_their_metadata_are_kept(visit: Any) -> None:
    source = (
        "import os\n"
        "data = {'application/vnd.mine.v1+json': {'blob': 'mine', 'deep': [1, None, {'a': 'é'}]},\n"
        "        'application/x-mine': 'text of mine', 'x/y': 'z' * 5000, 'text/plain': 'plain'}\n"
        "display(data, raw=True, metadata={'x/y': {'width': 3}, 'mine': [True]})"
    )
    async with visit() as v, v.joined(code_cell(source, "a")) as (peer, room):
        await run(peer, "a")
        (output,) = peer.outputs_of("a")
        assert output["data"]["application/x-mine"] == "text of mine" and output["data"]["x/y"]["size"] == 5000
        assert output["metadata"] == {"x/y": {"width": 3}, "mine": [True]}
        blob = output["data"]["application/vnd.mine.v1+json"]["blob"]
        status, _, body = await v.call("GET", f"/blobs/{blob}?type=application/json")
        assert status == 200 and body == {"blob": "mine", "deep": [1, None, {"a": "é"}]}
        assert (await peer.request("save_notebook"))["ok"]
        (saved,) = v.read(room["path"])["cells"][0]["outputs"]
        assert saved["data"]["application/vnd.mine.v1+json"] == body and saved["metadata"] == output["metadata"]
        assert "".join(saved["data"]["x/y"]) == "z" * 5000 and "".join(saved["data"]["application/x-mine"])


async def test_fields_nobody_knows_are_kept_for_everybody_and_the_file_stays_valid(visit: Any) -> None:
    says = (
        "kernel = get_ipython().kernel\n"
        "def say(kind, **content): kernel.send_response(kernel.iopub_socket, kind, content)\n"
        "say('stream', name='stdout', text='a', mine=1, first=True)\n"
        "say('stream', name='stdout', text='b', mine={'blob': 'data'})\n"
        "say('display_data', data={'text/plain': 'x'}, metadata={}, mine=[1], transient={'display_id': 'd'})\n"
        "say('display_data', data={}, metadata={}, mine='x' * 300_000, **{f'k{i}': 'y' * 100 for i in range(1000)})\n"
        "say('execute_result', data={}, metadata={}, execution_count=1, mine=None)\n"
        "say('error', ename='E', evalue='v', traceback=['t'], mine='é')\n"
    )
    update = "say('update_display_data', data={'text/plain': 'y'}, metadata={}, mine=2, transient={'display_id': 'd'})"
    async with visit() as v, v.joined(code_cell(says, "a"), code_cell(update, "u")) as (peer, room):
        await run(peer, "a")
        await run(peer, "u")
        assert (await peer.request("save_notebook"))["ok"]
        async with v.peer(room) as late:
            await late.ready()
            for one in (peer, late):
                await one.until(lambda one=one: one.outputs_of("a")[1].get("mine") == 2)
                stream, display, large, result, error = one.outputs_of("a")
                assert text_of(stream) == "ab" and stream["first"] is True and stream["mine"]["json"] is True
                assert display["data"] == {"text/plain": "y"} and "transient" not in display
                assert large["mine"]["size"] == 300_000 and 100 < len(large) < 200
                assert result["mine"] is None and error["mine"] == "é"
            blob = stream["mine"]["blob"]
        assert (await v.call("GET", f"/blobs/{blob}?type=application/json"))[2] == {"blob": "data"}
        content = v.read(room["path"])
        nbformat.validate(content)
        saved = content["cells"][0]["outputs"]
        assert ["".join(saved[0]["text"]), saved[1]["data"]["text/plain"], saved[4]["ename"]] == ["ab", ["y"], "E"]
        # What changes in the file elsewhere does not make its outputs others than those that are shown.
        content["metadata"]["mine"] = "of another program"
        v.write(content, room["path"])
        await peer.until(lambda: peer.root()["metadata"].get("mine"))
        assert peer.outputs_of("a")[4]["mine"] == "é"


async def test_a_notebook_of_another_language_is_like_any_other(visit: Any) -> None:
    sources = (
        'name=bash; echo out; echo err >&2; for i in 1 2 3; do printf "$i%%\\r"; done; echo done',
        "echo $name; echo began; sleep 60",
        "echo never",
        "false",
    )
    async with visit() as v:
        room = await v.open(v.write(with_kernel("bash", *sources)))
        async with v.peer(room) as peer, v.peer(room) as other:
            await peer.ready()
            await other.ready()
            first = await run(peer, "c0")
            assert (first["status"], first["execution_count"]) == ("done", 1)
            printed = "".join(text for _, text in texts(peer.outputs_of("c0")))
            assert "out\n" in printed and "err\n" in printed and printed.endswith("done\n") and "2%" not in printed
            await kernel_is(peer, name="bash", language="bash", status="idle")
            await peer.request("execute_cell", cell_id="c1")
            await peer.request("execute_cell", cell_id="c2")
            await other.until(lambda: "began" in str(other.outputs_of("c1")), 30)
            assert (await other.request("interrupt_kernel"))["ok"]
            assert (await finished(peer, "c2"))["status"] == "cancelled"
            assert (await finished(peer, "c1"))["status"] in ("error", "cancelled", "done")
            assert "bash\n" in "".join(text for _, text in texts(peer.outputs_of("c1")))
            assert (await run(peer, "c3"))["status"] == "error", "it says so in its reply alone"
            matches = (await peer.request("complete", code="ech", cursor_pos=3))["result"]["matches"]
            assert "echo" in matches
            assert (await peer.request("save_notebook"))["ok"]
            saved = v.read(room["path"])
            assert saved["metadata"]["kernelspec"]["name"] == "bash" and saved["cells"][0]["outputs"]


async def test_a_notebook_that_names_no_kernel_runs_on_the_servers(visit: Any) -> None:
    content = notebook(code_cell("print(1)", "a"))
    del content["metadata"]["kernelspec"]
    async with visit() as v:
        room = await v.open(v.write(content))
        async with v.peer(room) as peer:
            await peer.ready()
            assert (await run(peer, "a"))["status"] == "done"
            await peer.until(lambda: peer.root()["metadata"].get("kernelspec", {}).get("name") == "python3")
            assert peer.root()["metadata"]["language_info"]["name"] == "python"
