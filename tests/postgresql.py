"""A throwaway PostgreSQL on loopback, where PostgreSQL is installed."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_HOST = "127.0.0.1"
_USER = "postgres"
_WAIT_SECONDS = 30.0


class Cluster:
    """A running PostgreSQL."""

    def __init__(self, commands: Path, port: int) -> None:
        self._commands = commands
        self._port = port

    def url(self, scheme: str) -> str:
        return f"{scheme}://{_USER}@{_HOST}:{self._port}/postgres"

    def run(self, statement: str) -> None:
        """Run SQL.

        Raises:
            CalledProcessError: PostgreSQL refused it.
        """
        command = [str(self._commands / "psql"), "-qXv", "ON_ERROR_STOP=1", "-d", self.url("postgresql")]
        subprocess.run(command, input=statement, text=True, check=True, capture_output=True)


def find_commands() -> Path | None:
    """Where ``initdb`` and the others are: on the PATH, or where Debian puts them; None where it cannot be run."""
    if os.geteuid() == 0 and not _has_user():
        return None
    on_path = shutil.which("initdb")
    found = [Path(on_path)] if on_path else sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return found[-1].resolve().parent if found else None


def _has_user() -> bool:
    """Whether there is a user for PostgreSQL, which refuses to run as root."""
    try:
        pwd.getpwnam(_USER)
    except KeyError:
        return False
    return True


@contextmanager
def cluster() -> Iterator[Cluster]:
    """A PostgreSQL of our own, gone at the end."""
    commands = find_commands()
    assert commands is not None
    user = _USER if os.geteuid() == 0 else None
    # Not in pytest's directories, into which this user cannot look.
    with tempfile.TemporaryDirectory(prefix="xfer-postgresql-") as directory:
        if user:
            shutil.chown(directory, user, user)
        create = [str(commands / "initdb"), "-A", "trust", "-U", _USER, "--no-sync", "-D", f"{directory}/data"]
        subprocess.run(create, user=user, cwd="/", check=True, capture_output=True)
        with socket.socket() as free:
            free.bind((_HOST, 0))
            port = free.getsockname()[1]
        options = ["-D", f"{directory}/data", "-h", _HOST, "-p", str(port), "-k", directory, "-F"]
        process = subprocess.Popen(
            [str(commands / "postgres"), *options], user=user, cwd="/", stderr=subprocess.DEVNULL
        )
        try:
            yield _answering(Cluster(commands, port))
        finally:
            process.terminate()
            process.wait()


def _answering(made: Cluster) -> Cluster:
    deadline = time.monotonic() + _WAIT_SECONDS
    while True:
        try:
            made.run("SELECT 1")
        except subprocess.CalledProcessError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
        else:
            return made
