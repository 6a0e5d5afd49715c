"""Running cells: from the request to the output at another client, floods and images, against a raw kernel.

    python -m benchmarks.execution [--quick]

The raw kernel is driven over ZMQ with jupyter_client in this process: the floor for anything that runs cells.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import aiohttp
from jupyter_client.manager import start_new_async_kernel

from benchmarks.systems import HEADERS, Ours
from tests.support.bare_peer import BarePeer

PRINTS = "for i in range(100000):\n    print('line', i)"
DISPLAYS = "for i in range(2000):\n    display(i)"
IMAGES = (
    "import os\nfrom IPython.display import Image\n"
    "for i in range(20):\n    display(Image(data=b'\\x89PNG\\r\\n\\x1a\\n' + os.urandom(1000000), format='png'))"
)
CASES = (("1 + 1", "1 + 1"), ("100,000 prints", PRINTS), ("2,000 displays", DISPLAYS), ("20 images of 1 MB", IMAGES))


async def raw(times: dict[str, int]) -> dict[str, float]:
    """Median seconds from execute to idle with a raw kernel."""
    manager, client = await start_new_async_kernel()
    found: dict[str, float] = {}

    async def run(code: str) -> float:
        start = time.perf_counter()
        parent = client.execute(code)
        while True:
            message = await client.get_iopub_msg(timeout=120)
            if message["parent_header"].get("msg_id") != parent:
                continue
            if message["msg_type"] == "status" and message["content"]["execution_state"] == "idle":
                break
        await client.get_shell_msg(timeout=120)
        return time.perf_counter() - start

    try:
        for name, code in CASES:
            await run("0")
            found[name] = statistics.median([await run(code) for _ in range(times[name])])
    finally:
        client.stop_channels()
        await manager.shutdown_kernel(now=True)
    return found


class Watcher(BarePeer):
    """A peer that only looks at the status of one execution, not at the whole document, after each frame."""

    def status(self, execution_id: str) -> Any:
        from automerge.core import ROOT

        executions = self.runtime.get(ROOT, "executions")
        if executions is None:
            return None
        execution = self.runtime.get(executions[1], execution_id)
        if execution is None:
            return None
        status = self.runtime.get(execution[1], "status")
        return status[0][1] if status else None


async def ours(system: Ours, times: dict[str, int]) -> dict[str, tuple[float, float, float]]:
    """Name -> median seconds to the end of the execution at another client, its bytes, seconds of a late join."""
    cells = [
        {"cell_type": "code", "execution_count": None, "id": f"c{i}", "metadata": {}, "outputs": [], "source": code}
        for i, (_, code) in enumerate(CASES)
    ]
    spec = {"display_name": "Python 3", "language": "python", "name": "python3"}
    notebook = {"cells": cells, "metadata": {"kernelspec": spec}, "nbformat": 4, "nbformat_minor": 5}
    (system.root / "run.ipynb").write_text(json.dumps(notebook))
    found: dict[str, tuple[float, float, float]] = {}
    async with aiohttp.ClientSession(headers=HEADERS) as session:
        async with session.post(system.url + "api/runtimed/rooms", json={"path": "run.ipynb"}) as answer:
            room = await answer.json()

        def peer() -> Watcher:
            return Watcher(session, system.url, room["room_id"])

        async with peer() as asker, peer() as watcher:
            await asker.ready()
            await watcher.ready()

            async def run(cell_id: str) -> tuple[float, float]:
                before = watcher.received_bytes.get(5, 0)
                start = time.perf_counter()
                answer = await asker.request("execute_cell", cell_id=cell_id)
                execution = answer["result"]["execution_id"]
                await watcher.until(lambda: watcher.status(execution) in ("done", "error"), 120)
                return time.perf_counter() - start, watcher.received_bytes.get(5, 0) - before

            await run("c0")
            for index, (name, _) in enumerate(CASES):
                runs = [await run(f"c{index}") for _ in range(times[name])]
                joins = []
                for _ in range(3):
                    start = time.perf_counter()
                    async with peer() as late:
                        await late.until(lambda late=late: late.runtime.get_heads() == watcher.runtime.get_heads(), 60)
                        joins.append(time.perf_counter() - start)
                found[name] = (
                    statistics.median(seconds for seconds, _ in runs),
                    statistics.median(size for _, size in runs),
                    statistics.median(joins),
                )
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    times = {name: (3 if options.quick else 7) for name, _ in CASES}
    times["1 + 1"] = 20 if options.quick else 100
    floor = asyncio.run(raw(times))
    with tempfile.TemporaryDirectory(prefix="bench-") as home:
        system = Ours(Path(home))
        system.start()
        try:
            measured = asyncio.run(ours(system, times))
        finally:
            system.stop()
    print("\n## Execution\n")
    print("| | raw kernel | jupyter_runtimed, at another client | ratio | bytes on its socket | late join |")
    print("|---|---|---|---|---|---|")
    for name, _ in CASES:
        seconds, size, join = measured[name]
        print(
            f"| {name} | {floor[name] * 1e3:.1f} ms | {seconds * 1e3:.1f} ms | ×{seconds / floor[name]:.2f} "
            f"| {size / 1e3:.1f} kB | {join * 1e3:.1f} ms |"
        )


if __name__ == "__main__":
    main()
