"""Cells on real kernels: what they leave in the runtime document, and what becomes of them."""

from __future__ import annotations

import asyncio
import base64
import os
import signal
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from jupyter_runtimed.core.errors import AlreadyAnswered, KernelBusy, OutOfSpace
from jupyter_runtimed.core.execution_outputs import OutputLimits
from jupyter_runtimed.core.requests import Comm, Complete, InputReply, Inspect, IsComplete
from tests.support.kernel_room import KernelRoom, kernel_room

# bash_kernel's kernelspec has a field that traitlets does not like.
pytestmark = pytest.mark.filterwarnings("ignore:Passing unrecognized arguments:DeprecationWarning")


def kinds(outputs: list[dict[str, Any]]) -> list[Any]:
    return [output.get("name", output["output_type"]) for output in outputs]


async def test_streams_results_and_errors(tmp_path: Path) -> None:
    async with kernel_room(tmp_path) as room:
        source = "import sys\nprint('1')\nprint('2', file=sys.stderr)\nprint('3')\nsys.stdout.flush()\n6 * 7"
        first = await room.run(source)
        assert (first.status, first.execution_count) == ("done", 1) and first.started_at and first.finished_at
        outputs = room.outputs(first)
        assert sorted(kinds(outputs[:-1])) == ["stderr", "stdout"] or kinds(outputs[:-1]) == [
            "stdout",
            "stderr",
            "stdout",
        ]
        assert outputs[-1]["data"] == {"text/plain": "42"} and outputs[-1]["execution_count"] == 1
        second = await room.run("def f():\n    1/0\nf()")
        assert (second.status, second.execution_count) == ("error", 2)
        (error,) = room.outputs(second)
        assert error["ename"] == "ZeroDivisionError" and "\x1b[" in "".join(error["traceback"])
        assert list(room.runtime.executions) == [second.execution_id]


async def test_a_second_language_runs_completely(tmp_path: Path) -> None:
    async with kernel_room(tmp_path, "bash") as room:
        execution = await room.run("for i in 1 2 3; do echo line $i; done; echo problem >&2; printf '10%%\\r20%%\\n'")
        assert execution.status == "done" and room.text(execution).startswith("line 1\nline 2\nline 3\n")
        assert (
            "problem" in room.text(execution) and "20%\n" in room.text(execution) and "10%" not in room.text(execution)
        )
        assert room.runtime.kernel["language"] == "bash"
        execution_id = await room.begin("sleep 60")
        await room.until(lambda: room.execution(execution_id).execution_count is not None)
        await room.executor.interrupt()
        assert (await room.executor.wait(execution_id, 10))["status"] in ("error", "done", "cancelled")
        assert (await room.run("echo after")).status == "done"


async def test_a_progress_bar_of_tqdms_kind_leaves_its_last_line(tmp_path: Path) -> None:
    source = (
        "import sys, time\n"
        "for i in range(0, 101):\n"
        "    bar = chr(0x2588) * (i // 10)\n"
        "    _ = sys.stderr.write(f'\\r{i:3}%|{bar:10}| {i}/100 [00:01<00:00]')\n"
        "    if i % 10 == 0: sys.stderr.flush(); time.sleep(0.02)\n"
        "print(file=sys.stderr)"
    )
    async with kernel_room(tmp_path) as room:
        (output,) = room.outputs(await room.run(source))
        assert output["text"] == "100%|██████████| 100/100 [00:01<00:00]\n" and output["name"] == "stderr"


async def test_displays_update_in_place_wherever_they_are(tmp_path: Path) -> None:
    async with kernel_room(tmp_path) as room:
        first = await room.run("h = display('one', display_id='x')\nfor i in range(5): h.update(f'v{i}')", "a")
        second = await room.run("display('two', display_id='x')\nh.update('both')", "b")
        for execution in (first, second):
            (output,) = room.outputs(execution)
            assert output["data"]["text/plain"] == "'both'"


