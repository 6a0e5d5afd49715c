"""Where the time goes: the steps of an open and of a key, in one process and without sockets.

    python -m benchmarks.steps [--quick] [--notebooks 50cells]

Prints medians. What the sockets and the event loops add is in the tables of `benchmarks.rooms`.
"""

from __future__ import annotations

import argparse
import hashlib
import statistics
import time
from collections.abc import Callable
from typing import TypeVar

from benchmarks.notebooks import measured
from jupyter_runtimed.client.synced import SyncedDocument
from jupyter_runtimed.core.crdt import Engine, Follower, Replica, new_actor, read_document
from jupyter_runtimed.core.document import NotebookDocument, new_notebook_replica
from jupyter_runtimed.core.ipynb import Import
from jupyter_runtimed.core.limits import Limits
from jupyter_runtimed.core.runtime import RuntimeDocument
from jupyter_runtimed.core.sync import DocumentSync

T = TypeVar("T")

NO_LIMIT = 1 << 30


class Steps:
    """Times of named steps, in seconds."""

    def __init__(self) -> None:
        self._times: dict[str, list[float]] = {}

    def time(self, name: str, step: Callable[[], T]) -> T:
        """Do a step and note how long it took."""
        start = time.perf_counter()
        result = step()
        self._times.setdefault(name, []).append(time.perf_counter() - start)
        return result

    def show(self, title: str, unit: str, scale: float) -> None:
        """A table of the medians."""
        print(f"\n| {title} | |\n|---|---|")
        for name, times in self._times.items():
            print(f"| {name} | {statistics.median(times) * scale:.3g} {unit} |")


class Watcher:
    """A client's replica of the notebook, level with the hub."""

    def __init__(self, hub: DocumentSync, name: str) -> None:
        self._hub = hub
        self.name = name
        self.sync = SyncedDocument(Follower(new_actor()))
        self.document = NotebookDocument(self.sync.replica)
        self.sync.receive(hub.join(name))
        self.settle()

    def settle(self) -> None:
        """Say and hear until there is nothing left to say."""
        while True:
            said = self.sync.outgoing()
            if said is not None:
                self._hub.receive(self.name, said, may_write=True)
            heard = self._hub.outgoing(self.name)
            if heard is not None:
                self.sync.receive(heard)
                if self.sync.content is not None:
                    self.document.seed_content(self.sync.content)
                    self.sync.content = None
            if said is None and heard is None:
                return


def opened(data: bytes, steps: Steps) -> Replica:
    """One open: what the room does before it can send, what comes behind that, and what a client does with it."""
    sha256 = steps.time("SHA-256 of the file", lambda: hashlib.sha256(data).hexdigest())
    source = Import(data, Limits(), sha256)
    changes = steps.time("parse, and write the Automerge changes", lambda: [each.change for each in source.batches()])
    snapshot = steps.time("write the document chunk, which the first client gets", source.snapshot)
    executions = steps.time("outputs: base64, hashes", lambda: [each for each, _ in source.executions()])
    runtime = RuntimeDocument(new_actor())
    steps.time("write the runtime document", lambda: runtime.load(executions))
    steps.time("client: read the notebook's chunk without the engine", lambda: read_document(snapshot, NO_LIMIT))
    outputs = runtime.replica.save()
    steps.time("client: read the runtime document's chunk likewise", lambda: read_document(outputs, NO_LIMIT))
    steps.time("client: the notebook's chunk with the engine", lambda: Engine.load(snapshot, new_actor()))
    replica = new_notebook_replica(new_actor())
    replica.append(changes)
    replica.adopt_snapshot(snapshot)
    return replica


def type_keys(replica: Replica, keys: int, steps: Steps) -> None:
    """Keys of one client, to another one, through a room."""
    hub = DocumentSync(replica, Limits())
    writer, reader = Watcher(hub, "writer"), Watcher(hub, "reader")
    cell = writer.document.cell_ids()[0]

    def one(index: int, steps: Steps) -> None:
        steps.time("the writer makes the change", lambda: writer.document.splice(cell, 0, 0, "abcdefgh"[index % 8]))
        message = steps.time("the writer's message", writer.sync.outgoing)
        assert message is not None
        steps.time("the room vets it and takes it in", lambda: hub.receive("writer", message, may_write=True))
        relayed = steps.time("the room's message to the reader", lambda: hub.outgoing("reader"))
        assert relayed is not None
        steps.time("the reader takes it in", lambda: reader.sync.receive(relayed))
        steps.time("the reader reads the cell again", lambda: reader.document.cell(cell).source)
        writer.settle()
        reader.settle()

    for index in range(50):
        one(index, Steps())
    for index in range(keys):
        one(index, steps)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--notebooks", default="", help="only notebooks whose name contains this")
    options = parser.parse_args()
    for name, data in measured(options.quick).items():
        if options.notebooks not in name:
            continue
        print(f"\n## {name}")
        opening, typing = Steps(), Steps()
        for _ in range(3 if options.quick else 10):
            replica = opened(data, opening)
        opening.show("opening", "ms", 1e3)
        type_keys(replica, 300 if options.quick else 2000, typing)
        typing.show("a key", "µs", 1e6)
        typing = Steps()
        type_keys(replica, 300 if options.quick else 10_000, Steps())
        long = replica.n_changes
        type_keys(replica, 300, typing)
        typing.show(f"a key, behind {long:,} changes", "µs", 1e6)


if __name__ == "__main__":
    main()
