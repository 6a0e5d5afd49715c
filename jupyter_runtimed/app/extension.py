"""The extension as Jupyter Server sees it: its traits, and what is called at its beginning and end.

Traits carry their unit in their name. They become frozen values here; nothing below sees traitlets.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jupyter_core.paths import jupyter_data_dir
from jupyter_server.extension.application import ExtensionApp
from traitlets import Bool, Float, Int, TraitError, Unicode, default, validate

from jupyter_runtimed.app.server import DAY_S, RuntimedServer
from jupyter_runtimed.core.errors import Internal
from jupyter_runtimed.core.execution_outputs import OutputLimits
from jupyter_runtimed.core.limits import MIB, Limits
from jupyter_runtimed.handlers.routes import ROUTES
from jupyter_runtimed.handlers.services import SETTINGS_KEY
from jupyter_runtimed.rooms.executor_settings import ExecutorSettings
from jupyter_runtimed.rooms.settings import RoomSettings

_DEFAULTS = Limits()
_ROOMS = RoomSettings()
_EXECUTION = ExecutorSettings()


class RuntimedApp(ExtensionApp):
    """Notebooks that live in the server: rooms for browsers, scripts and agents."""

    name = "jupyter_runtimed"
    app_name = "jupyter_runtimed"
    description = "Notebooks that live in the server: rooms for browsers, scripts and agents."
    load_other_extensions = True

    enabled = Bool(
        True,
        help="""Whether the extension does anything. False: no routes, no files, no rooms; JupyterLab is as without
        it.""",
    ).tag(config=True)

    state_dir = Unicode(
        help="""Folder of what must outlive the process: logs of rooms, blobs, archive. Back it up with the notebooks.
        Several servers of one user may share it; it must not be shared between users.""",
    ).tag(config=True)

    autosave = Bool(
        True,
        help="""Whether the server saves notebooks by itself. False: only explicit saves write files.""",
    ).tag(config=True)

    autosave_s = Float(
        _DEFAULTS.autosave_s,
        min=0.1,
        help="""The longest time in seconds between a change and the save that follows. Lower: the file lags less and is
        written more often.""",
    ).tag(config=True)

    save_quiet_s = Float(
        _ROOMS.save_quiet_s,
        min=0.0,
        help="""A save by itself waits until nothing has changed for so many seconds, but no longer than autosave_s.""",
    ).tag(config=True)

    disk_check_s = Float(
        _DEFAULTS.disk_check_s,
        min=0.1,
        help="""How often in seconds the file is looked at for changes by others while somebody is connected. Raise it
        where storage is slow.""",
    ).tag(config=True)

    room_idle_s = Float(
        _ROOMS.idle_s,
        min=0.0,
        help="""How many seconds a room is kept that nobody is connected to and that runs nothing. It is saved first.
        Lower: less memory; higher: faster when somebody comes back.""",
    ).tag(config=True)

    cool_s = Float(
        _ROOMS.cool_s,
        min=0.0,
        help="""After so many seconds without a change the engine's form of a document is dropped and its bytes are
        kept. Lower: less memory; higher: the first change after a pause is faster.""",
    ).tag(config=True)

    max_runtime_changes = Int(
        _ROOMS.max_runtime_changes,
        min=10,
        help="""After so many changes the history of outputs is dropped: clients are sent the outputs that are shown
        once more, whole. Lower: less memory, and a faster start for who joins late; higher: fewer such sendings.""",
    ).tag(config=True)

    ready_wait_s = Float(
        _ROOMS.ready_wait_s,
        min=0.0,
        help="""How many seconds calls on a notebook's content wait while it is being loaded, before they answer
        409.""",
    ).tag(config=True)

    stop_save_s = Float(
        _ROOMS.stop_save_s,
        min=0.0,
        help="""How many seconds the server, when it stops, waits for notebooks to be saved. What is not saved by then
        is in the room's log.""",
    ).tag(config=True)

    required_heads_timeout_s = Float(
        _DEFAULTS.required_heads_timeout_s,
        min=0.0,
        help="""How many seconds a request waits for the changes it names before it answers `heads_missing`. Raise it
        for clients on slow lines.""",
    ).tag(config=True)

    kernel_start_timeout_s = Float(
        60.0,
        min=1.0,
        help="""How many seconds a kernel may take from its launch to its first answer.""",
    ).tag(config=True)

    kernel_cooldown_s = Float(
        _EXECUTION.cooldown_s,
        min=0.0,
        help="""After a kernel could not be launched, running a cell does not launch it again for so many seconds; what
        is run meanwhile fails at once, with the same reason.""",
    ).tag(config=True)

    max_output_bytes = Int(
        _EXECUTION.output_limits.max_bytes,
        min=1024,
        help="""How many bytes of output one run of a cell may show. What comes after is not kept, and a note says so.
        It guards the disk: outputs over `max_inline_bytes` are files in `state_dir`.""",
    ).tag(config=True)

    max_outputs = Int(
        _EXECUTION.output_limits.max_outputs,
        min=1,
        help="""How many outputs one run of a cell may show; the text of a stream is one. As `max_output_bytes`.""",
    ).tag(config=True)

    max_upload_bytes_per_hour = Int(
        1 << 30,
        min=0,
        help="""How many bytes of attachments one user may upload in an hour (`POST …/blobs`). It guards the disk of
        `state_dir`.""",
    ).tag(config=True)

    identity_check_s = Float(
        60.0,
        min=0.1,
        help="""How often in seconds a connected socket's token or cookie, and its user's permissions, are checked anew.
        Lower: who was signed out is disconnected sooner; each check asks the identity provider.""",
    ).tag(config=True)

    version_pause_s = Float(
        _ROOMS.version_pause_s,
        min=0.1,
        help="""How many seconds nobody must edit a notebook before what was done is a version in its history; after
        half an hour it is one in any case.""",
    ).tag(config=True)

    version_retention_s = Float(
        _ROOMS.version_retention_s,
        min=0.0,
        help="""How many seconds versions of a notebook can be seen and restored. They are in the room's log, so no
        longer than `log_retention_s` after its last use.""",
    ).tag(config=True)

    log_retention_s = Float(
        30 * DAY_S,
        min=0.0,
        help="""How many seconds the log of a room is kept after its last use, once its file holds everything. As long
        as it is kept, the room keeps its id, and replicas of it merge without questions.""",
    ).tag(config=True)

    blob_grace_s = Float(
        DAY_S,
        min=1.0,
        help="""How many seconds a blob (a picture, a long output, an attachment) must have been named by nothing before
        it is removed: no open notebook, no room's log, no version in the history.""",
    ).tag(config=True)

    blob_check_s = Float(
        3600.0,
        min=1.0,
        help="""How often in seconds it is looked for blobs that nothing names. Each look reads all logs of rooms.""",
    ).tag(config=True)

    max_frame_bytes = Int(
        _DEFAULTS.max_frame_bytes,
        help="""The largest WebSocket message, blob or merge in bytes, at least 64 MiB. Higher: longer offline edits
        fit; one client can make the server hold so much.""",
    ).tag(config=True)

    max_inflated_bytes = Int(
        _DEFAULTS.max_inflated_bytes,
        min=MIB,
        help="""The largest size in bytes of one sync message's changes after inflation.""",
    ).tag(config=True)

    max_request_bytes = Int(
        _DEFAULTS.max_request_bytes,
        min=1024,
        help="""The largest request in bytes, over the socket or HTTP.""",
    ).tag(config=True)

    max_inline_bytes = Int(
        _DEFAULTS.max_inline_bytes,
        min=0,
        help="""A longer piece of an output goes to the blob store. Higher: larger documents, fewer fetches.""",
    ).tag(config=True)

    @default("state_dir")
    def _default_state_dir(self) -> str:
        return str(Path(jupyter_data_dir()) / "runtimed")

    @validate("max_frame_bytes")
    def _valid_max_frame_bytes(self, proposal: Any) -> int:
        value: int = proposal["value"]
        if value < 64 * MIB:
            raise TraitError(
                "max_frame_bytes must be at least 64 MiB: the edits of a long time offline are one message"
            )
        return value

    def limits(self) -> Limits:
        """The protocol's limits, of the traits."""
        return Limits(
            max_frame_bytes=self.max_frame_bytes,
            max_inflated_bytes=self.max_inflated_bytes,
            max_request_bytes=self.max_request_bytes,
            max_inline_bytes=self.max_inline_bytes,
            required_heads_timeout_s=self.required_heads_timeout_s,
            autosave_s=self.autosave_s,
            disk_check_s=self.disk_check_s,
        )

    def room_settings(self) -> RoomSettings:
        """What rooms are told, of the traits."""
        return RoomSettings(
            limits=self.limits(),
            autosave=self.autosave,
            save_quiet_s=self.save_quiet_s,
            idle_s=self.room_idle_s,
            cool_s=self.cool_s,
            max_runtime_changes=self.max_runtime_changes,
            version_pause_s=self.version_pause_s,
            version_retention_s=self.version_retention_s,
            ready_wait_s=self.ready_wait_s,
            stop_save_s=self.stop_save_s,
        )

    def executor_settings(self) -> ExecutorSettings:
        """What is decided about running cells, of the traits."""
        return ExecutorSettings(
            limits=self.limits(),
            output_limits=OutputLimits(self.max_output_bytes, self.max_outputs),
            cooldown_s=self.kernel_cooldown_s,
        )

    # What the server asks of an extension.

    def initialize_settings(self) -> None:
        """Wire everything. Nothing is started, read or written yet."""
        if self.enabled:
            self.server = RuntimedServer(self)
            self.settings[SETTINGS_KEY] = self.server.services

    def initialize_handlers(self) -> None:
        """Add the routes."""
        if self.enabled:
            self.handlers.extend(ROUTES)

    async def _start_jupyter_server_extension(self, serverapp: Any) -> None:
        if self.enabled:
            try:
                await self.server.start()
            except Internal as error:  # every call will say so too; the rest of the server goes on
                self.log.critical("jupyter_runtimed cannot work: %s", error.message)

    async def stop_extension(self) -> None:
        """The server stops: save and close, within `stop_save_s`."""
        if self.enabled and hasattr(self, "server"):
            await self.server.stop()

    def current_activity(self) -> list[str] | None:
        """The rooms that run something; while there are any, the server does not shut itself down for idleness."""
        return self.server.busy_rooms() if self.enabled and hasattr(self, "server") else None


main = RuntimedApp.launch_instance
