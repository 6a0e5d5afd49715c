"""The files of notebooks, as rooms see them: whatever the server's contents manager stores them in."""

from __future__ import annotations

from typing import Protocol

from jupyter_runtimed.core.files import ContentsEvent, FileState, Identity

__all__ = ["Contents", "ContentsEvent", "FileState", "Identity"]


class Contents(Protocol):
    """Read and write notebook files by API path, as bytes.

    Every method raises `Forbidden` where storage refuses and `Internal` where it fails. The suite that every
    implementation passes is `tests/contracts/contents.py`.
    """

    async def identify(self, path: str) -> Identity:
        """Which file a path from outside means. The file need not exist, nor its folder.

        Slashes, `.` and `..` are resolved, so is the Unicode form when only another form of the name exists; nothing
        is percent-decoded.

        Raises:
            NotFound: the path leads outside the root, or to something hidden.
            NotANotebook: it is empty, does not end in `.ipynb`, or is a folder.
        """
        ...

    async def read(self, path: str) -> FileState:
        """The file's bytes.

        Raises:
            NotFound: there is none.
            NotANotebook: a folder is there.
        """
        ...

    async def sha256(self, path: str) -> str | None:
        """The hash of the file as it is now; None when it is gone. Cheap where storage can tell of changes."""
        ...

    async def moved_to(self, path: str, sha256: str) -> str | None:
        """Where a file is now that another program has moved.

        Args:
            path: where it was when it was last read, written or hashed.
            sha256: of its bytes, which are still the same.

        Returns:
            None when it is where it was, is nowhere or in several places, or storage cannot tell.
        """
        ...

    async def write(self, path: str, data: bytes, *, expected: str | None = None, create: bool = False) -> FileState:
        """Replace the file's bytes, or make the file, in one step wherever storage can.

        The state that is returned may have other bytes than `data`: a pre-save hook of the server may change what is
        written.

        Args:
            path: its API path.
            data: the notebook as it shall be.
            expected: the SHA-256 of what is there as far as the caller knows, compared right before the step.
            create: there must be no file yet.

        Raises:
            FileChanged: something else than `expected` is there. Nothing was written.
            FileExists: `create`, and there is a file. Nothing was written.
            NotFound: the folder does not exist.
            NotANotebook: a folder is there.
            OutOfSpace: storage is full; what was there is still there.
        """
        ...

    async def checkpoint(self, path: str) -> None:
        """Keep the file as it is now as its checkpoint, in the place of an earlier one.

        Raises:
            NotFound: there is no such file.
            Internal: this storage keeps none, or failed to.
        """
        ...

    async def exists(self, path: str) -> bool:
        """Whether there is a file."""
        ...

    async def directory_exists(self, path: str) -> bool:
        """Whether there is a folder; "" is the root."""
        ...
