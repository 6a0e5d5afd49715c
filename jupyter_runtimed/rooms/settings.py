"""What an operator may decide about rooms, as one value. `app` makes it of traits; nothing below sees traits."""

from __future__ import annotations

from dataclasses import dataclass, field

from jupyter_runtimed.core.limits import Limits


@dataclass(frozen=True, slots=True)
class RoomSettings:
    """Times in seconds.

    Attributes:
        limits: the protocol's.
        autosave: whether the server saves by itself; an explicit save always works.
        save_quiet_s: a save by itself waits for so long without changes, and at most `limits.autosave_s` in all.
        save_retry_s: the wait after a save that failed; doubled each time, up to `save_retry_max_s`.
        idle_s: how long a room that nobody uses is kept.
        cool_s: how long a document without changes keeps its engine.
        max_runtime_changes: how long the history of the runtime document may be before it is written anew. A change
            costs a client about 2 µs each time it takes one in, and the server some hundred bytes.
        version_pause_s: how long nobody must edit before a version of the notebook is complete.
        version_longest_s: after so long a version is complete in any case.
        version_retention_s: how long versions are listed.
        ready_wait_s: how long calls on a room that is loading wait.
        stop_save_s: how long the server, when it stops, waits for rooms to be saved.
        load_step_s: how long a load works before it lets others run.
        publish_s: how long the cells of a notebook may take before peers are sent the first of them.
        status_s: how often peers are told of changes that became durable.
        max_requests: requests of one peer under way at a time; more are taken for an attack (1008).
    """

    limits: Limits = field(default_factory=Limits)
    autosave: bool = True
    save_quiet_s: float = 1.0
    save_retry_s: float = 2.0
    save_retry_max_s: float = 20.0
    idle_s: float = 60.0
    cool_s: float = 300.0
    max_runtime_changes: int = 5000
    version_pause_s: float = 300.0
    version_longest_s: float = 1800.0
    version_retention_s: float = 30 * 86_400.0
    ready_wait_s: float = 30.0
    stop_save_s: float = 10.0
    load_step_s: float = 0.002
    publish_s: float = 0.15
    status_s: float = 0.2
    max_requests: int = 1024
