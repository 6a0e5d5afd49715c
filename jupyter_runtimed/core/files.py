"""What is said about notebook files: which file, in what state, and what happened to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Identity:
    """A file, whatever its path was spelled like.

    Attributes:
        api_path: the path below the server's root as Jupyter writes it: `/` between names, none at either end.
        key: equal for every spelling of the path of one file, and different for different files. Opaque.
    """

    api_path: str
    key: str


@dataclass(frozen=True, slots=True)
class FileState:
    """A file as it was read or written.

    Attributes:
        path: its API path.
        content: the bytes in storage, to the last one.
        sha256: of the content, in hexadecimal.
        writable: whether the storage would take a new version.
    """

    path: str
    content: bytes
    sha256: str
    writable: bool = True


@dataclass(frozen=True, slots=True)
class ContentsEvent:
    """Something happened to a file or a folder through the contents API.

    Attributes:
        action: what.
        path: the API path of the file or folder it happened to; for a rename the old one.
        new_path: where it is now, for a rename.
    """

    action: Literal["renamed", "deleted", "saved"]
    path: str
    new_path: str | None = None


@dataclass(frozen=True, slots=True)
class StoredBlob:
    """One blob of a store.

    Attributes:
        size: in bytes.
        age_s: seconds since it was put last.
    """

    name: str
    size: int
    age_s: float


@dataclass(frozen=True, slots=True)
class StoredLog:
    """The log of one room on the disk.

    Attributes:
        path: API path of its notebook; None while it is untitled, or when the log cannot be read.
        size: in bytes.
    """

    room_id: str
    path: str | None
    size: int


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file of the state folder that only an operator can do something about.

    Attributes:
        name: in its folder.
        size: in bytes.
    """

    name: str
    size: int
