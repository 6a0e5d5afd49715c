"""Comms both ways: widget state is document state, everything else is an event.

A comm in the runtime document is `{target_name, target_module?, state, data?}`. Of a widget (`jupyter.widget`), `state`
holds one content per key, and whoever joins late has it all. Contents of state are JSON values, or references:

* `{"blob", "size"}`: JSON that is too large, or has a key `blob`;
* `{"blob", "size", "buffer": true}`: a value that is a binary buffer;
* `{"blob", "size", "buffers": [{"path", "blob", "size"}]}`: JSON with buffers inside, at paths relative to the value.

What an Output widget captures (`with out:`) goes into its `outputs`, here and in the kernel, not to the cell.
"""

from __future__ import annotations

import base64
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from jupyter_runtimed.core.content import encode_content
from jupyter_runtimed.core.errors import BadRequest, TooLarge
from jupyter_runtimed.core.limits import Limits
from jupyter_runtimed.core.messages import KernelMessage
from jupyter_runtimed.core.native import dump, is_key
from jupyter_runtimed.core.references import blob_reference
from jupyter_runtimed.core.runtime import RuntimeDocument, RuntimeEdit
from jupyter_runtimed.core.widget_outputs import WidgetOutputs
from jupyter_runtimed.rooms.output_sink import Change, OutputSink, Urgency

_log = logging.getLogger("jupyter_runtimed.rooms.comms")

COMM_TYPES = frozenset({"comm_open", "comm_msg", "comm_close"})
_WIDGET = "jupyter.widget"
_UPDATES = frozenset({"update", "echo_update"})

_RESTORED = 2000
_Buffers = dict[tuple[Any, ...], bytes]

Event = dict[str, Any]
SendComm = Callable[[str, dict[str, Any], dict[str, Any], Sequence[bytes]], None]
"""Sends a comm message to the kernel: type, content, metadata, buffers."""


