"""What kernels say, as outputs of executions: messages in, operations on the runtime document out.

A `RoomOutputs` takes the messages of all executions of a room and remembers only what the document does not have yet.
`take()` turns that into operations and the blobs they name. Between two calls only the net result counts: a display
that was updated a thousand times is encoded once, an output that was cleared again is never written.

Rules
1. Neighbouring text of one stream is one output; any other output between ends it. Its pieces are appended, and only
   the last may be replaced (`core.terminal` says what can still change).
2. `clear_output(wait=True)` takes effect with the next output, in the same transaction; without one, never.
3. `update_display_data` changes every output with that display id, in all executions.
4. Fields that nobody knows are kept (`core.manifest`). Of text that is joined the last value of each counts, so that
   a field that differs in every message does not split a line in two.
5. Nothing is dropped below the limits. Above, a note says so in the outputs; errors are shown all the same.
6. Blobs are named by operations, never the other way round: write `Taken.blobs` before `Taken.operations`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jupyter_runtimed.core.execution_outputs import ExecutionOutputs, Manifest, OutputLimits, Taken
from jupyter_runtimed.core.ids import ExecutionId, OutputId
from jupyter_runtimed.core.limits import MIB, Limits
from jupyter_runtimed.core.native import is_count
from jupyter_runtimed.core.output_fields import is_unknown

_PACE = ((64, 0.03), (256, 0.05), (1024, 0.1), (8192, 0.25))
_SLOWEST_PACE = 1.0

_KEPT = ("output_type", "execution_count", "display_id")
"""What an update of a display leaves as it was."""

_OUTPUT_TYPES = frozenset({"stream", "display_data", "execute_result", "error"})


def pace(flushes: int) -> float:
    """Seconds between two writes of one execution's outputs, by how many there have been.

    Every write stays in the document's history, so who goes on for hours is written down less often.
    """
    return next((seconds for limit, seconds in _PACE if flushes < limit), _SLOWEST_PACE)


class RoomOutputs:
    """The outputs of a room's executions that the document does not have yet.

    Args:
        limits: sizes of what stands in the document itself.
        output_limits: how much an execution may show.
    """

    def __init__(self, limits: Limits, output_limits: OutputLimits) -> None:
        self._limits = limits
        self._output_limits = output_limits
        self._executions: dict[ExecutionId, ExecutionOutputs] = {}
        self._pending: dict[ExecutionId, None] = {}
        # Where displays are, by their own id, and which an execution has: of those not the others are looked through.
        self._displays: dict[str, dict[tuple[ExecutionId, OutputId], Manifest]] = {}
        self._displayed: dict[ExecutionId, list[tuple[str, OutputId]]] = {}

    def __contains__(self, execution_id: object) -> bool:
        return execution_id in self._executions

    @property
    def pending_bytes(self) -> int:
        """What waits to be taken, roughly."""
        return sum(self._executions[execution_id].pending_bytes for execution_id in self._pending)

    @property
    def has_pending(self) -> bool:
        """Whether `take()` would give anything."""
        return bool(self._pending)

    def begin(self, execution_id: ExecutionId) -> None:
        """Outputs of this execution are wanted from now on, until it is forgotten."""
        self._executions[execution_id] = ExecutionOutputs(execution_id, self._limits, self._output_limits)

    def forget(self, execution_id: ExecutionId) -> None:
        """The execution is not in the document any more."""
        if self._executions.pop(execution_id, None) is not None:
            self._pending.pop(execution_id, None)
            self._drop_displays(execution_id)

    def receive(self, execution_id: ExecutionId, msg_type: str, content: Mapping[str, Any]) -> bool:
        """Take in one IOPub message.

        Args:
            execution_id: its parent.
            msg_type: of any kind; what is no output is left alone.
            content: the message's content, trusted in nothing.

        Returns:
            Whether there is something to show now.
        """
        if msg_type == "update_display_data":
            return self._update_displays(content)
        outputs = self._executions.get(execution_id)
        if outputs is None:
            return False
        if msg_type == "clear_output":
            self.clear(execution_id, wait=bool(content.get("wait")))
        elif msg_type in _OUTPUT_TYPES:
            if outputs.clears_with_next:
                self.clear(execution_id)
            if msg_type == "stream":
                name, text = str(content.get("name", "stdout")), str(content.get("text", ""))
                outputs.stream(name, text, _unknown_fields(msg_type, content))
            else:
                self._show(outputs, _to_nbformat(msg_type, content))
        else:
            return False
        return self._note_pending(outputs)

    def clear(self, execution_id: ExecutionId, *, wait: bool = False) -> None:
        """Remove what the execution shows, now or with its next output."""
        outputs = self._executions.get(execution_id)
        if outputs is None:
            return
        if wait:
            outputs.clears_with_next = True
            return
        outputs.clear()
        self._drop_displays(execution_id)
        self._note_pending(outputs)

    def has_error(self, execution_id: ExecutionId) -> bool:
        """Whether the execution shows an error."""
        outputs = self._executions.get(execution_id)
        return outputs is not None and outputs.has_error

    def end(self, execution_id: ExecutionId) -> None:
        """Nothing half-said will be completed: what was held back is shown. Late outputs are still taken."""
        outputs = self._executions.get(execution_id)
        if outputs is not None:
            outputs.end_stream()
            self._note_pending(outputs)

    def take(self, budget_bytes: int = 4 * MIB) -> Taken:
        """What the document lacks, in order.

        Args:
            budget_bytes: once this much has been encoded the rest stays for the next call; `has_pending` tells.
        """
        taken = Taken()
        while self._pending and budget_bytes > 0:
            execution_id = next(iter(self._pending))
            outputs = self._executions[execution_id]
            budget_bytes -= outputs.take(taken, budget_bytes)
            if not outputs.has_pending:
                del self._pending[execution_id]
        return taken

    def _show(self, outputs: ExecutionOutputs, output: dict[str, Any]) -> None:
        output_id = outputs.show(output)
        display_id = output.get("display_id")
        if output_id is not None and display_id is not None:
            kept = {key: output[key] for key in _KEPT if key in output}
            self._displays.setdefault(display_id, {})[outputs.execution_id, output_id] = kept
            self._displayed.setdefault(outputs.execution_id, []).append((display_id, output_id))

    def _note_pending(self, outputs: ExecutionOutputs) -> bool:
        if outputs.has_pending:
            self._pending[outputs.execution_id] = None
        return outputs.has_pending

    def _update_displays(self, content: Mapping[str, Any]) -> bool:
        update = _to_nbformat("display_data", content)
        places = self._displays.get(update.get("display_id", ""), {})
        for (execution_id, output_id), kept in places.items():
            outputs = self._executions[execution_id]
            outputs.update(output_id, {**update, **kept})
            self._note_pending(outputs)
        return bool(places)

    def _drop_displays(self, execution_id: ExecutionId) -> None:
        for display_id, output_id in self._displayed.pop(execution_id, ()):
            places = self._displays[display_id]
            del places[execution_id, output_id]
            if not places:
                del self._displays[display_id]


def _to_nbformat(msg_type: str, content: Mapping[str, Any]) -> dict[str, Any]:
    """An output as nbformat spells it, with its display id. Kernels leave out what they like."""
    output = {"output_type": msg_type, **_unknown_fields(msg_type, content)}
    if msg_type == "error":
        traceback = content.get("traceback")
        lines = traceback if isinstance(traceback, list) else []
        return {
            **output,
            "ename": str(content.get("ename", "")),
            "evalue": str(content.get("evalue", "")),
            "traceback": [str(line) for line in lines],
        }
    for key in ("data", "metadata"):
        value = content.get(key)
        output[key] = value if isinstance(value, dict) else {}
    if msg_type == "execute_result":
        count = content.get("execution_count")
        output["execution_count"] = count if is_count(count) else None
    transient = content.get("transient")
    display_id = transient.get("display_id") if isinstance(transient, dict) else None
    if isinstance(display_id, str) and display_id:
        output["display_id"] = display_id
    return output


def _unknown_fields(msg_type: str, content: Mapping[str, Any]) -> dict[str, Any]:
    """What a kernel says beside the protocol. What is transient is for those who listen now."""
    return {key: value for key, value in content.items() if key != "transient" and is_unknown(msg_type, key)}