async def test_an_animation_leaves_its_last_frame(tmp_path: Path) -> None:
    async with kernel_room(tmp_path) as room:
        source = (
            "from IPython.display import clear_output\nfor i in range(50):\n    clear_output(wait=True)\n    print(i)"
        )
        assert room.text(await room.run(source)) == "49\n"
        assert room.outputs(await room.run("print('x')\nclear_output()")) == []


async def test_help_is_an_output_and_load_replaces_the_cell(tmp_path: Path) -> None:
    (tmp_path / "loaded.py").write_text("x = 1\n")
    async with kernel_room(tmp_path) as room:
        execution = await room.run("len?")
        assert any("Return the number of items" in str(output) for output in room.outputs(execution))
        await room.run(f"%load {tmp_path / 'loaded.py'}")
        assert "x = 1" in room.notebook.cell("a").source
        await room.run("get_ipython().set_next_input('next one')")
        after = room.notebook.cell_ids()[room.notebook.cell_ids().index("a") + 1]
        assert room.notebook.cell(after).source == "next one"


async def test_input_and_getpass_are_answered_by_whoever_is_first(tmp_path: Path) -> None:
    async with kernel_room(tmp_path) as room:
        source = "from getpass import getpass\nname = input('who? ')\np = getpass('secret? ')\nprint(name, len(p))"
        execution_id = await room.begin(source)
        asked = await room.until(lambda: room.execution(execution_id).input_request)
        assert (asked["prompt"], asked["password"]) == ("who? ", False)
        await room.executor.input_reply(InputReply(id="1", request_id=asked["request_id"], value="bob"))
        with pytest.raises(AlreadyAnswered):
            await room.executor.input_reply(InputReply(id="1", request_id=asked["request_id"], value="eve"))
        asked = await room.until(
            lambda: (
                (room.execution(execution_id).input_request or {}).get("password")
                and room.execution(execution_id).input_request
            )
        )
        await room.executor.input_reply(InputReply(id="1", request_id=asked["request_id"], value="hidden-word"))
        assert (await room.executor.wait(execution_id, 10))["status"] == "done"
        assert room.text(execution_id) == "who? bob\nsecret? ········\nbob 11\n"
        assert b"hidden-word" not in room.runtime.replica.save()


async def test_an_interrupt_ends_a_question(tmp_path: Path) -> None:
    async with kernel_room(tmp_path) as room:
        execution_id = await room.begin("input('never answered')")
        await room.until(lambda: room.execution(execution_id).input_request)
        await room.executor.interrupt()
        assert (await room.executor.wait(execution_id, 10))["status"] == "error"
        assert room.execution(execution_id).input_request is None
        assert (await room.run("print('after')")).status == "done"


async def test_one_interrupt_is_enough_even_right_after_the_start(tmp_path: Path) -> None:
    async with kernel_room(tmp_path) as room:
        await room.run("import time")
        for _ in range(5):
            first = await room.begin("time.sleep(60)", "a")
            second = await room.begin("print('never')", "b")
            await room.executor.interrupt()
            third = await room.begin("print('after')", "c")
            assert (await room.executor.wait(first, 10))["status"] == "error"
            assert (await room.executor.wait(second, 10))["status"] == "cancelled"
            assert (await room.executor.wait(third, 10))["status"] == "done"
            assert room.outputs(first)[-1]["ename"] == "KeyboardInterrupt"


async def test_run_all_stops_at_an_error_and_later_cells_run(tmp_path: Path) -> None:
    async with kernel_room(tmp_path) as room:
        for name, source in (("a", "x = 1"), ("b", "1/0"), ("c", "print('no')")):
            room.notebook.insert_cell("code", source, id=name)
        queued = [entry["execution_id"] for entry in await room.executor.run_all(None, "alice")]
        statuses = [(await room.executor.wait(execution_id, 30))["status"] for execution_id in queued]
        assert statuses == ["done", "error", "cancelled"]
        assert room.text(await room.run("print(x)", "d")) == "1\n"


