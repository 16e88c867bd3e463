"""Profiles without a server: the user's own Prefect is started on the user's own data, and ends with the command."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from bundle.operations.demo import fill
from bundle.server.client import PrefectApi
from conftest import SETTINGS, ServerPool
from support.commands import write_profiles, xfer
from support.compare import compare
from support.targets import target

OWN = {**SETTINGS, "PREFECT_SERVER_ALLOW_EPHEMERAL_MODE": "true", "PREFECT_SERVER_REGISTER_BLOCKS_ON_START": "false"}


@pytest.fixture
def own_homes(server_pool: ServerPool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Profile ``full`` holds the environment of the demo, ``empty`` nothing; neither has a server."""
    for name in ("full", "empty"):
        (tmp_path / name).mkdir()
        shutil.copyfile(server_pool.empty_database, tmp_path / name / "prefect.db")
    server = server_pool.take()
    asyncio.run(_fill(server.url))
    server.snapshot(tmp_path / "full" / "prefect.db")
    server_pool.give_back(server)
    tables: dict[str, Any] = {name: {**OWN, "PREFECT_HOME": str(tmp_path / name)} for name in ("full", "empty")}
    write_profiles(tmp_path / "profiles.toml", **tables)
    monkeypatch.setenv("PREFECT_PROFILES_PATH", str(tmp_path / "profiles.toml"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


async def _fill(url: str) -> None:
    async with PrefectApi(target(url)) as api:
        await fill(api, password="not to be found")


def test_a_transfer_between_profiles_without_servers(own_homes: Path, server_pool: ServerPool) -> None:
    """Both profiles' own databases are served in turn, and everything arrives; no server is left."""
    code, out, err = xfer("transfer", "--from", "full", "--to", "empty", "--no-receipt")

    assert code == 0, err
    assert f"sqlite:///{own_homes}/empty/prefect.db" in out
    assert "with a Prefect server started for this command" in err
    plain = [server_pool.take(), server_pool.take()]
    for server, name in zip(plain, ("full", "empty"), strict=True):
        server_pool.load(server, own_homes / name / "prefect.db")
    assert compare(plain[0].url, plain[1].url) == []
    for server in plain:
        server_pool.give_back(server)
    assert _processes_about(own_homes) == []


def _processes_about(directory: Path) -> list[str]:
    """The processes that were started with this directory in their environment."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            environment = (process / "environ").read_bytes()
        except OSError:
            continue
        if f"PREFECT_HOME={directory}".encode() in environment and process.name != str(os.getpid()):
            found.append(process.name)
    return found


def test_two_names_for_one_database_are_one_server(own_homes: Path) -> None:
    """A transfer into the same data is refused before anything is started."""
    home = str(own_homes / "full")
    write_profiles(own_homes / "profiles.toml", a={**OWN, "PREFECT_HOME": home}, b={**OWN, "PREFECT_HOME": home})
    code, _, err = xfer("transfer", "--from", "a", "--to", "b")
    assert (code, "the same server" in err) == (64, True)


def test_no_prefect_to_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without any Prefect the error says what to install; exit code 5."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    code, _, err = xfer("export", "--from", "ephemeral", "-o", str(tmp_path / "env.pxb"))
    assert (code, "pip install prefect" in err) == (5, True)


def _fake_prefect(directory: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """Put a ``prefect`` on the PATH that runs a shell script, and make the profiles beside it the ones in use."""
    (directory / "prefect").write_text(f"#!/bin/sh\ncd '{directory}'\n{script}\n")
    (directory / "prefect").chmod(0o755)
    monkeypatch.setenv("PATH", f"{directory}:{os.environ['PATH']}")
    monkeypatch.setenv("PREFECT_PROFILES_PATH", str(directory / "profiles.toml"))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_no_server_outlives_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    """However the command ends, also in the middle of starting, the server ends too."""
    _fake_prefect(tmp_path, monkeypatch, "echo $$ > part && mv part pid && exec sleep 60")
    command = [sys.executable, "-m", "bundle", "export", "--from", "ephemeral", "-o", str(tmp_path / "env.pxb")]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        server = int(_wait_for(tmp_path / "pid"))
        process.send_signal(number)
        assert process.wait(120) == (-number if number == signal.SIGKILL else 130)
    deadline = time.monotonic() + 60
    while _is_there(server) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not _is_there(server)


def _is_there(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def _wait_for(file: Path) -> str:
    deadline = time.monotonic() + 30
    while not file.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    return file.read_text()


def test_a_server_that_does_not_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says which prefect failed and what it said, without the password; exit code 5."""
    url = "postgresql+asyncpg://me:hunter2hunter2@db.test/prefect"
    write_profiles(tmp_path / "profiles.toml", own={**OWN, "PREFECT_SERVER_DATABASE_CONNECTION_URL": url})
    _fake_prefect(tmp_path, monkeypatch, 'echo "cannot reach $PREFECT_SERVER_DATABASE_CONNECTION_URL"')
    code, out, err = xfer("export", "--from", "own", "-o", str(tmp_path / "env.pxb"), "--json")
    assert code == 5
    assert json.loads(out)["error"]["code"] == "Unreachable"
    assert f"own, started with {tmp_path}/prefect: the Prefect server ended while starting" in err
    assert "cannot reach ***" in err
    assert "postgresql://db.test/prefect" in err
    assert "hunter2" not in out + err


def test_the_environment_of_a_started_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A started server sees its own profile alone: no variable and no other profile of the caller."""
    _fake_prefect(tmp_path, monkeypatch, "env > environment; exit 1")
    write_profiles(
        tmp_path / "profiles.toml",
        own={**OWN, "PREFECT_HOME": str(tmp_path), "PREFECT_LOGGING_LEVEL": "ERROR"},
        other={"PREFECT_API_KEY": "pnu_CANARY0123456789"},
    )
    monkeypatch.setenv("PREFECT_API_URL", "http://elsewhere.invalid/api")
    monkeypatch.setenv("PREFECT_PROFILE", "other")
    code, _, _ = xfer("export", "--from", "own", "-o", str(tmp_path / "env.pxb"))
    lines: dict[str, str] = dict(
        line.partition("=")[::2] for line in (tmp_path / "environment").read_text().splitlines()
    )
    settings = {name: value for name, value in lines.items() if name.startswith("PREFECT_")}
    assert code == 5
    assert settings["PREFECT_HOME"] == str(tmp_path)
    assert settings["PREFECT_LOGGING_LEVEL"] == "ERROR"
    assert settings["PREFECT_SERVER_SERVICES_SCHEDULER_ENABLED"] == "false"
    assert not Path(settings["PREFECT_PROFILES_PATH"]).exists()
    assert not settings.keys() & {"PREFECT_API_URL", "PREFECT_PROFILE", "PREFECT_API_KEY"}
