"""Installed or only named on the command line, the server finds the extension and says that it is well."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import jupyter_runtimed


def run(home: Path, *arguments: str) -> str:
    environment = {
        **os.environ,
        "JUPYTER_CONFIG_DIR": str(home / "config"),
        "JUPYTER_DATA_DIR": str(home / "data"),
        "JUPYTER_RUNTIME_DIR": str(home / "runtime"),
        "JUPYTER_NO_CONFIG": "",
    }
    done = subprocess.run(
        [sys.executable, "-m", "jupyter", *arguments],
        cwd=home,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout + done.stderr


def test_the_file_that_is_installed_enables_it_and_the_server_validates_it(tmp_path: Path) -> None:
    folder = tmp_path / "config" / "jupyter_server_config.d"
    folder.mkdir(parents=True)
    shutil.copy(Path(jupyter_runtimed.__file__).parent / "etc" / "jupyter_runtimed.json", folder)
    told = run(tmp_path, "server", "extension", "list")
    after = told.split("jupyter_runtimed", 1)[1]
    assert "enabled" in after.splitlines()[0]
    assert "jupyter_runtimed 0.1.0" in after
    assert "OK" in after.split("jupyter_runtimed 0.1.0")[1].splitlines()[0]


def test_its_options_are_in_the_help() -> None:
    told = subprocess.run(
        [sys.executable, "-c", "from jupyter_runtimed.app import main; main(['--help-all'])"],
        capture_output=True,
        text=True,
        check=False,
    ).stdout
    assert "--RuntimedApp.autosave_s" in told
    assert "--RuntimedApp.state_dir" in told