@pytest.mark.parametrize("how", ["killed", "restarted", "shut down", "restarted by others"])
async def test_every_execution_ends_within_two_seconds_of_its_kernel(tmp_path: Path, how: str) -> None:
    async with kernel_room(tmp_path) as room:
        await room.run("import os, time; x = 1")
        first = await room.begin("print(os.getpid(), flush=True)\ntime.sleep(60)", "a")
        second = await room.begin("print('never')", "b")
        pid = int(await room.until(lambda: room.text(first)))
        kernel_id = room.runtime.kernel["kernel_id"]
        start = time.monotonic()
        doing: list[Any] = []
        if how == "killed":
            os.kill(pid, signal.SIGKILL)
        elif how == "restarted":
            doing.append(asyncio.ensure_future(room.executor.restart()))
        elif how == "shut down":
            doing.append(asyncio.ensure_future(room.executor.shutdown()))
        else:
            doing.append(asyncio.ensure_future(room.server.kernels.restart_kernel(kernel_id)))
        assert (await room.executor.wait(first, 5))["status"] == "error"
        assert (await room.executor.wait(second, 5))["status"] == "cancelled"
        assert time.monotonic() - start < 2
        error = room.execution(first).error
        assert error is not None and error["code"] == "kernel_died" and error["message"]
        third = await room.run("print('x' in globals())", "c")
        assert room.text(third) == "False\n"
        await asyncio.gather(*doing)


async def test_a_kernel_that_hangs_can_be_restarted(tmp_path: Path) -> None:
    async with kernel_room(tmp_path, question_s=0.5) as room:
        pid = int(room.text(await room.run("import os\nprint(os.getpid())")))
        os.kill(pid, signal.SIGSTOP)
        with pytest.raises(KernelBusy):
            await room.executor.is_complete(IsComplete(id="1", code="1"))
        execution_id = await room.begin("1")
        restarting = asyncio.ensure_future(room.executor.restart())
        assert (await room.executor.wait(execution_id, 2))["status"] == "error"
        await restarting
        assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
        assert (await room.run("print(1)")).status == "done"


async def test_completion_and_inspection_while_a_cell_runs_block_nothing(tmp_path: Path) -> None:
    async with kernel_room(tmp_path, busy_question_s=0.3) as room:
        await room.run("value_of_mine = 3")
        answer = await room.executor.complete(Complete(id="1", code="é = value_of_m", cursor_pos=14))
        assert "value_of_mine" in answer["matches"]
        answer = await room.executor.inspect(Inspect(id="1", code="value_of_mine", cursor_pos=5))
        assert answer["found"] is True
        running = await room.begin("import time\nfor i in range(30):\n    print(i, flush=True)\n    time.sleep(0.05)")
        with pytest.raises(KernelBusy):
            await room.executor.is_complete(IsComplete(id="1", code="1"))
        assert len(room.text(running)) > 4
        assert (await room.executor.wait(running, 10))["status"] == "done"


async def test_a_hundred_thousand_lines_are_kept_whole(tmp_path: Path) -> None:
    async with kernel_room(tmp_path) as room:
        execution = await room.run("for i in range(100000):\n    print('line', i)")
        assert room.text(execution) == "".join(f"line {i}\n" for i in range(100_000))
        ((_, manifest),) = room.runtime.outputs(execution.execution_id)
        stored = sum(piece["size"] for piece in manifest["text"] if isinstance(piece, dict))
        assert stored <= 1_188_890 and len(room.runtime.replica.save()) < 20_000


async def test_a_hundred_megabytes_are_kept_whole_and_nobody_is_held_up(tmp_path: Path) -> None:
    async with kernel_room(tmp_path) as room:
        await room.run("line = 'x' * 99 + chr(10)")
        before = psutil.Process().memory_info().rss
        stalls: list[float] = []

        async def keystrokes() -> None:
            while True:
                start = time.perf_counter()
                await asyncio.sleep(0.005)
                stalls.append(time.perf_counter() - start - 0.005)

        typing = asyncio.ensure_future(keystrokes())
        execution = await room.run(
            "import time\nfor i in range(100):\n    print(line * 10_000, end='')\n    time.sleep(0.05)", timeout_s=100
        )
        typing.cancel()
        ((_, manifest),) = room.runtime.outputs(execution.execution_id)
        sizes = [piece["size"] if isinstance(piece, dict) else len(piece) for piece in manifest["text"]]
        assert execution.status == "done" and sum(sizes) == 100_000_000
        assert psutil.Process().memory_info().rss - before < 300_000_000
        assert sorted(stalls)[int(len(stalls) * 0.95)] < 0.1
        text = room.text(execution)
        assert text == ("x" * 99 + "\n") * 1_000_000


