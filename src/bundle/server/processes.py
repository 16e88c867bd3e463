"""Prefect servers for the length of a command: throwaway ones, and a user's own Prefect on the user's own data.

The only module that starts processes. A server listens on loopback, inherits no
``PREFECT_*`` variable and no ``.env`` of the caller, and does not outlive its
caller, however that ends: each runs under a warden, a small process that kills
the whole process group when the server ends or the pipe from the caller closes.
A throwaway server keeps everything in one directory: its home and a SQLite database.

    caller ──pipe──> warden (leader of the group) ──> prefect server start
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from bundle.errors import BundleError
from bundle.server.process import API_PATH, DATABASE_NAME, HOST, LOG_NAME, STOP_TIMEOUT_SECONDS, Server

_WARDEN = """
import os, signal, subprocess, sys, threading, time
def wait_for_caller():
    sys.stdin.buffer.read()
    os.killpg(0, signal.SIGTERM)
    time.sleep(float(sys.argv[1]))
    os.killpg(0, signal.SIGKILL)
# Handlers, unlike SIG_IGN, are not passed on: SIGTERM to the group still ends the server.
for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
    signal.signal(number, lambda *_: None)
server = subprocess.Popen(sys.argv[2:], stdin=subprocess.DEVNULL)
threading.Thread(target=wait_for_caller, daemon=True).start()
server.wait()
os.killpg(0, signal.SIGKILL)
"""
# These services change nothing about configuration. Without them an idle server needs no processor time,
# and no automation fires and no schedule runs unless the settings ask for it.
_SERVICES = (
    "CANCELLATION_CLEANUP",
    "EVENT_PERSISTER",
    "FOREMAN",
    "LATE_RUNS",
    "PAUSE_EXPIRATIONS",
    "REPOSSESSOR",
    "SCHEDULER",
    "TASK_RUN_RECORDER",
    "TRIGGERS",
)
_QUIET = {
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_SERVER_UI_ENABLED": "false",
    # Before 3.1 the word was API.
    **{f"PREFECT_{word}_SERVICES_{name}_ENABLED": "false" for word in ("SERVER", "API") for name in _SERVICES},
}


if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


def find_prefect() -> Path:
    """The ``prefect`` command beside this Python, else the first on the PATH.

    Raises:
        BundleError: there is none.
    """
    beside = Path(sys.executable).with_name("prefect")
    if os.access(beside, os.X_OK):
        return beside
    found = shutil.which("prefect")
    if found is None:
        raise BundleError("no prefect command beside this Python or on the PATH", hint="pip install 'xfer[demo]'")
    return Path(found)


def find_own_prefect() -> Path | None:
    """The ``prefect`` that the user's shell runs, else the one beside this Python; None where there is neither.

    The other way round than for throwaway servers: the one on the PATH has kept
    the data up to now, and a newer one would migrate it.
    """
    found = shutil.which("prefect")
    beside = Path(sys.executable).with_name("prefect")
    return Path(found) if found else beside if os.access(beside, os.X_OK) else None


def launch_own(directory: Path, variables: Mapping[str, str], prefect: Path) -> Server:
    """Start the user's own Prefect with the ``PREFECT_*`` variables of a profile; does not wait until it is ready.

    It gets the rest of the caller's environment too. ``directory`` takes the
    log. No schedule runs and no automation fires.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    ours = {**_QUIET, "PREFECT_PROFILES_PATH": str(directory / "no-profiles.toml")}
    return _spawn(directory, {**kept, **variables, **ours}, _free_ports(1)[0], prefect)


def start(
    directory: Path,
    *,
    settings: Mapping[str, str] | None = None,
    port: int | None = None,
    prefect: Path | None = None,
    database: Path | None = None,
) -> Server:
    """Start one server in ``directory`` and wait until it is ready.

    ``settings`` are ``PREFECT_*`` variables and win over the defaults chosen here. With ``database`` (a file that
    ``snapshot`` made on the same version) the server begins with its content and is ready in a third of the time.

    Raises:
        BundleError: there is no prefect, or the server does not come up.
    """
    server = _launch(directory, settings or {}, port or _free_ports(1)[0], prefect or find_prefect(), database)
    return _await_all([server])[0]


def start_many(
    directories: Iterable[Path],
    *,
    settings: Mapping[str, str] | None = None,
    prefect: Path | None = None,
    database: Path | None = None,
) -> list[Server]:
    """Start a server in each directory, all at the same time; all are ready, or none is left running."""
    places = list(directories)
    command = prefect or find_prefect()
    with ExitStack() as stack:
        servers = [
            stack.enter_context(_launch(place, settings or {}, port, command, database))
            for place, port in zip(places, _free_ports(len(places)), strict=True)
        ]
        stack.pop_all()
    return _await_all(servers)


def _launch(directory: Path, settings: Mapping[str, str], port: int, prefect: Path, database: Path | None) -> Server:
    directory = directory.resolve()
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    variables = {**_environment(directory), **settings}
    if database is not None:
        shutil.copyfile(database, directory / DATABASE_NAME)
        variables.setdefault("PREFECT_SERVER_REGISTER_BLOCKS_ON_START", "false")
    return _spawn(directory, variables, port, prefect)


def _spawn(directory: Path, variables: Mapping[str, str], port: int, prefect: Path) -> Server:
    command = [str(prefect), "server", "start", "--no-ui", "--host", HOST, "--port", str(port)]
    with (directory / LOG_NAME).open("wb") as log:
        process = subprocess.Popen(  # noqa: S603 - the command is ours, only its path is looked up
            [sys.executable, "-I", "-S", "-c", _WARDEN, str(STOP_TIMEOUT_SECONDS), *command],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=directory,  # no .env, prefect.toml or pyproject.toml of the caller is in reach
            env=variables,
            start_new_session=True,
        )
    path = variables.get("PREFECT_SERVER_API_BASE_PATH", API_PATH)
    return Server(process, directory=directory, port=port, path=path)


def _environment(directory: Path) -> dict[str, str]:
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(directory),
        "PYTHONUTF8": "1",
        "PYTHONUNBUFFERED": "1",
        "PREFECT_HOME": str(directory),
        "PREFECT_SERVER_DATABASE_CONNECTION_URL": f"sqlite+aiosqlite:///{directory / DATABASE_NAME}",
        **_QUIET,
    }


def _free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind((HOST, 0))
        return [each.getsockname()[1] for each in sockets]


def _await_all(servers: list[Server]) -> list[Server]:
    with ExitStack() as stack:
        for server in servers:
            stack.enter_context(server)
        for server in servers:
            server.wait()
        stack.pop_all()
    return servers
