"""A Python peer: reads from its own replica, writes through sync. Needs no server installed.

```python
async with Client("http://localhost:8888", token="…") as client, client.open("a.ipynb") as notebook:
    cell = await notebook.cells.create("1 + 1")
    print((await cell.run()).text)
    await notebook.save()
```
"""

from jupyter_runtimed.client.cells import Cell, Cells
from jupyter_runtimed.client.client import Client
from jupyter_runtimed.client.connection import Backoff
from jupyter_runtimed.client.errors import (
    CellFailed,
    Disconnected,
    HeadsUnconfirmed,
    NotebookClosed,
    NotLoaded,
    TimedOut,
)
from jupyter_runtimed.client.execution import Execution
from jupyter_runtimed.client.history import NotebookVersion
from jupyter_runtimed.client.notebook import Notebook
from jupyter_runtimed.client.outputs import BlobRef, ExecutionError, ExecutionResult, Output
from jupyter_runtimed.client.rest import RoomInfo
from jupyter_runtimed.client.status import Cursor, Person, Status
from jupyter_runtimed.client.view import Change
from jupyter_runtimed.core.errors import (
    Forbidden,
    LoadFailed,
    NoSuchCell,
    NoSuchExecution,
    NoSuchRoom,
    NoSuchVersion,
    NotFound,
    PathAlreadyOpen,
    RuntimedError,
)

__all__ = [
    "Backoff",
    "BlobRef",
    "Cell",
    "CellFailed",
    "Cells",
    "Change",
    "Client",
    "Cursor",
    "Disconnected",
    "Execution",
    "ExecutionError",
    "ExecutionResult",
    "Forbidden",
    "HeadsUnconfirmed",
    "LoadFailed",
    "NoSuchCell",
    "NoSuchExecution",
    "NoSuchRoom",
    "NoSuchVersion",
    "NotFound",
    "NotLoaded",
    "Notebook",
    "NotebookClosed",
    "NotebookVersion",
    "Output",
    "PathAlreadyOpen",
    "Person",
    "RoomInfo",
    "RuntimedError",
    "Status",
    "TimedOut",
]
