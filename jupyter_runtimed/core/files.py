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
