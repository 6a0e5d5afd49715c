"""A notebook file as its room opens it, without a room."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from jupyter_runtimed.core.crdt import Replica
from jupyter_runtimed.core.document import NotebookDocument, new_notebook_replica
from jupyter_runtimed.core.errors import NotFound
from jupyter_runtimed.core.ipynb import Export, Import
from jupyter_runtimed.core.limits import Limits
from jupyter_runtimed.core.residue import Residue
from jupyter_runtimed.core.runtime import Execution, RuntimeDocument

SERVER = b"server-actor-one"


class Opened:
    """The documents, the residue and the blobs of one file.

    Attributes:
        file: its import, run to the end.
        document: cold; what the import says it is.
    """

    def __init__(self, data: bytes, limits: Limits | None = None) -> None:
        self.file = Import(data, limits or Limits())
        self.blobs: dict[str, bytes] = {}
        replica = new_notebook_replica(SERVER)
        for batch in self.file.batches():
            self.put(batch.blobs)
            replica.append([batch.change])
        self.snapshot = self.file.snapshot()
        replica.adopt_snapshot(self.snapshot)
        executions: list[Execution] = []
        for execution, blobs in self.file.executions():
            self.put(blobs)
            executions.append(execution)
        self.runtime = RuntimeDocument(SERVER)
        self.runtime.load(executions)
        self.document = NotebookDocument(replica, self.file.cells, self.file.metadata, self.file.root)
        self.residue = Residue.from_json(json.loads(json.dumps(self.file.residue.to_json())))

    def put(self, blobs: list[bytes]) -> None:
        self.blobs.update((hashlib.sha256(blob).hexdigest(), blob) for blob in blobs)

    def fetch(self, blob_hash: str) -> bytes:
        if blob_hash not in self.blobs:
            raise NotFound("no such blob")
        return self.blobs[blob_hash]

    def save(self, document: NotebookDocument | None = None) -> bytes:
        """The bytes of a save, by default of the cold document."""
        return Export(document or self.document, self.runtime, self.residue).data(self.fetch)

    def saved(self, document: NotebookDocument | None = None) -> dict[str, Any]:
        value: dict[str, Any] = json.loads(self.save(document))
        return value

    def hot(self) -> NotebookDocument:
        """The document as the engine reads it."""
        return NotebookDocument(Replica.load(self.snapshot, actor=b"another-actor-16"))
