"""The kernel adapter on jupyter_server's real managers, with real kernels."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import psutil
import pytest
from jupyter_core.utils import ensure_async
from jupyter_server.services.kernels.kernelmanager import MappingKernelManager

from jupyter_runtimed.core.errors import KernelDied, NoKernel
from jupyter_runtimed.core.messages import KernelEvent, KernelMessage
from tests.integration.conftest import soon
from tests.support.kernels import KernelServer, Listener, kernel_server, text_of

# bash_kernel's kernelspec has a field that traitlets does not like.
pytestmark = pytest.mark.filterwarnings("ignore:Passing unrecognized arguments:DeprecationWarning")


def process_of(server: KernelServer, kernel_id: str) -> int:
    pid = server.kernels.get_kernel(kernel_id).provisioner.pid
    assert isinstance(pid, int)
    return pid


def write_spec(folder: Path, name: str, argv: list[str], **fields: Any) -> None:
    import json

    spec = folder / "kernels" / name
    spec.mkdir(parents=True)
    content = {"argv": argv, "display_name": name, "language": "none", **fields}
    (spec / "kernel.json").write_text(json.dumps(content))


@pytest.fixture
def data_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    monkeypatch.setenv("JUPYTER_PATH", str(folder))
    return folder


async def test_a_started_kernel_runs_code_and_is_the_session_at_the_path(tmp_path: Path) -> None:
    async with kernel_server(tmp_path) as server:
        session = server.adapter.session("room", "sub/a.ipynb")
        kernel = await session.start("python3")
        assert kernel.name == "python3" and kernel.language == "python" and kernel.display_name
        assert kernel.language_info["name"] == "python"
        messages = await Listener(session).run("print('hello')\n1 + 1")
        kinds = [message.msg_type for message in messages]
        assert text_of(messages) == "hello\n" and "execute_result" in kinds and "execute_reply" in kinds
        (row,) = await server.sessions.list_sessions()
        assert (row["path"], row["name"], row["type"]) == ("sub/a.ipynb", "a.ipynb", "notebook")
        assert row["kernel"]["id"] == kernel.kernel_id
        assert await session.start(None) is kernel and len(list(server.kernels.list_kernel_ids())) == 1


async def test_a_second_language_works_as_well(tmp_path: Path) -> None:
    async with kernel_server(tmp_path) as server:
        session = server.adapter.session("room", "a.ipynb")
        kernel = await session.start("bash")
        assert (kernel.name, kernel.language) == ("bash", "bash")
        assert "42" in text_of(await Listener(session).run("echo $((6 * 7))"))


async def test_a_server_with_the_old_blocking_manager_works_as_well(tmp_path: Path) -> None:
    async with kernel_server(tmp_path, MappingKernelManager) as server:
        session = server.adapter.session("room", "a.ipynb")
        await session.start("python3")
        assert text_of(await Listener(session).run("print(1)")) == "1\n"


async def test_a_kernel_that_somebody_started_for_the_path_is_the_rooms(tmp_path: Path) -> None:
    async with kernel_server(tmp_path) as server:
        session = server.adapter.session("room", "a.ipynb")
        assert not await session.is_bound()
        row = await server.sessions.create_session(
            path="a.ipynb", name="a.ipynb", type="notebook", kernel_name="python3"
        )
        notice = await Listener(session).notice("ready")
        assert notice.kernel is not None and notice.kernel.kernel_id == row["kernel"]["id"]
        assert notice.status in ("idle", "busy")
        assert text_of(await Listener(session).run("print(2)")) == "2\n"


async def test_a_kernel_that_is_at_work_for_others_is_used_too(tmp_path: Path) -> None:
    async with kernel_server(tmp_path) as server:
        first = server.adapter.session("one", "a.ipynb")
        await first.start("python3")
        listener = Listener(first)
        code = "import time\nprint('go', flush=True)\nfor i in range(25): time.sleep(0.1)\nprint('end')"
        listener.execute(code)
        await listener.until(lambda e: isinstance(e, KernelMessage) and e.msg_type == "stream")
        second = server.adapter.session("two", "a.ipynb")
        kernel = await second.start("python3")
        assert first.kernel is not None and kernel.kernel_id == first.kernel.kernel_id
        assert text_of(await Listener(second).run("print('after')")) == "after\n"


async def test_another_kernel_name_replaces_the_kernel(tmp_path: Path) -> None:
    async with kernel_server(tmp_path) as server:
        session = server.adapter.session("room", "a.ipynb")
        old = await session.start("python3")
        new = await session.start("bash")
        assert new.name == "bash" and new.kernel_id != old.kernel_id
        assert list(server.kernels.list_kernel_ids()) == [new.kernel_id]


async def test_an_unknown_kernelspec_says_which_there_are(tmp_path: Path) -> None:
    async with kernel_server(tmp_path) as server:
        session = server.adapter.session("room", "a.ipynb")
        with pytest.raises(NoKernel, match=r"'nope'.*python3"):
            await session.start("nope")
        assert await server.sessions.list_sessions() == []


async def test_a_kernel_that_cannot_be_launched_leaves_nothing(tmp_path: Path, data_dir: Path) -> None:
    write_spec(data_dir, "absent", ["/nowhere/kernel", "{connection_file}"])
    async with kernel_server(tmp_path) as server:
        with pytest.raises(NoKernel, match="could not be started"):
            await server.adapter.session("room", "a.ipynb").start("absent")
        assert await server.sessions.list_sessions() == [] and not list(server.kernels.list_kernel_ids())


async def test_a_kernel_that_ends_while_it_starts_says_so_at_once(tmp_path: Path, data_dir: Path) -> None:
    write_spec(data_dir, "dies", ["sh", "-c", "exit 3", "{connection_file}"])
    async with kernel_server(tmp_path) as server:
        start = time.monotonic()
        with pytest.raises(KernelDied, match=r"dies ended before it answered.*3"):
            await server.adapter.session("room", "a.ipynb").start("dies")
        assert time.monotonic() - start < 5
        assert await server.sessions.list_sessions() == [] and not list(server.kernels.list_kernel_ids())


async def test_a_kernel_that_never_answers_is_given_up(tmp_path: Path, data_dir: Path) -> None:
    write_spec(data_dir, "mute", ["sh", "-c", "sleep 60", "{connection_file}"])
    async with kernel_server(tmp_path) as server:
        server.adapter._server = replace(server.adapter._server, start_timeout_seconds=1.5)
        with pytest.raises(KernelDied, match="did not answer"):
            await server.adapter.session("room", "a.ipynb").start("mute")
        assert not list(server.kernels.list_kernel_ids())


async def test_a_killed_process_is_told_within_two_seconds_and_comes_back(tmp_path: Path) -> None:
    async with kernel_server(tmp_path) as server:
        session = server.adapter.session("room", "a.ipynb")
        kernel = await session.start("python3")
        listener = Listener(session)
        await listener.run("x = 1")
        start = time.monotonic()
        os.kill(process_of(server, kernel.kernel_id), signal.SIGKILL)
        lost = await listener.notice("lost", 3)
        assert time.monotonic() - start < 2 and lost.status == "restarting"
        with pytest.raises(NoKernel):
            listener.execute("1")
        ready = await listener.notice("ready")
        assert ready.kernel is not None and ready.kernel.kernel_id == kernel.kernel_id
        assert "NameError" in str(await listener.run("x"))


async def test_a_process_that_dies_again_and_again_is_gone(tmp_path: Path) -> None:
    async with kernel_server(tmp_path) as server:
        session = server.adapter.session("room", "a.ipynb")
        kernel = await session.start("python3")
        server.kernels.get_kernel(kernel.kernel_id).autorestart = False
        listener = Listener(session)
        os.kill(process_of(server, kernel.kernel_id), signal.SIGKILL)
        assert (await listener.notice("lost", 3)).status == "dead"
        gone = await listener.notice("gone")
        assert gone.status == "dead" and await server.sessions.list_sessions() == []
        assert (await session.start("python3")).kernel_id != kernel.kernel_id


async def test_a_restart_by_others_is_told(tmp_path: Path) -> None:
    async with kernel_server(tmp_path) as server:
        session = server.adapter.session("room", "a.ipynb")
        kernel = await session.start("python3")
        listener = Listener(session)
        await listener.run("x = 1")
        await ensure_async(server.kernels.restart_kernel(kernel.kernel_id))
        await listener.notice("lost", 3)
        ready = await listener.notice("ready")
        assert ready.kernel == session.kernel and not ready.is_chosen
        assert "NameError" in str(await listener.run("x"))


async def test_another_kernel_chosen_by_others_is_followed(tmp_path: Path) -> None:
    """What JupyterLab does from its kernel menu."""
    async with kernel_server(tmp_path) as server:
        session = server.adapter.session("room", "a.ipynb")
        old = await session.start("python3")
        listener = Listener(session)
        await listener.notice("ready")
        (row,) = await server.sessions.list_sessions()
        new_id = await server.sessions.start_kernel_for_session(row["id"], "a.ipynb", "a.ipynb", "notebook", "bash")
        await server.sessions.update_session(row["id"], kernel_id=new_id)
        await server.kernels.shutdown_kernel(old.kernel_id)
        ready = await listener.notice("ready")
        assert ready.kernel is not None and (ready.kernel.kernel_id, ready.kernel.name) == (new_id, "bash")
        assert ready.is_chosen
        assert [e.news.value for e in listener.events if not isinstance(e, KernelMessage)] == ["ready", "lost", "ready"]


async def test_a_shutdown_by_others_is_told(tmp_path: Path) -> None:
    async with kernel_server(tmp_path) as server:
        session = server.adapter.session("room", "a.ipynb")
        kernel = await session.start("python3")
        listener = Listener(session)
        (row,) = await server.sessions.list_sessions()
        await server.sessions.delete_session(row["id"])
        gone = await listener.notice("gone", 3)
        assert gone.status == "not_started" and session.kernel is None
        assert (await session.start("python3")).kernel_id != kernel.kernel_id


async def test_restart_interrupt_and_shutdown_by_the_room(tmp_path: Path) -> None:
    async with kernel_server(tmp_path) as server:
        session = server.adapter.session("room", "a.ipynb")
        kernel = await session.start("python3")
        listener = Listener(session)
        await listener.run("x = 1")
        assert (await session.restart()).kernel_id == kernel.kernel_id
        assert "NameError" in str(await listener.run("x"))
        running = listener.execute("import time\nprint('go', flush=True)\ntime.sleep(60)")
        await listener.until(lambda e: isinstance(e, KernelMessage) and e.msg_type == "stream")
        await session.interrupt()
        reply = await listener.until(
            lambda e: isinstance(e, KernelMessage) and e.msg_type == "execute_reply" and e.parent_id == running
        )
        assert isinstance(reply, KernelMessage) and reply.content["ename"] == "KeyboardInterrupt"
        await session.shutdown()
        assert session.kernel is None and await server.sessions.list_sessions() == []
        for action in (session.interrupt, session.restart):
            with pytest.raises(NoKernel):
                await action()
        assert [e.news.value for e in listener.events if not isinstance(e, KernelMessage)] == ["ready", "ready"]


async def test_the_session_follows_the_notebooks_path(tmp_path: Path) -> None:
    async with kernel_server(tmp_path) as server:
        session = server.adapter.session("room", None, "sub/dir")
        await session.start("python3")
        (row,) = await server.sessions.list_sessions()
        assert row["path"] == "sub/dir/untitled-room.ipynb"
        await session.move("b/c.ipynb")
        (row,) = await server.sessions.list_sessions()
        assert (row["path"], row["name"]) == ("b/c.ipynb", "c.ipynb")
        assert text_of(await Listener(session).run("print(1)")) == "1\n"


async def test_activity_is_told_to_who_looks_for_idle_kernels(tmp_path: Path) -> None:
    async with kernel_server(tmp_path) as server:
        session = server.adapter.session("room", "a.ipynb")
        kernel = await session.start("python3")
        manager = server.kernels.get_kernel(kernel.kernel_id)
        manager.last_activity -= timedelta(hours=1)
        server.kernels.cull_idle_timeout, server.kernels.cull_busy, server.kernels.cull_connected = 60, True, True
        session.report_activity()
        await server.kernels.cull_kernel_if_idle(kernel.kernel_id)
        assert kernel.kernel_id in server.kernels
        manager.last_activity -= timedelta(hours=1)
        await server.kernels.cull_kernel_if_idle(kernel.kernel_id)
        assert kernel.kernel_id not in server.kernels
        assert (await Listener(session).notice("gone", 3)).status == "not_started"


async def test_a_closed_session_leaves_the_kernel_alone(tmp_path: Path) -> None:
    async with kernel_server(tmp_path) as server:
        session = server.adapter.session("room", "a.ipynb")
        kernel = await session.start("python3")
        await session.close()
        assert kernel.kernel_id in server.kernels and session.kernel is None
        again = server.adapter.session("room", "a.ipynb")
        assert await again.is_bound()
        assert (await again.start(None)).kernel_id == kernel.kernel_id


async def test_nothing_of_a_flood_is_lost_while_nobody_listens(tmp_path: Path) -> None:
    async with kernel_server(tmp_path) as server:
        session = server.adapter.session("room", "a.ipynb")
        await session.start("python3")
        listener = Listener(session)
        done = tmp_path / "done"
        flood = "for i in range(4000): display(i)\nprint('x' * 30_000_000)"
        msg_id = listener.execute(f"{flood}\nopen({str(done)!r}, 'w').close()")
        assert await soon(done.exists, 30)
        messages = await listener.run("print('end')")
        assert text_of(messages) == "end\n"
        mine = [e for e in listener.events if isinstance(e, KernelMessage) and e.parent_id == msg_id]
        shown = [e.content["data"]["text/plain"] for e in mine if e.msg_type == "display_data"]
        assert shown == [str(i) for i in range(4000)] and len(text_of(mine)) == 30_000_001


async def test_no_reply_is_missed_while_we_speak(tmp_path: Path) -> None:
    """Writing past ZMQ's asyncio socket once lost the news that something can be read."""
    async with kernel_server(tmp_path) as server:
        session = server.adapter.session("room", "a.ipynb")
        await session.start("python3")
        listener = Listener(session)
        replies: list[str] = []

        def is_last(event: KernelEvent) -> bool:
            if isinstance(event, KernelMessage) and event.msg_type == "is_complete_reply":
                replies.append(event.parent_id)
                if len(replies) < 400:
                    session.send("shell", "is_complete_request", {"code": "1"}, msg_id=f"m{len(replies) + 1}")
            return len(replies) >= 400

        for number in range(2):
            session.send("shell", "is_complete_request", {"code": "1"}, msg_id=f"m{number}")
        await listener.until(is_last, 30)
        assert replies == [f"m{number}" for number in range(400)]


