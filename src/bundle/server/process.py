"""One Prefect server that this program started: a process that ends with it."""

from __future__ import annotations

import http.client
import os
import signal
import sqlite3
import subprocess
import time
from contextlib import closing
from pathlib import Path
from typing import Self

from bundle.errors import BundleError

BOOT_TIMEOUT_SECONDS = 120.0
POLL_SECONDS = 0.05
LOG_LINES = 12

API_PATH = "/api"
DATABASE_NAME = "prefect.db"
HOST = "127.0.0.1"
LOG_NAME = "server.log"
STOP_TIMEOUT_SECONDS = 5.0


class Server:
    """A running server; stopped by ``stop``, by leaving the ``with`` block, or when the caller ends."""

    def __init__(self, process: subprocess.Popen[bytes], *, directory: Path, port: int, path: str = API_PATH) -> None:
        self._process = process
        self.directory = directory
        self.port = port
        self.path = path

    @property
    def url(self) -> str:
        """The API URL, as a profile holds it."""
        return f"http://{HOST}:{self.port}{self.path}"

    @property
    def pid(self) -> int:
        """The process group that holds the server and all that it started."""
        return self._process.pid

    @property
    def log(self) -> Path:
        """The file that takes everything the server prints."""
        return self.directory / LOG_NAME

    @property
    def database(self) -> Path:
        """The SQLite file."""
        return self.directory / DATABASE_NAME

    @property
    def is_running(self) -> bool:
        """Whether the process is alive; it may not be ready yet."""
        return self._process.poll() is None

    def is_healthy(self) -> bool:
        """Whether the health check of the server succeeds within a second."""
        # Not urllib: it would send this through a proxy that the caller's environment names.
        with closing(http.client.HTTPConnection(HOST, self.port, timeout=1)) as connection:
            try:
                connection.request("GET", f"{self.path}/health")
                return connection.getresponse().status == http.HTTPStatus.OK
            except (http.client.HTTPException, OSError):
                return False

    def wait(self, timeout_seconds: float = BOOT_TIMEOUT_SECONDS) -> None:
        """Return when the server is healthy.

        Raises:
            BundleError: it ended or took too long; the message has the last lines of the log.
        """
        deadline = time.monotonic() + timeout_seconds
        while not self.is_healthy():
            if not self.is_running:
                raise BundleError(
                    f"the Prefect server ended while starting\n{self.last_lines()}",
                    hint="the lines above say why; pip install 'xfer[demo]' installs a Prefect that is known to start",
                )
            if time.monotonic() > deadline:
                slow = f"the Prefect server was not ready within {timeout_seconds:g} s"
                hint = "run the same command again when the machine is less busy"
                raise BundleError(f"{slow}\n{self.last_lines()}", hint=hint)
            time.sleep(POLL_SECONDS)

    def last_lines(self) -> str:
        """The end of the log, for messages."""
        try:
            lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError as error:
            return f"{self.log}: {error.strerror}"
        return "\n".join([f"{self.log}:", *lines[-LOG_LINES:]])

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to every process of the server: SIGSTOP makes it hang, SIGKILL ends it without notice."""
        if self.is_running:
            os.killpg(self.pid, number)

    def snapshot(self, file: Path) -> Path:
        """Copy the database of the running server; ``start(database=…)`` begins with such a file."""
        with closing(sqlite3.connect(self.database)) as live, closing(sqlite3.connect(file)) as copy:
            live.backup(copy)
        return file

    def stop(self) -> None:
        """End the server and every process it started; stopping again does nothing."""
        self.signal(signal.SIGTERM)
        try:
            self._process.wait(STOP_TIMEOUT_SECONDS)
        except subprocess.TimeoutExpired:
            self.signal(signal.SIGKILL)
            self._process.wait()
        if self._process.stdin:
            self._process.stdin.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        self.stop()
