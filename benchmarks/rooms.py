"""Open, join, type, memory and stall: the table of the rooms.

    python -m benchmarks.rooms [--quick] [--only open,join] [--systems ours]

Prints medians in milliseconds, and their ratio to ours. The servers of all systems run side by side, and their turns
alternate: such a machine may be twice as fast a minute later. A row is the median of what the rounds gave.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path

import aiohttp

from benchmarks.notebooks import cell_count, measured
from benchmarks.systems import HEADERS, SYSTEMS, Connection, System

Row = tuple[str, str, float]
"""(measure, unit, value)"""


def median(values: Iterable[float]) -> float:
    return statistics.median(list(values))


def percentile(values: list[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def put(system: System, data: bytes, name: str) -> str:
    (system.root / name).write_bytes(data)
    return name


async def measure_open(system: System, session: aiohttp.ClientSession, data: bytes, times: int) -> list[Row]:
    """From the request to what the client can read; every time another file with the same content but one byte."""
    cells = cell_count(data)
    first_bytes, first, whole, cpu = [], [], [], []
    for index in range(times + 2):
        path = put(system, data.rstrip() + b"\n" * (index + 1), f"open-{time.time_ns()}.ipynb")
        before = system.cpu_s()
        start = time.perf_counter()
        connection = await system.open(session, path)
        first_at = await connection.until(lambda connection=connection: connection.cell_count() > 0)
        whole_at = await connection.until(
            lambda connection=connection: connection.cell_count() == cells and connection.complete()
        )
        await asyncio.sleep(0.2)
        if index >= 2:  # the first two warm the server
            first_bytes.append((connection.first_data_at or first_at) - start)
            first.append(first_at - start)
            whole.append(whole_at - start)
            cpu.append(system.cpu_s() - before)
        await connection.close()
    return [
        ("open: first bytes of content", "ms", median(first_bytes) * 1e3),
        ("open: first cell", "ms", median(first) * 1e3),
        ("open: whole notebook", "ms", median(whole) * 1e3),
        ("open: server CPU", "ms", statistics.mean(cpu) * 1e3),
    ]


async def measure_join(system: System, session: aiohttp.ClientSession, data: bytes, times: int) -> list[Row]:
    """A second client comes to an open notebook."""
    cells = cell_count(data)
    path = put(system, data, f"join-{time.time_ns()}.ipynb")
    first = await system.open(session, path)
    await first.until(lambda: first.cell_count() == cells and first.complete())
    values = []
    for index in range(times + 2):
        start = time.perf_counter()
        other = await system.open(session, path)
        done = await other.until(lambda other=other: other.cell_count() == cells and other.complete())
        if index >= 2:
            values.append(done - start)
        await other.close()
    await first.close()
    return [("join: whole notebook", "ms", median(values) * 1e3)]


async def measure_keys(
    system: System, session: aiohttp.ClientSession, data: bytes, clients: int, keys: int
) -> list[Row]:
    """A key at one client until another client has it, with so many clients in the room."""
    path = put(system, data, f"keys-{clients}-{time.time_ns()}.ipynb")
    cells = cell_count(data)
    everyone: list[Connection] = []
    for _ in range(clients):
        connection = await system.open(session, path)
        await connection.until(lambda connection=connection: connection.cell_count() == cells)
        everyone.append(connection)
    await asyncio.sleep(0.5)
    writer, reader = everyone[0], everyone[-1]
    values = []
    before = system.cpu_s()
    for index in range(keys + 20):
        length = len(reader.first_source())
        start = time.perf_counter()
        await writer.type("abcdefgh"[index % 8])
        done = await reader.until(lambda length=length: len(reader.first_source()) > length)
        if index >= 20:
            values.append(done - start)
        await asyncio.sleep(0.01)
    cpu = (system.cpu_s() - before) / (keys + 20)
    for connection in everyone:
        await connection.close()
    return [
        (f"key, {clients} clients: p50", "ms", median(values) * 1e3),
        (f"key, {clients} clients: p95", "ms", percentile(values, 0.95) * 1e3),
        (f"key, {clients} clients: server CPU", "ms", cpu * 1e3),
    ]


async def measure_memory(system: System, session: aiohttp.ClientSession, data: bytes, copies: int) -> list[Row]:
    """Resident memory for each of so many copies that are open and that nobody edits."""
    cells = cell_count(data)
    warm = await system.open(session, put(system, data, f"memory-warm-{time.time_ns()}.ipynb"))
    await warm.until(lambda: warm.cell_count() == cells)
    await asyncio.sleep(1)
    before = system.rss_bytes()
    everyone = []
    for index in range(copies):
        connection = await system.open(session, put(system, data, f"memory-{index}-{time.time_ns()}.ipynb"))
        await connection.until(lambda connection=connection: connection.cell_count() == cells)
        everyone.append(connection)
    await asyncio.sleep(2)
    each = (system.rss_bytes() - before) / copies
    for connection in [warm, *everyone]:
        await connection.close()
    return [("memory of an open notebook", "MB", each / 1e6)]


PINGER = """
import http.client, sys, time
connection = http.client.HTTPConnection('127.0.0.1', int(sys.argv[1]))
print('ready', flush=True)
for line in sys.stdin:
    waits, end = [], time.perf_counter() + float(line)
    while time.perf_counter() < end:
        start = time.perf_counter()
        connection.request('GET', '/api')
        connection.getresponse().read()
        waits.append(time.perf_counter() - start)
        time.sleep(0.0005)
    print(sorted(waits)[len(waits) // 2], max(waits), flush=True)
"""


async def measure_stall(system: System, session: aiohttp.ClientSession, data: bytes, times: int) -> list[Row]:
    """The longest another client, in another process, waits for a trivial answer: at an open, and at the first edit."""
    cells = cell_count(data)
    pinger = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PINGER, str(system.port), stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    reader, writer = pinger.stdout, pinger.stdin
    assert writer is not None and reader is not None
    await reader.readline()

    async def longest_wait() -> float:
        quiet, longest = map(float, (await reader.readline()).split())
        return longest - quiet

    opening, editing = [], []
    for index in range(times):
        path = put(system, data.rstrip() + b"\n" * (index + 1), f"stall-{time.time_ns()}.ipynb")
        writer.write(b"0.9\n")
        await asyncio.sleep(0.2)
        connection = await system.open(session, path)
        await connection.until(lambda connection=connection: connection.cell_count() == cells and connection.complete())
        opening.append(await longest_wait())
        other = await system.open(session, path)
        await other.until(lambda other=other: other.cell_count() == cells and other.complete())
        length = len(other.first_source())
        writer.write(b"0.9\n")
        await asyncio.sleep(0.2)
        await connection.type("x")
        await other.until(lambda other=other, length=length: len(other.first_source()) > length)
        editing.append(await longest_wait())
        await connection.close()
        await other.close()
    writer.close()
    await pinger.wait()
    return [
        ("open: longest stall for others", "ms", median(opening) * 1e3),
        ("first edit: longest stall for others", "ms", median(editing) * 1e3),
    ]


ROUNDS = 3
"""How often the systems take turns; memory is measured once."""


async def measure(system: System, data: bytes, quick: bool, what: str) -> list[Row]:
    """One turn of a system."""
    async with aiohttp.ClientSession(headers=HEADERS) as session:
        match what:
            case "open":
                return await measure_open(system, session, data, 4 if quick else 10)
            case "join":
                return await measure_join(system, session, data, 4 if quick else 10)
            case "keys":
                two = await measure_keys(system, session, data, 2, 40 if quick else 150)
                return two + await measure_keys(system, session, data, 20, 30 if quick else 80)
            case "memory":
                return await measure_memory(system, session, data, 20)
            case _:
                return await measure_stall(system, session, data, 2 if quick else 4)


def measure_all(systems: list[System], data: bytes, quick: bool, only: list[str]) -> dict[str, list[Row]]:
    """The rows of each system: medians of its turns."""
    found: dict[str, dict[tuple[str, str], list[float]]] = {system.name: {} for system in systems}
    for what in only:
        for _ in range(1 if what == "memory" else ROUNDS):
            for system in systems:
                if what not in system.measures:
                    continue
                try:
                    rows = asyncio.run(measure(system, data, quick, what))
                except Exception as error:  # a peer that cannot do it must not end the run
                    print(f"{system.name}, {what}: {error!r}")
                    continue
                for label, unit, value in rows:
                    found[system.name].setdefault((label, unit), []).append(value)
    return {name: [(*label, median(values)) for label, values in rows.items()] for name, rows in found.items()}


def start(kind: type[System], running: ExitStack) -> System:
    """A system with a folder of its own; both end with the stack."""
    system = kind(Path(running.enter_context(tempfile.TemporaryDirectory(prefix="bench-"))))
    running.callback(system.stop)
    system.start()
    return system


def show(results: dict[str, dict[str, list[Row]]]) -> None:
    """One table a notebook; the other systems also as a ratio to ours (below 1 they are better)."""
    for notebook, systems in results.items():
        names = list(systems)
        print(f"\n## {notebook}\n")
        print("| | " + " | ".join(names) + " |")
        print("|---|" + "---|" * len(names))
        ours = {row[0]: row[2] for row in systems.get("jupyter_runtimed", [])}
        labels = [row[:2] for row in next(iter(systems.values()))]
        for label, unit in labels:
            line = []
            for name in names:
                value = next((row[2] for row in systems[name] if row[0] == label), None)
                if value is None:
                    line.append("–")
                elif name == "jupyter_runtimed" or not ours.get(label):
                    line.append(f"{value:.2f} {unit}")
                else:
                    line.append(f"{value:.2f} {unit} (×{value / ours[label]:.1f})")
            print(f"| {label} | " + " | ".join(line) + " |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", default="open,join,keys,memory,stall")
    parser.add_argument("--systems", default="all", help="'ours' leaves the peers out")
    parser.add_argument("--notebooks", default="", help="only notebooks whose name contains this")
    parser.add_argument("--json", type=Path, help="write the numbers here too")
    options = parser.parse_args()
    results: dict[str, dict[str, list[Row]]] = {}
    kinds = [kind for kind in SYSTEMS if kind.available() and (options.systems == "all" or kind is SYSTEMS[0])]
    for name, data in measured(options.quick).items():
        if options.notebooks not in name:
            continue
        with ExitStack() as running:
            systems = [start(kind, running) for kind in kinds]
            results[name] = measure_all(systems, data, options.quick, options.only.split(","))
    show(results)
    if options.json:
        options.json.write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
