"""Notebooks that live in the Jupyter server.

Nothing is imported here but what the server asks for, when it asks: `jupyter_runtimed.client` must work where no
Jupyter Server is installed.
"""

from __future__ import annotations

from typing import Any

__version__ = "0.1.0"


def _jupyter_server_extension_points() -> list[dict[str, Any]]:
    """Tell Jupyter Server where the extension's application is."""
    from jupyter_runtimed.app import RuntimedApp

    return [{"module": "jupyter_runtimed", "app": RuntimedApp}]


def _jupyter_labextension_paths() -> list[dict[str, str]]:
    """Tell JupyterLab where the front end is, for `jupyter labextension develop`."""
    return [{"src": "_labextension", "dest": "jupyter-runtimed"}]
