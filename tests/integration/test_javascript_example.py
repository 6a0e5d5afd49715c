"""A JavaScript peer on a real server: it opens, edits, runs and saves with nothing of ours."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

from tests.support.server_process import TOKEN, ServerProcess

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


def test_the_javascript_example_appends_runs_and_saves(tmp_path: Path) -> None:
    server = ServerProcess(tmp_path)
    shutil.copy(EXAMPLES / "welcome.ipynb", server.root / "welcome.ipynb")
    before = json.loads((EXAMPLES / "welcome.ipynb").read_text())
    with server:
        run = subprocess.run(
            ["node", str(EXAMPLES / "javascript" / "peer.mjs"), server.url, TOKEN, "welcome.ipynb"],
            capture_output=True,
            text=True,
            timeout=90,
        )
    assert run.returncode == 0, run.stderr
    assert "hello from JavaScript" in run.stdout and "42" in run.stdout
    saved = json.loads((server.root / "welcome.ipynb").read_text())
    assert len(saved["cells"]) == len(before["cells"]) + 1
    assert "".join(saved["cells"][-1]["outputs"][0]["text"]) == "hello from JavaScript\n"
