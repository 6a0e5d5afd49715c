"""Any order of events: never two executions at once, none lost, none ended twice."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from jupyter_runtimed.core.execution_queue import Entry, ExecutionQueue, Status, Transition
from jupyter_runtimed.core.ids import CellId, ExecutionId

CELLS = st.sampled_from(["x", "y", "z"])
BATCHES = st.sampled_from([None, "1", "2"])


class QueueMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.queue = ExecutionQueue()
        self.states: dict[str, Status] = {}
        self.order: list[str] = []
        self.batches: dict[str, str | None] = {}

    def note(self, transitions: list[Transition]) -> None:
        for transition in transitions:
            name = transition.entry.execution_id
            before = self.states.get(name)
            assert before is None or not before.is_final, "an execution ended twice"
            self.states[name] = transition.status

    @rule(cell=CELLS, batch=BATCHES)
    def queue_one(self, cell: str, batch: str | None) -> None:
        name = f"e{len(self.states)}"
        self.order.append(name)
        self.batches[name] = batch
        self.note([self.queue.queue(Entry(ExecutionId(name), CellId(cell), "", batch))])

    @rule()
    def start(self) -> None:
        waiting = [name for name in self.order if self.states[name] is Status.QUEUED]
        transition = self.queue.start()
        if transition is not None:
            assert transition.entry.execution_id == waiting[0]
            self.note([transition])
        else:
            assert not waiting or Status.RUNNING in self.states.values()

    @precondition(lambda self: self.queue.running is not None)
    @rule(how=st.sampled_from(["done", "failed", "aborted"]))
    def end(self, how: str) -> None:
        running = self.queue.running
        assert running is not None
        waiting = [waiting.execution_id for waiting in self.queue.queued]
        self.note(getattr(self.queue, how)(running.execution_id))
        for name in waiting:
            stays = how == "done" or running.batch is None or self.batches[name] != running.batch
            assert (self.states[name] is Status.QUEUED) == stays

    @rule()
    def interrupt(self) -> None:
        self.note(self.queue.interrupt())
        assert Status.QUEUED not in self.states.values()

    @rule(cell=CELLS)
    def delete_cell(self, cell: str) -> None:
        self.note(self.queue.cell_deleted(CellId(cell)))
        assert all(waiting.cell_id != cell for waiting in self.queue.queued)

    @rule()
    def lose_kernel(self) -> None:
        self.note(self.queue.kernel_gone({"code": "kernel_died"}))
        assert self.queue.is_empty and all(status.is_final for status in self.states.values())

    @precondition(lambda self: self.queue.running is None)
    @rule()
    def fail_to_launch(self) -> None:
        self.note(self.queue.launch_failed({"code": "no_kernel"}))
        assert self.queue.is_empty

    @invariant()
    def the_queue_and_the_record_agree(self) -> None:
        assert list(self.states.values()).count(Status.RUNNING) <= 1
        for name, status in self.states.items():
            assert self.queue.status(ExecutionId(name)) == (None if status.is_final else status)


TestQueueMachine = QueueMachine.TestCase
TestQueueMachine.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
