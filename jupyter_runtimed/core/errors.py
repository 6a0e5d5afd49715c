"""Every error the package raises on purpose.

```
RuntimedError                 code, HTTP status, message that says what happened and what to do
├─ BadRequest                 bad_request 400        the caller's words are off
├─ NotANotebook               not_a_notebook 400     a folder, or a name that does not end in .ipynb
├─ Forbidden                  forbidden 403
├─ NotFound                   not_found 404          a path
│  ├─ NoSuchRoom              no_such_room 404
│  ├─ NoSuchCell              no_such_cell 404
│  └─ NoSuchExecution         no_such_execution 404
├─ Conflict                   409, the caller's view is stale or the moment is wrong
│  ├─ HeadsMissing            heads_missing
│  ├─ PathAlreadyOpen         path_already_open      details: room_id, path
│  ├─ FileExists              file_exists
│  ├─ FileChanged             file_changed
│  ├─ AlreadyAnswered         already_answered
│  ├─ LoadFailed              load_failed
│  ├─ Loading                 loading
│  ├─ NoKernel                no_kernel
│  ├─ KernelBusy              kernel_busy            it did not answer a question in time
│  ├─ KernelDied              kernel_died
│  ├─ ActiveElsewhere         file_active_elsewhere  another server process owns the file; details: host, pid
│  └─ NotSaved                not_saved              a room that cannot be closed without losing work
├─ TooLarge                   too_large 413
├─ Internal                   internal 500           our own fault
├─ OutOfSpace                 out_of_space 507
└─ ProtocolError              a peer broke the protocol; carries the WebSocket close code
   ├─ Malformed               1002
   ├─ OverLimit               1009
   ├─ RateExceeded            1008
   ├─ MayNotWrite             4403
   └─ OtherLineage            4410
```

The codes and statuses are the contract's (docs/protocol.md); one table in `handlers.errors` maps them to answers.
"""

from __future__ import annotations

from typing import Any, ClassVar


class RuntimedError(Exception):
    """Base of all our errors.

    Attributes:
        code: the stable machine-readable name.
        status: the HTTP status that answers it.
        message: what happened and what to do, for a person.
        details: further JSON fields of the answer (`room_id`, `path`, …).
    """

    code: ClassVar[str] = "internal"
    status: ClassVar[int] = 500

    def __init__(self, message: str, **details: Any) -> None:
        super().__init__(message)
        self.message = message
        self.details = details

    def to_json(self) -> dict[str, Any]:
        """The JSON object of an error answer: `{"code", "message", …details}`."""
        return {"code": self.code, "message": self.message, **self.details}


class BadRequest(RuntimedError):
    code = "bad_request"
    status = 400


class NotANotebook(RuntimedError):
    code = "not_a_notebook"
    status = 400


class Forbidden(RuntimedError):
    code = "forbidden"
    status = 403


class NotFound(RuntimedError):
    code = "not_found"
    status = 404


class NoSuchRoom(NotFound):
    code = "no_such_room"


class NoSuchCell(NotFound):
    code = "no_such_cell"


class NoSuchVersion(NotFound):
    code = "no_such_version"


class NoSuchExecution(NotFound):
    code = "no_such_execution"


class Conflict(RuntimedError):
    code = "conflict"
    status = 409


class HeadsMissing(Conflict):
    code = "heads_missing"


class PathAlreadyOpen(Conflict):
    code = "path_already_open"


class FileExists(Conflict):
    code = "file_exists"


class FileChanged(Conflict):
    code = "file_changed"


class AlreadyAnswered(Conflict):
    code = "already_answered"


class LoadFailed(Conflict):
    code = "load_failed"


class Loading(Conflict):
    code = "loading"


class NoKernel(Conflict):
    code = "no_kernel"


class KernelBusy(Conflict):
    code = "kernel_busy"


class KernelDied(Conflict):
    code = "kernel_died"


class ActiveElsewhere(Conflict):
    code = "file_active_elsewhere"


class NotSaved(Conflict):
    code = "not_saved"


class TooLarge(RuntimedError):
    code = "too_large"
    status = 413


class CannotTell(RuntimedError):
    """Something that has to be known before anything is removed cannot be found out."""


class QuotaExceeded(RuntimedError):
    code = "quota_exceeded"
    status = 429


class Internal(RuntimedError):
    code = "internal"
    status = 500


class OutOfSpace(RuntimedError):
    code = "out_of_space"
    status = 507


class ProtocolError(RuntimedError):
    """A peer broke the protocol. Its socket is closed with `close_code`; nobody else notices."""

    code = "protocol_error"
    status = 400
    close_code: ClassVar[int] = 1002


class Malformed(ProtocolError):
    close_code = 1002


class OverLimit(ProtocolError):
    close_code = 1009


class RateExceeded(ProtocolError):
    close_code = 1008


class MayNotWrite(ProtocolError):
    close_code = 4403


class OtherLineage(ProtocolError):
    """The changes belong to another import of the notebook; the client must go through the merge call."""

    code = "other_lineage"
    status = 409
    close_code = 4410