class Comms:
    """The comms of one kernel life.

    Args:
        runtime: the room's runtime document.
        sink: writes into it.
        limits: sizes of what stands in the document.
        send: sends to the kernel.
        on_event: takes what only those who listen now will hear.
    """

    def __init__(
        self,
        runtime: RuntimeDocument,
        sink: OutputSink,
        limits: Limits,
        send: SendComm,
        on_event: Callable[[Event], None],
    ) -> None:
        self._runtime = runtime
        self._sink = sink
        self._limits = limits
        self._send = send
        self._on_event = on_event
        # What the document does not have yet: new comms, and comm -> key -> value and its buffers by path.
        self._opened: dict[str, tuple[dict[str, Any], list[bytes]]] = {}
        self._dirty: dict[str, dict[str, tuple[Any, _Buffers]]] = {}
        self._is_due = False
        self._widgets: set[str] = set()
        self._outputs: dict[str, WidgetOutputs] = {}

    # ---- what the kernel says ------------------------------------------------------------------------------------

    def receive(self, message: KernelMessage) -> None:
        """Take in a comm message of the kernel."""
        self._take(message.msg_type, message.content, message.metadata, message.buffers, is_from_kernel=True)

    def capture(self, parent_id: str, msg_type: str, content: Mapping[str, Any]) -> bool:
        """Whether an Output widget takes this output, which then belongs to it.

        Args:
            parent_id: what the output is an output of.
            msg_type: of any kind.
            content: of the message.
        """
        for comm_id, outputs in reversed(self._outputs.items()):
            if outputs.captures and outputs.captures == parent_id and outputs.receive(msg_type, content):
                self._set(comm_id, "outputs", outputs.value())
                return True
        if msg_type == "update_display_data":
            for comm_id, outputs in self._outputs.items():
                if outputs.receive(msg_type, content):
                    self._set(comm_id, "outputs", outputs.value())
        return False

    def forget_all(self) -> None:
        """The kernel is gone, and its comms with it."""
        self._opened.clear()
        self._dirty.clear()
        self._widgets.clear()
        self._outputs.clear()
        gone = list(self._runtime.comms)

        def remove(edit: RuntimeEdit) -> None:
            for comm_id in gone:
                edit.remove_comm(comm_id)

        if gone:
            self._sink.change(remove)

    def restore(self, known: Mapping[str, Any]) -> None:
        """Ask widgets that were there before us for their state.

        Args:
            known: what the kernel says of its comms: comm id -> `{target_name}`.
        """
        for comm_id, said in list(known.items())[:_RESTORED]:
            if isinstance(said, dict) and said.get("target_name") == _WIDGET and comm_id not in self._widgets:
                self._open(comm_id, {"target_name": _WIDGET}, {}, ())
                self._send("comm_msg", {"comm_id": comm_id, "data": {"method": "request_state"}}, {}, ())

    # ---- what clients say ----------------------------------------------------------------------------------------

    def request(self, msg_type: str, content: dict[str, Any], metadata: dict[str, Any], buffers: list[str]) -> None:
        """Pass a client's comm message on to the kernel; state it sets is seen by everybody at once.

        Args:
            msg_type: "comm_open", "comm_msg" or "comm_close".
            content: of the message; `comm_id` names the comm.
            metadata: of the message.
            buffers: base64.

        Raises:
            BadRequest: it is no comm message.
            NoKernel: there is nobody to tell.
        """
        if msg_type not in COMM_TYPES:
            raise BadRequest("msg_type must be comm_open, comm_msg or comm_close")
        if not _is_id(content.get("comm_id")):
            raise BadRequest("content.comm_id must name a comm")
        try:
            raw = [base64.b64decode(buffer, validate=True) for buffer in buffers]
        except ValueError as error:
            raise BadRequest("buffers must be base64") from error
        self._send(msg_type, content, metadata, raw)
        self._take(msg_type, content, metadata, raw, is_from_kernel=False)

    # ---- both ----------------------------------------------------------------------------------------------------

    def _take(
        self,
        msg_type: str,
        content: Mapping[str, Any],
        metadata: Mapping[str, Any],
        buffers: Sequence[bytes],
        *,
        is_from_kernel: bool,
    ) -> None:
        comm_id = content.get("comm_id")
        if not _is_id(comm_id):
            return
        assert isinstance(comm_id, str)
        data = content.get("data")
        data = data if isinstance(data, dict) else {}
        if msg_type == "comm_open":
            self._open(comm_id, content, data, buffers)
        elif msg_type == "comm_close":
            self._close(comm_id)
        elif comm_id in self._widgets and data.get("method") in _UPDATES:
            self._update(comm_id, data, buffers)
        elif is_from_kernel:
            event = {"event": "comm", "msg_type": msg_type, "content": dict(content), "metadata": dict(metadata)}
            self._tell(event, buffers)

    def _open(self, comm_id: str, content: Mapping[str, Any], data: dict[str, Any], buffers: Sequence[bytes]) -> None:
        head: dict[str, Any] = {key: str(content[key]) for key in ("target_name", "target_module") if content.get(key)}
        blobs: list[bytes] = []
        if head.get("target_name") == _WIDGET:
            self._widgets.add(comm_id)
        elif data:
            head["data"], blobs = encode_content("application/json", data, self._limits)
        self._opened[comm_id] = (head, blobs)
        self._want_write()
        if comm_id in self._widgets:
            self._update(comm_id, data, buffers)

    def _close(self, comm_id: str) -> None:
        self._widgets.discard(comm_id)
        self._opened.pop(comm_id, None)
        self._dirty.pop(comm_id, None)
        self._outputs.pop(comm_id, None)
        self._sink.change(lambda edit: edit.remove_comm(comm_id))

    def _update(self, comm_id: str, data: Mapping[str, Any], buffers: Sequence[bytes]) -> None:
        state = data.get("state")
        if not isinstance(state, dict):
            return
        if state.get("_model_name") == "OutputModel" and comm_id not in self._outputs:
            self._outputs[comm_id] = WidgetOutputs()
        outputs = self._outputs.get(comm_id)
        if outputs is not None and data.get("method") == "echo_update":
            # What we told the kernel some time ago; by now the widget may show more.
            state = {key: value for key, value in state.items() if key != "outputs"}
        inside = _buffers_by_key(data.get("buffer_paths"), buffers)
        for key in filter(is_key, {**state, **dict.fromkeys(inside)}):
            self._set(comm_id, key, state.get(key), inside.get(key))
        if outputs is not None:
            if "outputs" in state:
                outputs.set(state["outputs"])
            if "msg_id" in state:
                self._capture_for(comm_id, outputs, str(state["msg_id"] or ""))

    def _capture_for(self, comm_id: str, outputs: WidgetOutputs, parent_id: str) -> None:
        if outputs.captures and outputs.is_changed:
            # The kernel's own idea of what the widget shows: for code that reads it, and for those who ask the kernel.
            state = {"outputs": outputs.value()}
            data = {"method": "update", "state": state, "buffer_paths": []}
            self._send("comm_msg", {"comm_id": comm_id, "data": data}, {}, ())
            outputs.is_changed = False
        outputs.captures = parent_id
        # The one that began last takes what comes.
        self._outputs[comm_id] = self._outputs.pop(comm_id)

    def _set(self, comm_id: str, key: str, value: Any, buffers: _Buffers | None = None) -> None:
        self._dirty.setdefault(comm_id, {})[key] = (value, buffers or {})
        self._want_write()

    def _want_write(self) -> None:
        if not self._is_due:
            self._is_due = True
            self._sink.later(self._write, Urgency.OUTPUT)

    def _write(self) -> tuple[Change, Sequence[bytes]]:
        """All state that has changed, as one edit. A slider that was dragged leaves its last value."""
        self._is_due = False
        blobs: list[bytes] = []
        states = {comm_id: dict(self._encode_state(comm_id, state, blobs)) for comm_id, state in self._dirty.items()}
        self._dirty.clear()
        opened = {}
        for comm_id, (head, head_blobs) in self._opened.items():
            opened[comm_id] = {**head, "state": states.pop(comm_id, {})}
            blobs += head_blobs
        self._opened.clear()

        def write(edit: RuntimeEdit) -> None:
            for comm_id, comm in opened.items():
                edit.put_comm(comm_id, comm)
            for comm_id, state in states.items():
                if comm_id in self._runtime.comms:
                    for key, content in state.items():
                        edit.set_comm_state(comm_id, key, content)

        return write, blobs

    def _encode_state(
        self, comm_id: str, state: Mapping[str, tuple[Any, _Buffers]], blobs: list[bytes]
    ) -> Iterator[tuple[str, Any]]:
        for key, (value, buffers) in state.items():
            try:
                yield key, self._encode(value, buffers, blobs)
            except TooLarge as error:
                _log.warning("widget state not kept comm=%s key=%s cause=%s", comm_id, key, error.message)

    def _encode(self, value: Any, buffers: _Buffers, blobs: list[bytes]) -> Any:
        blobs += buffers.values()
        if () in buffers:
            return {**blob_reference(buffers[()]), "buffer": True}
        if not buffers:
            content, new_blobs = encode_content("application/json", value, self._limits)
            blobs += new_blobs
            return content
        data = dump(value)
        blobs.append(data)
        inside = [{"path": list(path), **blob_reference(buffer)} for path, buffer in buffers.items()]
        return {**blob_reference(data), "buffers": inside}

    def _tell(self, event: Event, buffers: Sequence[bytes]) -> None:
        """An event, after the state that came before it."""
        event["buffers"] = [base64.b64encode(buffer).decode() for buffer in buffers]
        self._sink.after(lambda: self._on_event(event), Urgency.NOW)


def _is_id(comm_id: object) -> bool:
    """Whether the document can name a comm so."""
    return isinstance(comm_id, str) and is_key(comm_id)


def _buffers_by_key(paths: Any, buffers: Sequence[bytes]) -> dict[str, _Buffers]:
    """Buffers by the key of the state they are in, then by their path inside its value."""
    found: dict[str, _Buffers] = {}
    for path, buffer in zip(paths if isinstance(paths, list) else [], buffers, strict=False):
        if isinstance(path, list) and path and isinstance(path[0], str):
            inner = tuple(part if isinstance(part, str | int) else str(part) for part in path[1:])
            found.setdefault(path[0], {})[inner] = buffer
    return found
