"""The runtime document: kernel, executions, their outputs, widgets. Only the server writes it.

`RuntimeDocument` is the server's: it keeps a plain mirror of the document, so that reading costs nothing and the
document can be written anew at any time (`renew`) in a size that follows what the notebook shows. Clients read theirs
with `core.runtime_reader`. The schema is docs/schema.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from jupyter_runtimed.core.crdt import LIST, MAP, ROOT, ChangeBuilder, DocumentWriter, Replica, Uint, Writer

SCHEMA_VERSION = 1

ENDED = frozenset({"done", "error", "cancelled"})
"""Statuses that an execution never leaves."""

Manifest = dict[str, Any]

_UINTS = frozenset({"seq", "execution_count"})
_EXECUTION_FIELDS = (
    "cell_id",
    "seq",
    "status",
    "execution_count",
    "submitted_by",
    "queued_at",
    "started_at",
    "finished_at",
    "error",
    "input_request",
)
_OPTIONAL = frozenset({"started_at", "finished_at", "error"})


@dataclass(slots=True)
class Execution:
    """One run of one cell. Times are ISO 8601; `error` is `{code, message}`.

    `revision` is the document's at the last edit that a saved file would show; it stands in no document.
    """

    execution_id: str
    cell_id: str = ""
    seq: int = 0
    status: str = "queued"
    execution_count: int | None = None
    submitted_by: str = ""
    queued_at: str | None = None
    started_at: str | None = None
    finished_at: str | None = None
    error: dict[str, Any] | None = None
    input_request: dict[str, Any] | None = None
    outputs: dict[str, Manifest] = field(default_factory=dict)
    revision: int = field(default=0, compare=False)

    @property
    def has_ended(self) -> bool:
        """Whether nothing more will come of it."""
        return self.status in ENDED

    @property
    def is_from_kernel(self) -> bool:
        """Whether a kernel of this server was asked for it."""
        return self.queued_at is not None

    @property
    def is_from_file(self) -> bool:
        """Whether its outputs stood in the notebook's file; what somebody pasted has a name and no time."""
        return self.queued_at is None and not self.submitted_by

    def ordered_outputs(self) -> list[tuple[str, Manifest]]:
        """(output id, manifest) by seq."""
        return sorted(self.outputs.items(), key=lambda item: (_number(item[1].get("seq")), item[0]))

    def to_json(self) -> dict[str, Any]:
        """The execution as it stands in the document."""
        value = {name: getattr(self, name) for name in _EXECUTION_FIELDS}
        value = {name: item for name, item in value.items() if item is not None or name not in _OPTIONAL}
        return {**value, "outputs": self.outputs}


def _number(value: Any) -> int:
    return value if isinstance(value, int) else 0


def execution_from_json(execution_id: str, value: Mapping[str, Any]) -> Execution:
    """Read an execution out of a document, leniently."""
    known = {name: value[name] for name in _EXECUTION_FIELDS if name in value}
    outputs = value.get("outputs")
    return Execution(execution_id, outputs=dict(outputs) if isinstance(outputs, Mapping) else {}, **known)


def _own(manifest: Mapping[str, Any], seq: Any) -> Manifest:
    """A manifest for the mirror, whose pieces are not the caller's: they will grow."""
    pieces = manifest.get("text")
    return {**manifest, "text": list(pieces), "seq": seq} if isinstance(pieces, list) else {**manifest, "seq": seq}


def _typed(key: str, value: Any) -> Any:
    """Numbers of the schema are `uint`."""
    is_uint = key in _UINTS and isinstance(value, int) and not isinstance(value, bool) and value >= 0
    return Uint(value) if is_uint else value


