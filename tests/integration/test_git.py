"""A real `git` changes a notebook under a room that has it open and edited: checkout, stash, pull, conflict."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import nbformat
import pytest

from tests.conformance.conftest import Visitor, code_cell, notebook
from tests.support.bare_peer import BarePeer
from tests.support.server_process import TOKEN, ServerProcess

IDENTITY = {
    f"GIT_{role}_{field}": value
    for role in ("AUTHOR", "COMMITTER")
    for field, value in (("NAME", "A Person"), ("EMAIL", "person@example.org"))
}
PLAIN = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull, "LC_ALL": "C"}

NAME = "work.ipynb"


class Repository:
    """A work tree with one notebook of the cells a, b and c, committed on the branch `main`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.file = folder / NAME
        folder.mkdir(parents=True, exist_ok=True)
        self.git("init", "--quiet", "--initial-branch=main")

    def git(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            ["git", *arguments],
            cwd=self.folder,
            env={**os.environ, **IDENTITY, **PLAIN},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0 or not check, done.stdout + done.stderr
        return done

    def commit(self, message: str, **sources: str) -> None:
        """Commit the notebook with these cells, in this order."""
        cells = [code_cell(source, cell_id) for cell_id, source in sources.items()]
        # As Jupyter writes it, so that a save changes the lines of the cells that were changed, and no others.
        nbformat.write(nbformat.from_dict(notebook(*cells)), self.file)
        self.git("add", NAME)
        self.git("commit", "--quiet", "--message", message)

    def sources(self) -> dict[str, str]:
        """What the file has, by cell."""
        return {cell["id"]: "".join(cell["source"]) for cell in json.loads(self.file.read_bytes())["cells"]}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """Each test has a folder of its own below the root. A person's Ctrl-S is the only save."""
    options = ("--RuntimedApp.autosave=False", "--RuntimedApp.disk_check_s=0.1")
    with ServerProcess(tmp_path_factory.mktemp("git"), arguments=options) as process:
        yield process


@pytest.fixture
def repository(server: ServerProcess, tmp_path: Path) -> Repository:
    made = Repository(server.root / tmp_path.name)
    made.commit("first", a="alpha", b="beta", c="gamma")
    return made


@asynccontextmanager
async def opened(server: ServerProcess, repository: Repository) -> AsyncIterator[BarePeer]:
    """A peer that is level in the room of the repository's notebook."""
    async with aiohttp.ClientSession(headers={"Authorization": f"token {TOKEN}"}) as session:
        visitor = Visitor(session, server)
        path = f"{repository.folder.relative_to(server.root)}/{NAME}"
        async with visitor.peer(await visitor.open(path)) as peer:
            await peer.ready()
            yield peer


def shown(peer: BarePeer) -> dict[str, str]:
    return {cell["id"]: cell["source"] for cell in peer.cells()}


async def see(peer: BarePeer, **sources: str) -> None:
    """Wait until the room shows these cells in this order."""
    await peer.until(lambda: list(shown(peer).items()) == list(sources.items()), 20, what=f"{sources}")


async def type_after(peer: BarePeer, cell_id: str, text: str) -> None:
    peer.type_text(cell_id, len(shown(peer)[cell_id]), text)
    await peer.flush()


async def save(peer: BarePeer) -> None:
    answer = await peer.request("save_notebook", required_heads=peer.heads())
    assert answer["ok"], answer


async def test_checkout_of_another_branch(server: ServerProcess, repository: Repository) -> None:
    repository.git("checkout", "--quiet", "-b", "other")
    repository.commit("theirs", a="alpha", b="beta of other", d="delta")
    repository.git("checkout", "--quiet", "main")
    async with opened(server, repository) as peer:
        await type_after(peer, "a", ", unsaved")
        await asyncio.to_thread(repository.git, "checkout", "--quiet", "other")
        await see(peer, a="alpha, unsaved", b="beta of other", d="delta")
        await type_after(peer, "d", " too")
        await save(peer)
    assert repository.sources() == {"a": "alpha, unsaved", "b": "beta of other", "d": "delta too"}


async def test_checkout_there_and_back_keeps_what_is_unsaved(server: ServerProcess, repository: Repository) -> None:
    repository.git("checkout", "--quiet", "-b", "other")
    repository.commit("theirs", b="beta of other", c="gamma")
    repository.git("checkout", "--quiet", "main")
    async with opened(server, repository) as peer:
        await type_after(peer, "c", ", unsaved")
        for _ in range(2):
            await asyncio.to_thread(repository.git, "checkout", "--quiet", "other")
            await see(peer, b="beta of other", c="gamma, unsaved")
            await asyncio.to_thread(repository.git, "checkout", "--quiet", "main")
            await see(peer, a="alpha", b="beta", c="gamma, unsaved")
        await save(peer)
    assert repository.sources() == {"a": "alpha", "b": "beta", "c": "gamma, unsaved"}


async def test_stash_and_pop(server: ServerProcess, repository: Repository) -> None:
    async with opened(server, repository) as peer:
        await type_after(peer, "a", ", saved")
        await save(peer)
        await type_after(peer, "c", ", unsaved")
        await asyncio.to_thread(repository.git, "stash")
        await see(peer, a="alpha", b="beta", c="gamma, unsaved")
        await asyncio.to_thread(repository.git, "stash", "pop")
        await see(peer, a="alpha, saved", b="beta", c="gamma, unsaved")
        await save(peer)
    assert repository.sources() == {"a": "alpha, saved", "b": "beta", "c": "gamma, unsaved"}


async def test_pull_that_merges(server: ServerProcess, repository: Repository, tmp_path: Path) -> None:
    repository.git("clone", "--quiet", ".", str(tmp_path / "theirs"))
    theirs = Repository(tmp_path / "theirs")
    theirs.commit("theirs", a="alpha", b="beta", c="gamma of theirs")
    async with opened(server, repository) as peer:
        await type_after(peer, "a", ", committed")
        await save(peer)
        repository.git("commit", "--quiet", "--all", "--message", "ours")
        await type_after(peer, "b", ", unsaved")
        pull = ("pull", "--quiet", "--no-rebase", "--no-edit", str(theirs.folder), "main")
        await asyncio.to_thread(repository.git, *pull)
        assert len(repository.git("rev-list", "--parents", "--max-count=1", "HEAD").stdout.split()) == 3, "a merge"
        await see(peer, a="alpha, committed", b="beta, unsaved", c="gamma of theirs")
        await save(peer)
    assert repository.sources() == {"a": "alpha, committed", "b": "beta, unsaved", "c": "gamma of theirs"}


async def test_pull_that_ends_in_a_conflict(server: ServerProcess, repository: Repository, tmp_path: Path) -> None:
    repository.git("clone", "--quiet", ".", str(tmp_path / "theirs"))
    theirs = Repository(tmp_path / "theirs")
    theirs.commit("theirs", a="their alpha", b="beta", c="gamma")
    async with opened(server, repository) as peer:
        await type_after(peer, "a", " of ours")
        await save(peer)
        repository.git("commit", "--quiet", "--all", "--message", "ours")
        await type_after(peer, "c", ", unsaved")
        pull = ("pull", "--quiet", "--no-rebase", "--no-edit", str(theirs.folder), "main")
        pulled = await asyncio.to_thread(repository.git, *pull, check=False)
        assert pulled.returncode != 0 and "<<<<<<<" in repository.file.read_text()
        await peer.until(lambda: (peer.statuses[-1]["save_error"] or {}).get("code") == "file_changed")
        await type_after(peer, "c", " still")
        refused = await peer.request("save_notebook", required_heads=peer.heads())
        assert refused["error"]["code"] == "file_changed" and "<<<<<<<" in repository.file.read_text()
        await asyncio.to_thread(repository.git, "checkout", "--quiet", "--theirs", NAME)
        await see(peer, a="their alpha", b="beta", c="gamma, unsaved still")
        await peer.until(lambda: peer.statuses[-1]["save_error"] is None)
        await save(peer)
    assert repository.sources() == {"a": "their alpha", "b": "beta", "c": "gamma, unsaved still"}


async def test_git_mv_takes_the_room_along(server: ServerProcess, repository: Repository) -> None:
    async with opened(server, repository) as peer:
        await type_after(peer, "a", ", unsaved")
        (repository.folder / "deep").mkdir()
        await asyncio.to_thread(repository.git, "mv", NAME, "deep/new.ipynb")
        await peer.until(lambda: peer.statuses[-1]["path"].endswith("/deep/new.ipynb"), 20)
        await save(peer)
        assert not repository.file.exists()
        repository.file = repository.folder / "deep/new.ipynb"
        assert repository.sources() == {"a": "alpha, unsaved", "b": "beta", "c": "gamma"}
        repository.git("commit", "--quiet", "--all", "--message", "moved")
        assert "=> deep/new.ipynb" in repository.git("show", "--stat", "--find-renames=10%", "HEAD").stdout


async def test_checkout_of_a_branch_that_names_it_otherwise(server: ServerProcess, repository: Repository) -> None:
    repository.git("checkout", "--quiet", "-b", "other")
    repository.git("mv", NAME, "new.ipynb")
    repository.git("commit", "--quiet", "--message", "renamed")
    repository.git("checkout", "--quiet", "main")
    async with opened(server, repository) as peer:
        await type_after(peer, "a", ", unsaved")
        await asyncio.to_thread(repository.git, "checkout", "--quiet", "other")
        await peer.until(lambda: peer.statuses[-1]["path"].endswith("/new.ipynb"), 20)
        await asyncio.to_thread(repository.git, "checkout", "--quiet", "main")
        await peer.until(lambda: peer.statuses[-1]["path"].endswith(f"/{NAME}"), 20)
        await save(peer)
    assert repository.sources() == {"a": "alpha, unsaved", "b": "beta", "c": "gamma"}
