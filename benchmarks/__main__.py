"""All benchmarks: `python -m benchmarks [--quick]`."""

from __future__ import annotations

import subprocess
import sys

for name in ("rooms", "steps", "execution", "browser"):
    subprocess.run([sys.executable, "-m", f"benchmarks.{name}", *sys.argv[1:]], check=False)
