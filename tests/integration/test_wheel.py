"""`pip install .` from a clean tree: the front end is built on the way, and packed once."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path, PurePosixPath

import pytest

ROOT = Path(__file__).parents[2]
EXTENSION = "share/jupyter/labextensions/jupyter-runtimed"

# It fetches and builds.
pytestmark = pytest.mark.timeout(600)


def run(*command: str | Path, cwd: Path, **environment: str) -> str:
    inherited = {name: value for name, value in os.environ.items() if name != "SKIP_JUPYTER_BUILDER"}
    done = subprocess.run(
        command,
        cwd=cwd,
        env={**inherited, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:]
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel of what would be committed now."""
    tree, wheels = tmp_path_factory.mktemp("tree"), tmp_path_factory.mktemp("wheels")
    listed = run("git", "ls-files", "--cached", "--others", "--exclude-standard", cwd=ROOT)
    for name in filter(None, listed.splitlines()):
        if (ROOT / name).is_file():
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, tree / name)
    assert not (tree / "jupyter_runtimed" / "_labextension").exists()
    run(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", wheels, ".", cwd=tree)
    (made,) = wheels.glob("*.whl")
    return made


def test_a_wheel_from_a_clean_tree_has_the_front_end_once(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = [PurePosixPath(name) for name in archive.namelist()]
        front_end = {name for name in names if EXTENSION in str(name)}
        (description,) = (name for name in front_end if name.name == "package.json")
        entry = json.loads(archive.read(str(description)))["jupyterlab"]["_build"]["load"]
    assert [name in front_end for name in names if name.suffix == ".wasm"] == [True]
    assert len({name.name for name in names if name.suffix == ".js"}) == len([n for n in names if n.suffix == ".js"])
    assert description.parent / entry in front_end
    assert {"install.json", "style.js"} <= {name.name for name in front_end}
    assert any(str(name).endswith("etc/jupyter/jupyter_server_config.d/jupyter_runtimed.json") for name in names)
    assert not any({"node_modules", "tests", "labextension"} & set(name.parts) for name in names)


def test_jupyterlab_finds_it_compatible(wheel: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    (data,) = tmp_path.glob("*.data/data")
    told = run(
        sys.executable, "-m", "jupyter", "labextension", "list", cwd=tmp_path,
        JUPYTER_PATH=str(data / "share" / "jupyter"), JUPYTER_PREFER_ENV_PATH="0",
    )  # fmt: skip
    after = told.split(str(data / "share" / "jupyter" / "labextensions"), 1)[1]
    (line,) = (line for line in after.splitlines()[:3] if "jupyter-runtimed" in line)
    assert "enabled" in line
    assert "OK" in line
