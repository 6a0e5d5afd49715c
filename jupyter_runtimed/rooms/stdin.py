"""`input()` and `getpass()`: a question of the kernel is part of its execution's state until somebody answers it.

Anyone who may execute may answer; the first answer is taken. An answer to a password is neither stored nor shown.
"""

from __future__ import annotations

import logging
from collections import deque
from dataclasses import dataclass

from jupyter_runtimed.core.errors import AlreadyAnswered
from jupyter_runtimed.core.ids import ExecutionId
from jupyter_runtimed.core.messages import KernelMessage
from jupyter_runtimed.core.native import clean_text
from jupyter_runtimed.core.runtime import RuntimeEdit
from jupyter_runtimed.rooms.output_sink import OutputSink, Urgency

_log = logging.getLogger("jupyter_runtimed.rooms.stdin")

_REMEMBERED = 256
_PROMPT_CHARS = 16 * 1024
"""The end of a longer prompt is what the document has of it while somebody is asked."""

_DOTS = "········"


@dataclass(frozen=True, slots=True)
class _Question:
    execution_id: ExecutionId
    prompt: str
    is_password: bool


class Stdin:
    """What the kernel has asked and nobody has answered.

    Args:
        sink: writes the questions into the document.
    """

    def __init__(self, sink: OutputSink) -> None:
        self._sink = sink
        self._questions: dict[str, _Question] = {}
        self._answered: deque[str] = deque(maxlen=_REMEMBERED)

    def ask(self, message: KernelMessage, execution_id: ExecutionId) -> None:
        """The kernel asks for a line.

        Args:
            message: its `input_request`.
            execution_id: the execution that waits for the answer.
        """
        prompt = clean_text(str(message.content.get("prompt", "")))
        question = _Question(execution_id, prompt, bool(message.content.get("password")))
        self._questions[message.msg_id] = question
        request = {"request_id": message.msg_id, "prompt": prompt[-_PROMPT_CHARS:], "password": question.is_password}
        self._show(execution_id, request)

    def answer(self, request_id: str, value: str) -> None:
        """Take an answer. The caller passes it on to the kernel.

        Raises:
            AlreadyAnswered: somebody was faster, or nobody asks this any more.
        """
        question = self._questions.pop(request_id, None)
        if question is None:
            was = "was answered already" if request_id in self._answered else "is not asked, or not any more"
            raise AlreadyAnswered(f"this question {was}", request_id=request_id[:100])
        self._answered.append(request_id)
        _log.debug("input answered execution=%s", question.execution_id)
        # As in a terminal: the line stands where it was asked for.
        line = _DOTS if question.is_password else value
        self._sink.receive(question.execution_id, "stream", {"name": "stdout", "text": f"{question.prompt}{line}\n"})
        self._show(question.execution_id, None)

    def clear(self) -> None:
        """Nobody waits for an answer any more."""
        for question in self._questions.values():
            self._show(question.execution_id, None)
        self._questions.clear()

    def end(self, execution_id: ExecutionId) -> None:
        """An execution has ended: what it asked is void."""
        for request_id, question in list(self._questions.items()):
            if question.execution_id == execution_id:
                del self._questions[request_id]
                self._show(execution_id, None)

    def _show(self, execution_id: ExecutionId, request: dict[str, object] | None) -> None:
        def show(edit: RuntimeEdit) -> None:
            edit.set_input_request(execution_id, request)

        self._sink.change_execution(execution_id, show, Urgency.NOW)
