"""A client's view of the runtime document, which follows its replica's log.

After a change only what it touched is read again, and that at the next look: an execution with thousands of outputs
to which one is added costs that one. What was handed out is never changed later.
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

from jupyter_runtimed.core.crdt import MAP, ROOT, Engine, OpId, Replica, op_id
from jupyter_runtimed.core.runtime import Execution, Manifest, execution_from_json


class _Place(NamedTuple):
    """What an object of the document is part of.

    Attributes:
        execution_id: None: the map of all executions.
        part: "itself": the execution's own fields; "outputs": the map of its outputs; "output": one of them.
    """

    execution_id: str | None
    part: str = "itself"
    output_id: str = ""


_ALL = _Place(None)


class RuntimeReader:
    """See the module.

    Args:
        replica: the client's replica, empty at first.
    """

    def __init__(self, replica: Replica) -> None:
        self.replica = replica
        self._read_to = -1
        self._executions: dict[str, Execution] = {}
        self._stale: set[str] = set()
        self._places: dict[OpId, _Place] = {}
        self._kernel: dict[str, Any] | None = None
        self._comms: dict[str, Any] | None = None
        self._content: Mapping[str, Any] | None = None

    def seed_content(self, content: Mapping[str, Any]) -> None:
        """Say what the present document is as plain Python, so that it need not be read from the engine."""
        self._forget_all()
        self._content = content
        self._read_to = self.replica.log_end

    @property
    def kernel(self) -> dict[str, Any]:
        """The kernel's fields; empty before the document has arrived."""
        self._follow()
        if self._kernel is None:
            self._kernel = self._map("kernel")
        return self._kernel

    @property
    def comms(self) -> dict[str, Any]:
        """Widget state by comm id."""
        self._follow()
        if self._comms is None:
            self._comms = self._map("comms")
        return self._comms

    @property
    def executions(self) -> dict[str, Execution]:
        """All executions by id."""
        self._follow()
        if self._content is not None:
            found = {key: self.execution(key) for key in self._part("executions")}
            return {key: execution for key, execution in found.items() if execution is not None}
        executions = self._executions_map()
        keys = self._engine.keys(executions) if executions is not None else []
        found = {key: self.execution(key) for key in keys}
        return {key: execution for key, execution in found.items() if execution is not None}

    def execution(self, execution_id: str) -> Execution | None:
        """One execution, or None."""
        self._follow()
        known = self._executions.get(execution_id)
        if known is None or execution_id in self._stale:
            known = self._read_execution(execution_id, known)
        return known

    def outputs(self, execution_id: str) -> list[tuple[str, Manifest]]:
        """(output id, manifest) of an execution, in order."""
        execution = self.execution(execution_id)
        return execution.ordered_outputs() if execution is not None else []

    # Following the log.

    @property
    def _engine(self) -> Engine:
        return self.replica.engine

    def _follow(self) -> None:
        replica = self.replica
        if self._read_to == replica.log_end:
            return
        if self._read_to < replica.log_start or self._content is not None:
            self._forget_all()  # what was read without the engine keeps no places
        else:
            for entry in replica.log(self._read_to):
                self._forget(entry.touched)
        self._read_to = replica.log_end

    def _forget_all(self) -> None:
        self._executions.clear()
        self._stale.clear()
        self._places.clear()
        self._kernel = self._comms = self._content = None

    def _forget(self, touched: Mapping[OpId | None, Set[str]]) -> None:
        # Kernel and widgets are small and keep no places: any change may be theirs.
        self._kernel = self._comms = None
        for obj, keys in touched.items():
            if obj is None:
                self._forget_all()
                return
            place = self._places.get(obj)
            if place is None:
                continue  # never read, so nothing of it is known
            if place.execution_id is None:
                for execution_id in keys:
                    self._executions.pop(execution_id, None)
            elif place.part == "output":
                self._forget_outputs(place.execution_id, {place.output_id})
            elif place.part == "outputs":
                self._forget_outputs(place.execution_id, keys)
            elif "outputs" in keys:
                self._executions.pop(place.execution_id, None)
            else:
                self._stale.add(place.execution_id)

    def _forget_outputs(self, execution_id: str, output_ids: Set[str]) -> None:
        self._stale.add(execution_id)
        known = self._executions.get(execution_id)
        if known is not None:
            kept = {key: value for key, value in known.outputs.items() if key not in output_ids}
            self._executions[execution_id] = replace(known, outputs=kept)

    # Reading.

    def _part(self, key: str) -> dict[str, Any]:
        value = self._content.get(key) if self._content is not None else None
        return value if isinstance(value, dict) else {}

    def _map(self, key: str) -> dict[str, Any]:
        if self._content is not None:
            return self._part(key)
        value = self._engine.value(ROOT, key)
        return value if isinstance(value, dict) else {}

    def _executions_map(self) -> bytes | None:
        found = self._engine.child(ROOT, "executions")
        if found is not None:
            self._note(found, _ALL)
        return found

    def _read_execution(self, execution_id: str, known: Execution | None) -> Execution | None:
        """Read an execution's fields, and those of its outputs that are not known."""
        if self._content is not None:
            fields = self._part("executions").get(execution_id)
            if not isinstance(fields, Mapping):
                return None
            found = self._executions[execution_id] = execution_from_json(execution_id, fields)
            return found
        self._stale.discard(execution_id)
        engine = self._engine
        executions = self._executions_map()
        obj = engine.child(executions, execution_id) if executions is not None else None
        if obj is None or engine.kind(obj) != MAP:
            self._executions.pop(execution_id, None)
            return None
        place = _Place(execution_id)
        self._note(obj, place)
        note = partial(self._note, place=place)
        fields = {key: engine.read(obj, key, note) for key in engine.keys(obj) if key != "outputs"}
        outputs = self._read_outputs(obj, execution_id, known.outputs if known is not None else {})
        execution = execution_from_json(execution_id, {**fields, "outputs": outputs})
        self._executions[execution_id] = execution
        return execution

    def _read_outputs(self, obj: bytes, execution_id: str, known: Mapping[str, Manifest]) -> dict[str, Manifest]:
        engine = self._engine
        outputs = engine.child(obj, "outputs")
        if outputs is None or engine.kind(outputs) != MAP:
            return {}
        self._note(outputs, _Place(execution_id, "outputs"))
        found = {}
        for key in engine.keys(outputs):
            value = known.get(key)
            if value is None:
                value = engine.read(outputs, key, partial(self._note, place=_Place(execution_id, "output", key)))
            if isinstance(value, dict):
                found[key] = value
        return found

    def _note(self, obj: bytes, place: _Place) -> None:
        identity = op_id(obj)
        if identity is not None:
            self._places[identity] = place