def _typed_fields(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {key: _typed(key, value) for key, value in fields.items()}


def write_runtime(
    kernel: Mapping[str, Any], executions: Mapping[str, Execution], comms: Mapping[str, Any], actor: bytes
) -> Replica:
    """A cold replica of a runtime document with this content, as one change by `actor`."""
    recorder = DocumentWriter()
    builder = ChangeBuilder(actor, recorder=recorder)
    builder.put(None, "schema_version", Uint(SCHEMA_VERSION))
    builder.put_json(None, "kernel", dict(kernel))
    made = builder.make(None, "executions", MAP)
    for execution_id, execution in executions.items():
        value = execution.to_json()
        outputs = {key: _typed_fields(manifest) for key, manifest in value.pop("outputs").items()}
        builder.put_json(made, execution_id, {**_typed_fields(value), "outputs": outputs})
    builder.put_json(None, "comms", dict(comms))
    _, digest = builder.finish()
    return Replica(recorder.finish(), actor=actor, heads=(digest,), known=(digest,))


class RuntimeDocument:
    """The server's runtime document.

    Attributes:
        replica: the Automerge document. `renew` replaces it.
        on_renewed: called after `renew`; sync states and readers of the old replica are void.
        revision: grows with each edit that a saved file would show.
    """

    def __init__(self, actor: bytes, kernel: Mapping[str, Any] | None = None) -> None:
        self.kernel: dict[str, Any] = {
            "name": "",
            "display_name": "",
            "language": "",
            "kernel_id": None,
            "status": "not_started",
            **(kernel or {}),
        }
        self.executions: dict[str, Execution] = {}
        self.comms: dict[str, dict[str, Any]] = {}
        self.on_renewed: Callable[[], None] | None = None
        self.revision = 0
        self._actor = actor
        self._seq = 0
        self.replica = write_runtime(self.kernel, {}, {}, actor)

    @classmethod
    def from_state(cls, state: Mapping[str, Any], actor: bytes) -> RuntimeDocument:
        """A document with the content of another one (of the log), as a new document."""
        document = cls(actor, kernel=state.get("kernel") if isinstance(state.get("kernel"), Mapping) else None)
        for execution_id, value in (state.get("executions") or {}).items():
            if isinstance(value, Mapping):
                document.executions[execution_id] = execution_from_json(execution_id, value)
        comms = state.get("comms")
        document.comms = dict(comms) if isinstance(comms, Mapping) else {}
        document.load(document.executions.values())
        return document

    def load(self, executions: Any) -> None:
        """Begin with these executions (a file's). Before anything was edited, and before anybody has synced."""
        self.executions = {execution.execution_id: execution for execution in executions}
        self._seq = max((execution.seq for execution in self.executions.values()), default=0)
        advance = self.replica.on_advance
        self.replica = write_runtime(self.kernel, self.executions, self.comms, self._actor)
        self.replica.on_advance = advance

    def renew(self, actor: bytes) -> None:
        """Write the present content as a new document: a new epoch, and no history."""
        self._actor = actor
        self.load(list(self.executions.values()))
        if self.on_renewed is not None:
            self.on_renewed()

    # Reading.

    def execution(self, execution_id: str) -> Execution | None:
        """One execution, or None."""
        return self.executions.get(execution_id)

    def outputs(self, execution_id: str | None) -> list[tuple[str, Manifest]]:
        """(output id, manifest) of an execution, in order."""
        execution = self.executions.get(execution_id or "")
        return execution.ordered_outputs() if execution is not None else []

    def next_seq(self) -> int:
        """A number larger than any execution's."""
        self._seq += 1
        return self._seq

    def state(self) -> dict[str, Any]:
        """The whole content, as it stands in the document."""
        executions = {key: execution.to_json() for key, execution in self.executions.items()}
        return {"schema_version": SCHEMA_VERSION, "kernel": self.kernel, "executions": executions, "comms": self.comms}

    # Writing.

    @contextmanager
    def edit(self) -> Iterator[RuntimeEdit]:
        """One transaction: what is edited inside is one change, or none at all when an exception leaves the block."""
        try:
            with self.replica.transact() as writer:
                yield RuntimeEdit(self, writer)
        except BaseException:
            self._read_back()
            raise

    def _read_back(self) -> None:
        """Make the mirror what the document says."""
        content = self.replica.engine.extract()
        self.kernel.clear()
        self.kernel.update(content["kernel"])
        self.comms.clear()
        self.comms.update(content["comms"])
        self.executions.clear()
        self.executions.update((key, execution_from_json(key, value)) for key, value in content["executions"].items())


class RuntimeEdit:
    """The edits of one transaction; mirror and document together. Unknown ids raise KeyError."""

    def __init__(self, document: RuntimeDocument, writer: Writer) -> None:
        self._document = document
        self._writer = writer

    def set_kernel(self, **fields: Any) -> None:
        """Set fields of the kernel; fields that stay as they are write nothing."""
        kernel = self._document.kernel
        changed = {key: value for key, value in fields.items() if key not in kernel or kernel[key] != value}
        target = self._child(ROOT, "kernel")
        for key, value in changed.items():
            kernel[key] = value
            self._writer.put(target, key, value)

    # Executions.

    def add_execution(self, execution_id: str, cell_id: str, *, seq: int, **fields: Any) -> None:
        """Add an execution without outputs."""
        execution = Execution(execution_id, cell_id, seq=seq, **fields)
        self._document.executions[execution_id] = execution
        self._writer.put(self._child(ROOT, "executions"), execution_id, _typed_fields(execution.to_json()))

    def update_execution(self, execution_id: str, **fields: Any) -> None:
        """Set fields of an execution; fields that stay as they are write nothing."""
        execution = self._document.executions[execution_id]
        target = self._execution(execution_id)
        for key, value in fields.items():
            if getattr(execution, key) != value:
                setattr(execution, key, value)
                if key == "execution_count":
                    self._note(execution)
                self._writer.put(target, key, _typed(key, value))

    def remove_execution(self, execution_id: str) -> None:
        """Forget an execution and its outputs; no error when it is gone."""
        if self._document.executions.pop(execution_id, None) is not None:
            self._writer.delete(self._child(ROOT, "executions"), execution_id)

    def set_input_request(self, execution_id: str, request: Mapping[str, Any] | None) -> None:
        """Say that the kernel waits for a line, or that it does not any more."""
        self.update_execution(execution_id, input_request=None if request is None else dict(request))

    # Outputs.

    def _noted(self, execution_id: str) -> Execution:
        """The execution, of which a saved file is about to show something else."""
        execution = self._document.executions[execution_id]
        self._note(execution)
        return execution

    def _note(self, execution: Execution) -> None:
        self._document.revision += 1
        execution.revision = self._document.revision

    def add_output(self, execution_id: str, output_id: str, seq: int, manifest: Manifest) -> None:
        """Append an output."""
        value = _own(manifest, seq)
        self._noted(execution_id).outputs[output_id] = value
        self._writer.put(self._outputs(execution_id), output_id, _typed_fields(value))

    def replace_output(self, execution_id: str, output_id: str, manifest: Manifest) -> None:
        """Give an output another content; its place stays."""
        outputs = self._noted(execution_id).outputs
        value = _own(manifest, outputs[output_id].get("seq", 0))
        outputs[output_id] = value
        self._writer.put(self._outputs(execution_id), output_id, _typed_fields(value))

    def set_output_fields(self, execution_id: str, output_id: str, fields: Mapping[str, Any]) -> None:
        """Set fields of an output that no saved file shows."""
        output = self._document.executions[execution_id].outputs[output_id]
        target = self._child(self._outputs(execution_id), output_id)
        for key, value in fields.items():
            output[key] = value
            self._writer.put(target, key, value)

    def append_piece(self, execution_id: str, output_id: str, piece: Any) -> None:
        """Append a piece to a stream."""
        pieces = self._noted(execution_id).outputs[output_id]["text"]
        self._writer.insert(self._pieces(execution_id, output_id), len(pieces), piece)
        pieces.append(piece)

    def replace_last_piece(self, execution_id: str, output_id: str, piece: Any) -> None:
        """Replace the last piece of a stream."""
        pieces = self._noted(execution_id).outputs[output_id]["text"]
        target = self._pieces(execution_id, output_id)
        self._writer.delete(target, len(pieces) - 1)
        self._writer.insert(target, len(pieces) - 1, piece)
        pieces[-1] = piece

    def clear_outputs(self, execution_id: str) -> None:
        """Remove all outputs of an execution."""
        self._noted(execution_id).outputs = {}
        self._writer.make(self._execution(execution_id), "outputs", MAP)

    # Widgets.

    def put_comm(self, comm_id: str, value: Mapping[str, Any]) -> None:
        """Add or replace a comm."""
        self._document.comms[comm_id] = dict(value)
        self._writer.put(self._child(ROOT, "comms"), comm_id, dict(value))

    def set_comm_state(self, comm_id: str, key: str, value: Any) -> None:
        """Set one value of a comm's `state`."""
        comm = self._document.comms[comm_id]
        state = comm.setdefault("state", {})
        state[key] = value
        target = self._child(self._child(ROOT, "comms"), comm_id)
        self._writer.put(self._writer.child(target, "state") or self._writer.make(target, "state", MAP), key, value)

    def remove_comm(self, comm_id: str) -> None:
        """Forget a comm; no error when it is gone."""
        if self._document.comms.pop(comm_id, None) is not None:
            self._writer.delete(self._child(ROOT, "comms"), comm_id)

    def _child(self, obj: bytes, key: str) -> bytes:
        child = self._writer.child(obj, key)
        if child is None:
            raise KeyError(key)
        return child

    def _execution(self, execution_id: str) -> bytes:
        return self._child(self._child(ROOT, "executions"), execution_id)

    def _outputs(self, execution_id: str) -> bytes:
        return self._child(self._execution(execution_id), "outputs")

    def _pieces(self, execution_id: str, output_id: str) -> bytes:
        output = self._child(self._outputs(execution_id), output_id)
        return self._writer.child(output, "text") or self._writer.make(output, "text", LIST)
