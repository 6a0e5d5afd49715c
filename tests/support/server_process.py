"""A real Jupyter Server in a process of its own, on loopback, with the extension enabled and authentication on.

Nothing of the package is imported here: suites that use it see only the interface.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType

import psutil

TOKEN = "a-token-for-tests"

START = """
import runpy
import tests.support.quick_imports
runpy.run_module("jupyter_server", run_name="__main__", alter_sys=True)
"""
"""`python -m jupyter_server`, but quicker."""


def free_port() -> int:
    """A loopback port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class ServerProcess:
    """Start, stop and kill one server.

    Args:
        home: a folder for everything the server keeps (Jupyter's own folders, the notebooks, the log).
        root: the folder of the notebooks; default `home/notebooks`.
        arguments: further command-line arguments.
        base_url: where the server lives below its host; with slashes at both ends.
        extensions: server extensions that are on.
        environment: what the process has besides this one's environment.
        below: a program and its arguments that runs the server in its own place, with fewer rights, say.
        probe: the address that answers once the server is up, below `base_url`.
        is_killed: a `with` block ends with `kill`, its kernels with it: nothing is looked at afterwards.
    """

    def __init__(
        self,
        home: Path,
        *,
        root: Path | None = None,
        arguments: tuple[str, ...] = (),
        base_url: str = "/",
        extensions: tuple[str, ...] = ("jupyter_runtimed",),
        environment: Mapping[str, str] | None = None,
        below: tuple[str, ...] = (),
        probe: str = "api/runtimed",
        is_killed: bool = False,
    ) -> None:
        self.home = home
        self.root = root or home / "notebooks"
        self.root.mkdir(parents=True, exist_ok=True)
        self.arguments = arguments
        self.base_url = base_url
        self.extensions = extensions
        self.environment = dict(environment or {})
        self.below = below
        self.probe = probe
        self.is_killed = is_killed
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The base address, with a slash at the end."""
        return f"http://127.0.0.1:{self.port}{self.base_url}"

    @property
    def log(self) -> str:
        """What the server has printed so far."""
        return (self.home / "server.log").read_text(errors="replace")

    def start(self, deadline_s: float = 60.0) -> ServerProcess:
        """Start and wait until the probe answers."""
        environment = {**os.environ, **self.environment}
        for name in ("CONFIG", "DATA", "RUNTIME"):
            environment[f"JUPYTER_{name}_DIR"] = str(self.home / name.lower())
        environment["JUPYTER_PREFER_ENV_PATH"] = "1"
        environment["IPYTHONDIR"] = str(self.home / "ipython")
        environment.pop("JUPYTER_TOKEN", None)
        command = [
            *self.below,
            sys.executable,
            "-c",
            START,
            "--no-browser",
            "--allow-root",
            f"--ServerApp.root_dir={self.root}",
            "--ServerApp.ip=127.0.0.1",
            f"--ServerApp.port={self.port}",
            "--ServerApp.port_retries=0",
            f"--ServerApp.base_url={self.base_url}",
            f"--IdentityProvider.token={TOKEN}",
            f"--ServerApp.jpserver_extensions={dict.fromkeys(self.extensions, True)}",
            *self.arguments,
        ]
        with (self.home / "server.log").open("ab") as log:
            self.process = subprocess.Popen(
                command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=environment, cwd=self.home
            )
        end = time.monotonic() + deadline_s
        while time.monotonic() < end:
            if self.process.poll() is not None:
                raise RuntimeError(f"the server ended with {self.process.returncode}:\n{self.log[-4000:]}")
            try:
                request = urllib.request.Request(self.url + self.probe, headers={"Authorization": f"token {TOKEN}"})
                with urllib.request.urlopen(request, timeout=5) as answer:
                    json.load(answer)
                    return self
            except urllib.error.HTTPError as error:
                if error.code == 404:
                    raise RuntimeError(f"the extension is not there:\n{self.log[-4000:]}") from error
            except OSError:
                pass
            time.sleep(0.05)
        raise RuntimeError(f"the server did not answer in {deadline_s} s:\n{self.log[-4000:]}")

    def stop(self, deadline_s: float = 15.0) -> None:
        """A normal stop: SIGTERM, as a service manager would.

        A Jupyter server that serves pages now and then has done everything and does not end, because a worker thread
        of its contents manager was just starting (jupyterlab issue 10442). A service manager kills it then.
        """
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(deadline_s)
            except subprocess.TimeoutExpired:
                self.kill()
        self.process = None

    def kill(self) -> None:
        """`kill -9`: nothing is written any more."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.process = None

    def __enter__(self) -> ServerProcess:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self.is_killed and self.process is not None and self.process.poll() is None:
            kernels = psutil.Process(self.process.pid).children(recursive=True)  # not all of them end by themselves
            self.kill()
            for kernel in kernels:
                with suppress(psutil.NoSuchProcess):
                    kernel.kill()
        else:
            self.stop()
