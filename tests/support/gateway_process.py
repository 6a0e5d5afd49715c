"""A real `jupyter kernelgateway` in a process of its own, on loopback, with a token."""

from __future__ import annotations

import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from tests.support.server_process import free_port

TOKEN = "only-for-the-gateway"


@contextmanager
def gateway_process(folder: Path) -> Iterator[tuple[psutil.Process, str]]:
    """A gateway that answers: its process and its address. At the end it and its kernels are killed."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = [
        sys.executable, "-m", "jupyter", "kernelgateway", f"--port={port}", "--ip=127.0.0.1",
        f"--KernelGatewayApp.auth_token={TOKEN}", "--ZMQChannelsWebsocketConnection.limit_rate=False",
    ]  # fmt: skip
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=subprocess.STDOUT)
        try:
            _wait(process, url, folder / "log")
            yield psutil.Process(process.pid), url
        finally:
            for child in psutil.Process(process.pid).children(recursive=True):
                child.kill()
            process.kill()
            process.wait()


def _wait(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    for _ in range(200):
        try:
            request = urllib.request.Request(f"{url}/api", headers={"Authorization": f"token {TOKEN}"})
            urllib.request.urlopen(request, timeout=2).read()
            return
        except OSError:
            assert process.poll() is None, log.read_text()
            time.sleep(0.1)
    raise AssertionError(f"the gateway does not answer: {log.read_text()}")
