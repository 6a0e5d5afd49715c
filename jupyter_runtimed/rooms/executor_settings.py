"""What an operator may decide about running cells."""

from __future__ import annotations

from dataclasses import dataclass, field

from jupyter_runtimed.core.execution_outputs import OutputLimits
from jupyter_runtimed.core.limits import Limits


@dataclass(frozen=True, slots=True)
class ExecutorSettings:
    """Times in seconds.

    Attributes:
        limits: sizes of what stands in the document.
        output_limits: how much one execution may show.
        cooldown_s: how long a kernel that could not be launched is not launched again by running a cell.
        question_s: how long completion, inspection and the like wait for the kernel's answer.
        busy_question_s: how long they wait for the end of a cell before they are put to the kernel at all.
        activity_s: how often a running execution is reported to who looks for idle kernels.
    """

    limits: Limits = field(default_factory=Limits)
    output_limits: OutputLimits = field(default_factory=OutputLimits)
    cooldown_s: float = 5.0
    question_s: float = 10.0
    busy_question_s: float = 2.0
    activity_s: float = 10.0