async def test_two_thousand_displays_and_twenty_images_are_kept(tmp_path: Path) -> None:
    async with kernel_room(tmp_path) as room:
        execution = await room.run("for i in range(2000):\n    display(i)")
        assert [o["data"]["text/plain"] for o in room.outputs(execution)] == [str(i) for i in range(2000)]
        before = len(room.runtime.replica.save())
        source = (
            "import os\nfrom IPython.display import Image\n"
            "for i in range(20):\n    display(Image(data=b'\\x89PNG\\r\\n\\x1a\\n' + os.urandom(1000000), format='png'))"
        )
        execution = await room.run(source, "b")
        outputs = room.outputs(execution)
        assert len(outputs) == 20 and all(len(base64.b64decode(o["data"]["image/png"])) == 1_000_008 for o in outputs)
        assert len(room.runtime.replica.save()) - before < 20_000


async def test_above_the_limit_a_note_stands_and_the_kernel_goes_on(tmp_path: Path) -> None:
    async with kernel_room(tmp_path, output_limits=OutputLimits(max_bytes=1_000_000)) as room:
        execution = await room.run("for i in range(50): print('x' * 100_000)\ny = 5")
        text = room.text(execution)
        assert execution.status == "done" and text.count("x") <= 1_000_000 and "1,000,000 bytes" in text
        assert room.text(await room.run("print(y)")) == "5\n"


async def test_a_flood_of_stderr_before_the_death_is_kept(tmp_path: Path) -> None:
    async with kernel_room(tmp_path) as room:
        source = (
            "import os, sys, time\nfor i in range(20000): print('e', i, file=sys.stderr)\n"
            "sys.stderr.flush()\ntime.sleep(0.5)\nos.kill(os.getpid(), 9)"
        )
        execution = await room.run(source)
        assert execution.status == "error" and (execution.error or {})["code"] == "kernel_died"
        assert room.text(execution).endswith("e 19999\n")


async def test_text_that_is_no_unicode_does_no_harm(tmp_path: Path) -> None:
    """IPython's kernel cannot send lone surrogates itself; what it can send is shown.

    Its thread for output may lose more than that then, and it waits ten seconds for each of its flushes.
    """
    async with kernel_room(tmp_path) as room:
        execution = await room.run("print('\\x00', '\\U0001f600')\nimport os\n_ = os.write(1, b'raw \\xff bytes\\n')")
        assert execution.status == "done" and "\x00 \U0001f600\n" in room.text(execution)
        for source in (
            "print('a\\ud800b')",
            "display({'application/json': {'a': float('nan'), 'b': 2**70}}, raw=True)",
        ):
            assert (await room.run(source)).has_ended
        assert room.text(await room.run("print('after')")).endswith("after\n")


async def test_deep_and_odd_data_is_kept(tmp_path: Path) -> None:
    async with kernel_room(tmp_path) as room:
        source = (
            "deep = []\nfor i in range(200): deep = [deep]\n"
            "display({'application/json': {'blob': 'mine'}, 'application/x+json': deep, 'x/unknown': 'kept'}, raw=True)"
        )
        (output,) = room.outputs(await room.run(source))
        assert output["data"]["application/json"] == {"blob": "mine"} and output["data"]["x/unknown"] == "kept"
        depth, value = 0, output["data"]["application/x+json"]
        while value:
            depth, value = depth + 1, value[0]
        assert depth == 200