async def test_what_is_no_message_is_skipped(tmp_path: Path) -> None:
    async with kernel_server(tmp_path) as server:
        session = server.adapter.session("room", "a.ipynb")
        await session.start("python3")
        code = (
            "import json, sys\n"
            "kernel = get_ipython().kernel\n"
            "s = kernel.session\n"
            "def send(*parts):\n"
            "    kernel.iopub_thread.send_multipart([b'topic', b'<IDS|MSG>', s.sign(list(parts)), *parts])\n"
            "header = json.dumps(s.msg_header('stream'), default=str).encode()\n"
            "parent = json.dumps(kernel.get_parent()['header'], default=str).encode()\n"
            "send(b'no json', parent, b'{}', b'{}')\n"
            "send(header, parent, b'{}', b'[1]')\n"
            "send(b'{}', parent, b'{}', b'{}')\n"
            "send(header, parent, b'{}', b'[' * 100000)\n"
            "kernel.iopub_thread.send_multipart([b'nothing'])\n"
            "kernel.iopub_thread.send_multipart([b'<IDS|MSG>', b'wrong signature', header, parent, b'{}', b'{}'])\n"
            'send(header, parent, b\'{}\', b\'{"name": "stdout", "text": "bad \\xff utf-8"}\')\n'
            'send(header, parent, b\'{}\', b\'{"name": "stdout", "text": "lone \\\\ud800", "n": NaN}\')\n'
            "print('after')\n"
        )
        assert text_of(await Listener(session).run(code)) == "bad \ufffd utf-8lone \ufffdafter\n"


async def test_a_start_that_is_cancelled_at_any_moment_leaves_nothing(tmp_path: Path) -> None:
    async with kernel_server(tmp_path) as server:
        before = set(psutil.Process().children(recursive=True))
        for number, delay in enumerate((0.0, 0.005, 0.02, 0.08, 0.3)):
            session = server.adapter.session("room", f"{number}.ipynb")
            starting = asyncio.ensure_future(session.start("python3"))
            await asyncio.sleep(delay)
            if starting.cancel():
                with pytest.raises(asyncio.CancelledError):
                    await starting
            else:
                await session.shutdown()  # a kernel that is there after so short a time was not cut off
            assert await server.sessions.list_sessions() == [], delay
            assert list(server.kernels.list_kernel_ids()) == [], delay
            left = [child for child in set(psutil.Process().children(recursive=True)) - before if is_running(child)]
            assert left == [], delay
            kernel = await asyncio.wait_for(session.start("python3"), 20)
            assert list(server.kernels.list_kernel_ids()) == [kernel.kernel_id]
            await session.shutdown()


def is_running(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess):
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    return False
