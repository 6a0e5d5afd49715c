"""What the documents say of the kernel: its fields in the runtime document, its kernelspec in the notebook."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from jupyter_runtimed.core.document import NotebookDocument
from jupyter_runtimed.core.messages import KernelInfo
from jupyter_runtimed.core.runtime import RuntimeDocument
from jupyter_runtimed.rooms.output_sink import Change, OutputSink, Urgency

_FIELDS = ("name", "display_name", "language", "status", "kernel_id")


class KernelView:
    """See the module.

    Args:
        notebook: remembers the kernel it was run with.
        runtime: shows the kernel there is.
        sink: writes into it.
        kernel_name: the kernelspec to use when the notebook names none.
    """

    def __init__(
        self, notebook: NotebookDocument, runtime: RuntimeDocument, sink: OutputSink, kernel_name: str | None
    ) -> None:
        self._notebook = notebook
        self._runtime = runtime
        self._sink = sink
        self._kernel_name = kernel_name
        self._unwritten: dict[str, Any] = {}

    def show(self, fields: dict[str, Any]) -> None:
        """Set fields; of what flickers between two ticks only the last is written. A `wake` has to follow.

        What is there already is not written: that alone would make the engine of a document nobody has touched.
        """
        if not self._unwritten and all(self._runtime.kernel.get(key) == value for key, value in fields.items()):
            return
        if not self._unwritten:
            self._sink.later(self._write, Urgency.LAZY)
        self._unwritten.update(fields)

    def to_json(self) -> dict[str, Any]:
        """The kernel object."""
        kernel = {**self._runtime.kernel, **self._unwritten}
        return {key: kernel.get(key) or None for key in _FIELDS}

    def preferred(self) -> str | None:
        """The kernelspec the notebook asks for."""
        return self._known() or self._kernel_name

    def remember(self, kernel: KernelInfo, *, is_chosen: bool) -> None:
        """Note the kernel in the notebook's metadata, as front ends do.

        Args:
            kernel: what runs.
            is_chosen: somebody asked for it by name; else what the notebook says stays.
        """
        known = self._known()
        if known == kernel.name or (known and not is_chosen):
            return
        named = {"display_name": kernel.display_name, "language": kernel.language, "name": kernel.name}
        self._notebook.set_metadata("kernelspec", named)
        if kernel.language_info:
            self._notebook.set_metadata("language_info", kernel.language_info)

    def _known(self) -> str | None:
        spec = self._notebook.get_metadata("kernelspec")
        name = spec.get("name") if isinstance(spec, dict) else None
        return name if isinstance(name, str) and name else None

    def _write(self) -> tuple[Change, Sequence[bytes]]:
        fields, self._unwritten = self._unwritten, {}
        if fields.get("error", "") is None and "error" not in self._runtime.kernel:
            del fields["error"]
        return lambda edit: edit.set_kernel(**fields), ()