async def test_a_full_disk_is_an_error_of_the_cell_and_the_room_lives(tmp_path: Path) -> None:
    async with kernel_room(tmp_path) as room:
        put_many = room.blobs.put_many

        async def full(items: Any) -> Any:
            raise OutOfSpace("no space left on the disk of the server")

        room.blobs.put_many = full  # type: ignore[method-assign]
        execution = await room.run("print('x' * 100_000)")
        assert execution.status == "error" and (execution.error or {})["code"] == "out_of_space"
        assert "no space left" in room.text(execution)
        room.blobs.put_many = put_many  # type: ignore[method-assign]
        assert len(room.text(await room.run("print('x' * 100_000)"))) == 100_001


WIDGET = """
from comm import create_comm
w = create_comm("jupyter.widget", data={"state": {"_model_name": "IntSliderModel", "value": 3, "raw": None},
                "buffer_paths": [["raw"]]}, buffers=[b"abc"])
seen = []
w.on_msg(lambda m: seen.append((m["content"]["data"], [bytes(b) for b in m["buffers"]])))
w.send({"method": "update", "state": {"value": 4}, "buffer_paths": []})
w.send({"method": "custom", "content": {"hello": 1}}, buffers=[b"xyz"])
"""


async def test_widgets_are_document_state_both_ways(tmp_path: Path) -> None:
    async with kernel_room(tmp_path) as room:
        await room.run(WIDGET)
        ((comm_id, comm),) = room.runtime.comms.items()
        assert comm["state"]["value"] == 4 and comm["state"]["raw"]["size"] == 3
        assert [(event["content"]["data"]["content"], event["buffers"]) for event in room.events] == [
            ({"hello": 1}, ["eHl6"])
        ]
        content = {"comm_id": comm_id, "data": {"method": "update", "state": {"value": 9}, "buffer_paths": []}}
        await room.executor.comm(Comm(id="1", msg_type="comm_msg", content=content, buffers=["AAE="]))
        await room.until(lambda: room.runtime.comms[comm_id]["state"]["value"] == 9)
        assert "'value': 9" in room.text(await room.run("print(seen)")) and "b'\\x00\\x01'" in room.text(
            room.notebook.cell("a").execution_id or ""
        )
        await room.run("w.close()")
        await room.until(lambda: room.runtime.comms == {})


OUTPUT_WIDGET = """
from comm import create_comm
out = create_comm("jupyter.widget", data={"state": {"_model_name": "OutputModel", "msg_id": "", "outputs": []}})
class Capture:
    def set(self, msg_id):
        import sys; sys.stdout.flush()
        out.send({"method": "update", "state": {"msg_id": msg_id}, "buffer_paths": []})
    def __enter__(self): self.set(get_ipython().kernel.get_parent()["header"]["msg_id"])
    def __exit__(self, *a): self.set("")
print("before")
with Capture():
    print("inside")
    display("shown")
print("after")
"""


async def test_an_output_widget_captures(tmp_path: Path) -> None:
    async with kernel_room(tmp_path) as room:
        execution = await room.run(OUTPUT_WIDGET)
        assert room.text(execution) == "before\nafter\n"
        ((_, comm),) = room.runtime.comms.items()
        captured = comm["state"]["outputs"]
        assert [output["output_type"] for output in captured] == ["stream", "display_data"]
        assert captured[0]["text"] == "inside\n"


async def test_two_rooms_do_not_wait_for_each_other(tmp_path: Path) -> None:
    async with kernel_room(tmp_path) as noisy:
        quiet = KernelRoom(noisy.server, tmp_path)
        quiet.executor.begin()
        await quiet.run("1")
        execution_id = await noisy.begin("for i in range(300000): print('flood', i)")
        times: list[float] = []
        while not noisy.execution(execution_id).has_ended and len(times) < 200:
            start = time.perf_counter()
            await quiet.run("1 + 1")
            times.append(time.perf_counter() - start)
        await noisy.executor.wait(execution_id, 60)
        assert noisy.text(execution_id).endswith("flood 299999\n")
        assert len(times) > 3 and sorted(times)[len(times) // 2] < 0.5
        await quiet.executor.stop(shutdown_kernel=True)
        await quiet.tasks.stop()
        quiet.blobs.close()
