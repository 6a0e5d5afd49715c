"""Cells run on the server, seen through the client."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import pytest

from jupyter_runtimed.client import BlobRef, CellFailed, TimedOut
from jupyter_runtimed.core.errors import KernelBusy
from tests.integration.client.conftest import Place
from tests.integration.client.test_client_story import eventually

IMAGE = """\
from IPython.display import HTML, JSON, Image, display
display(Image(data=b"\\x89PNG\\r\\n\\x1a\\n" + bytes(3000), format="png"))
display(HTML("<table>" + "<tr><td>é</td></tr>" * 500 + "</table>"))
display(JSON({"deep": [1, None]}))"""


async def test_outputs_have_the_types_python_has_for_them(place: Place) -> None:
    async with place.client() as client, client.open(place.write(IMAGE)) as notebook:
        result = await notebook.cells[0].run(timeout=60)
        image, html, data = result.display_data
        assert image.data["image/png"] == b"\x89PNG\r\n\x1a\n" + bytes(3000)
        assert html.data["text/html"].count("é") == 500 and data.data["application/json"] == {"deep": [1, None]}
    async with place.client() as client, client.join(notebook.room_id) as late:
        assert isinstance(late.cells[0].outputs[0].data["image/png"], BlobRef)
        outputs = await late.cells[0].read_outputs()
        assert outputs[0].data == image.data and late.cells[0].outputs[0].data == image.data


async def test_errors_are_results_and_end_a_run_of_all(place: Place) -> None:
    async with place.client() as client, client.open(place.write("1", "1/0", "print('never')")) as notebook:
        results = await notebook.run_all(timeout=60)
        assert [result.status for result in results] == ["done", "error", "cancelled"]
        assert results[1].error is not None and results[1].error.name == "ZeroDivisionError"
        assert "ZeroDivisionError" in "".join(results[1].error.traceback)
        with pytest.raises(CellFailed):
            results[1].raise_for_error()
        assert not notebook.cells[2].outputs


async def test_outputs_stream_while_the_cell_runs(place: Place) -> None:
    source = "import time\nfor i in range(3):\n    print(i, flush=True)\n    time.sleep(0.3)\n'end'"
    async with place.client() as client, client.open(place.write(source)) as notebook:
        execution = await notebook.cells[0].execute()
        parts: list[str] = []
        ended_at: list[bool] = []
        async for output in execution.stream(timeout=60):
            parts.append(output.new_text)
            ended_at.append(execution.is_done)
        assert "".join(parts) == "0\n1\n2\n'end'" and len(parts) >= 3 and not ended_at[0]
        assert (await execution).text == "0\n1\n2\n'end'"


async def test_a_question_is_answered_by_a_callback(place: Place) -> None:
    source = "from getpass import getpass\nname = input('who? ')\nsecret = getpass('what? ')\nprint(name, len(secret))"
    asked: list[tuple[str, bool]] = []

    async def answer(prompt: str, password: bool) -> str:
        asked.append((prompt, password))
        return "tea" if password else "ada"

    async with place.client() as client, client.open(place.write(source)) as notebook:
        result = await notebook.cells[0].run(timeout=60, on_input=answer)
        assert result.success and "ada 3" in result.stdout and "tea" not in result.text
        assert asked == [("who? ", False), ("what? ", True)]


async def test_time_that_is_up_leaves_the_cell_running_and_an_interrupt_ends_it(place: Place) -> None:
    source = "import time\nprint('go', flush=True)\ntime.sleep(60)"
    async with place.client() as client, client.open(place.write(source, "print('queued')")) as notebook:
        first, second = await notebook.execute_all()
        with pytest.raises(TimedOut):
            await second.result(0.1)
        async for output in first.stream(timeout=60):
            if output.text == "go\n":
                break
        await notebook.interrupt()
        ended, cancelled = await asyncio.gather(first.result(30), second.result(30))
        assert ended.error is not None and ended.error.name == "KeyboardInterrupt" and cancelled.status == "cancelled"


async def test_kernels_start_restart_and_stop_on_request(place: Place) -> None:
    async with place.client() as client, client.open(place.write("x = 1", "x")) as notebook:
        assert (await notebook.start_kernel())["status"] in ("idle", "starting", "busy")
        await notebook.run_all(timeout=60)
        await notebook.restart()
        result = await notebook.cells[1].run(timeout=60)
        assert result.error is not None and result.error.name == "NameError" and result.execution_count == 1
        await notebook.shutdown_kernel()
        await eventually(lambda: notebook.kernel["status"] in ("not_started", "dead"))


async def test_a_kernel_that_dies_says_so(place: Place) -> None:
    async with place.client() as client, client.open(place.write("import os\nos.kill(os.getpid(), 9)")) as notebook:
        result = await notebook.cells[0].run(timeout=60)
        assert result.status == "error" and result.error is not None and result.error.name == "kernel_died"


async def patiently(ask: Callable[[], Awaitable[Mapping[str, Any]]]) -> Mapping[str, Any]:
    """Ask again while the kernel is busy: its first completion loads a good deal."""
    for _ in range(5):
        try:
            return await ask()
        except KernelBusy:
            continue
    return await ask()


async def test_the_kernel_answers_questions(place: Place) -> None:
    async with place.client() as client, client.open(place.write("value_of_mine = 3")) as notebook:
        await notebook.cells[0].run(timeout=60)
        assert "value_of_mine" in (await patiently(lambda: notebook.complete("é = value_of_m")))["matches"]
        assert (await notebook.inspect("value_of_mine"))["found"] is True
        assert (await notebook.is_complete("for i in range(3):"))["status"] == "incomplete"
        assert "history" in await notebook.history(3)


async def test_one_persons_run_is_everybodys(place: Place) -> None:
    async with (
        place.client() as client,
        client.open(place.write("print('seen')")) as alice,
        client.join(alice.room_id) as bob,
    ):
        execution = await alice.cells[0].execute()
        changed = asyncio.Event()
        bob.on_change(lambda _: changed.set())
        while bob.cells[0].execution is None:
            changed.clear()
            await asyncio.wait_for(changed.wait(), 30)
        theirs = await bob.cells[0].execution.result(60)
        assert theirs.execution_id == execution.execution_id and theirs.stdout == "seen\n"


async def test_outputs_are_cleared_for_everybody(place: Place) -> None:
    async with place.client() as client, client.open(place.write("print(1)", "print(2)")) as notebook:
        await notebook.run_all(timeout=60)
        await notebook.cells[0].clear_outputs()
        await notebook.confirm_sync()
        assert notebook.cells[0].outputs == () and notebook.cells[0].execution is None
        assert [output.text for output in notebook.cells[1].outputs] == ["2\n"]
        await notebook.clear_outputs()
        await notebook.confirm_sync()
        assert notebook.cells[1].outputs == ()


async def test_forty_clients_requests_do_not_mix(place: Place) -> None:
    """Answers and executions are told apart by id under load."""
    async with place.client() as client, client.open(place.write()) as notebook:
        cells = [await notebook.cells.create(f"{number} * 3") for number in range(40)]
        results = await asyncio.gather(*(cell.run(timeout=90) for cell in cells))
        assert [result.text for result in results] == [str(number * 3) for number in range(40)]
