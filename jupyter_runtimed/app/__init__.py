"""The extension: traits, and the one place where objects are wired together. Imported by nobody else."""

from __future__ import annotations

from jupyter_runtimed.app.extension import RuntimedApp, main

__all__ = ["RuntimedApp", "main"]
