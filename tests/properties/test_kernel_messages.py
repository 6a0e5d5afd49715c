"""Whatever JSON a kernel's messages hold, they can be written, read back and saved as valid nbformat."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import nbformat
from hypothesis import given
from hypothesis import strategies as st

from jupyter_runtimed.core.crdt import ROOT, new_actor
from jupyter_runtimed.core.document import NotebookDocument, new_notebook_replica
from jupyter_runtimed.core.execution_outputs import OutputLimits
from jupyter_runtimed.core.ids import ExecutionId
from jupyter_runtimed.core.ipynb import Export
from jupyter_runtimed.core.limits import Limits
from jupyter_runtimed.core.native import same
from jupyter_runtimed.core.outputs import RoomOutputs
from jupyter_runtimed.core.runtime import RuntimeDocument
from tests.properties.test_ipynb_lossless import KEYS, VALUES

RUN = ExecutionId("an execution")
FIELDS = st.sampled_from(
    ["name", "text", "data", "metadata", "execution_count", "ename", "evalue", "traceback", "transient", "wait", "seq",
     "original", "display_id", "output_type", "mine"]
)  # fmt: skip
TRANSIENT = st.fixed_dictionaries({"display_id": st.sampled_from(["d", "e", ""])})
MESSAGES = st.tuples(
    st.sampled_from(
        ["stream", "display_data", "execute_result", "error", "update_display_data", "clear_output", "odd"]
    ),
    st.dictionaries(FIELDS | KEYS, VALUES | TRANSIENT, max_size=6),
    st.booleans(),
)


class Written:
    """A runtime document of one execution, and what was written into it."""

    def __init__(self) -> None:
        self.outputs = RoomOutputs(Limits(max_inline_bytes=50), OutputLimits())
        self.runtime = RuntimeDocument(new_actor())
        self.notebook = NotebookDocument(new_notebook_replica(new_actor()))
        self.blobs: dict[str, bytes] = {}
        self.notebook.insert_cell("code", "x", id="a")
        self.outputs.begin(RUN)
        with self.runtime.edit() as edit:
            edit.add_execution(RUN, "a", seq=1, queued_at="now", submitted_by="alice")
        self.notebook.set_execution_id("a", RUN)

    def flush(self) -> None:
        taken = self.outputs.take()
        self.blobs.update((hashlib.sha256(blob).hexdigest(), blob) for blob in taken.blobs)
        with self.runtime.edit() as edit:
            for operation in taken.operations:
                operation.apply(edit)

    def saved(self) -> dict[str, Any]:
        value: dict[str, Any] = json.loads(Export(self.notebook, self.runtime).data(self.blobs.__getitem__))
        return value


@given(st.lists(MESSAGES, max_size=8))
def test_whatever_a_kernel_says_can_be_written_and_saved(messages: list[tuple[str, dict[str, Any], bool]]) -> None:
    written = Written()
    for msg_type, content, flushes in messages:
        written.outputs.receive(RUN, msg_type, content)
        if flushes:
            written.flush()
    written.outputs.end(RUN)
    written.flush()
    assert not written.outputs.has_pending
    document = written.runtime.replica.engine.value(ROOT, "executions")
    assert same(document, written.runtime.state()["executions"]), "the document is as the server thinks it is"
    saved = written.saved()
    nbformat.validate(saved)
    assert len(saved["cells"][0]["outputs"]) == len(written.runtime.outputs(RUN))
