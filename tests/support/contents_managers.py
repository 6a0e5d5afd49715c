"""Contents managers to put behind the contents port."""

from __future__ import annotations

import base64
from datetime import datetime, timezone
from typing import Any

from jupyter_server.services.contents.filemanager import FileContentsManager
from jupyter_server.services.contents.manager import ContentsManager
from tornado.web import HTTPError

EPOCH = datetime(2026, 1, 1, tzinfo=timezone.utc)


class MemoryContentsManager(ContentsManager):
    """Storage that is no file system: files and folders in dicts, as behind a database or an object store."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.files: dict[str, bytes] = {}
        self.folders: set[str] = {""}

    def dir_exists(self, path: str) -> bool:
        return path.strip("/") in self.folders

    def file_exists(self, path: str) -> bool:
        return path.strip("/") in self.files

    def is_hidden(self, path: str) -> bool:
        return any(part.startswith(".") for part in path.split("/"))

    def get(self, path: str, content: bool = True, type: str | None = None, format: str | None = None, **_: Any) -> Any:  # noqa: A002
        path = path.strip("/")
        if path not in self.files:
            raise HTTPError(404, f"no such file: {path}")
        model: dict[str, Any] = {
            "name": path.rsplit("/", 1)[-1],
            "path": path,
            "type": "file",
            "writable": True,
            "created": EPOCH,
            "last_modified": EPOCH,
            "mimetype": None,
            "content": None,
            "format": None,
        }
        if content:
            data = self.files[path]
            if format == "base64":
                return {**model, "content": base64.b64encode(data).decode(), "format": "base64"}
            try:
                return {**model, "content": data.decode(), "format": "text"}
            except UnicodeDecodeError:
                raise HTTPError(400, "not text") from None
        return model

    def save(self, model: dict[str, Any], path: str = "") -> Any:
        path = path.strip("/")
        assert model["type"] == "file"
        self.files[path] = (
            base64.b64decode(model["content"]) if model["format"] == "base64" else model["content"].encode()
        )
        return self.get(path, content=False)

    def delete_file(self, path: str) -> None:
        del self.files[path.strip("/")]

    def rename_file(self, old_path: str, new_path: str) -> None:
        self.files[new_path.strip("/")] = self.files.pop(old_path.strip("/"))


class CountingManager(FileContentsManager):
    """Local files, with a save of its own, as extensions have that write a second file beside."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.saves = 0

    def save(self, model: dict[str, Any], path: str = "") -> Any:
        self.saves += 1
        return super().save(model, path)
