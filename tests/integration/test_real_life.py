"""A team moves: all that it has was made by Prefect's own SDK and CLI, and goes on by them at the destination.

Its project is in ``fixtures/team``. Workers, schedules and automations are at work at the destination, as in life.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import zstandard

from bundle.server import processes
from bundle.server.process import Server
from conftest import SETTINGS, ServerPool
from support.environment import Api

PROJECT = Path(__file__).parents[2] / "fixtures" / "team"
PASSWORD, TOKEN = "pw-of-the-loader", "token-of-the-api"
AWAKE = {
    "PREFECT_SERVER_SERVICES_SCHEDULER_ENABLED": "true",
    "PREFECT_SERVER_SERVICES_SCHEDULER_LOOP_SECONDS": "1",
    "PREFECT_SERVER_SERVICES_TRIGGERS_ENABLED": "true",
}


class OnCall(HTTPServer):
    """Whoever is called by the team's webhook: keeps the path and body of each call."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.calls: list[tuple[str, str]] = []
        self.url = f"http://127.0.0.1:{self.server_port}/path-of-the-hook"


class Answer(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        assert isinstance(self.server, OnCall)
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.calls.append((self.path, body.decode()))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class Team:
    """A project directory, and what the team does in it at one server or the other."""

    def __init__(self, directory: Path, on_call: OnCall) -> None:
        self.directory = directory
        self.on_call = on_call
        shutil.copytree(PROJECT, directory)

    def run(self, server: Server, *command: str) -> str:
        """What a command prints, which must end well."""
        done = subprocess.run(
            command, cwd=self.directory, env=self._environment(server), capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def python(self, server: Server, script: str) -> None:
        """Run a script of the project."""
        self.run(server, sys.executable, script)

    def prefect(self, server: Server, *arguments: str) -> None:
        """Run ``prefect`` as somebody does who is not asked anything."""
        self.run(server, str(processes.find_prefect()), "--no-prompt", *arguments)

    @contextmanager
    def worker(self, server: Server, pool: str) -> Iterator[None]:
        """A worker of a pool; the runs that it started end with it."""
        command = [str(processes.find_prefect()), "worker", "start", "--pool", pool]
        with (self.directory / f"{pool}.log").open("wb") as log:
            process = subprocess.Popen(
                command,
                cwd=self.directory,
                env=self._environment(server),
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        try:
            yield
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def fill_in(self, file: str) -> None:
        """Write the secrets into a template for ``--secrets``, as a person does."""
        values = {
            "/data/password": PASSWORD,
            "/data/value": TOKEN,
            "/data/url": self.on_call.url,
            "/job_variables/env/API_TOKEN": TOKEN,
            "/job_variables/env/WAREHOUSE_PASSWORD": PASSWORD,
        }
        path = self.directory / file
        slots = tomllib.loads(path.read_text())
        path.write_text("".join(f'"{slot}" = "{values[slot.partition("#")[2]]}"\n' for slot in slots))

    def _environment(self, server: Server) -> dict[str, str]:
        """What the team's processes see: one server, and nothing of the caller's Prefect."""
        home = str(self.directory.parent)
        return {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": os.environ.get("PYTHONPATH", ""),
            "HOME": home,
            "PREFECT_HOME": home,
            "PREFECT_API_URL": server.url,
            "PREFECT_WORKER_QUERY_SECONDS": "1",
            "DO_NOT_TRACK": "1",
            "WEBHOOK_URL": self.on_call.url,
        }


@pytest.fixture(scope="module")
def team(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Team]:
    """A team that has nothing yet but its project."""
    with OnCall() as on_call:
        Thread(target=on_call.serve_forever, daemon=True).start()
        yield Team(tmp_path_factory.mktemp("team") / "project", on_call)
        on_call.shutdown()


@pytest.fixture(scope="module")
def source(team: Team, server_pool: ServerPool) -> Iterator[Server]:
    """The server on which the team made everything it has."""
    server = server_pool.take()
    team.python(server, "before_deploy.py")
    team.prefect(server, "deploy", "--all")
    team.python(server, "after_deploy.py")
    team.prefect(server, "automation", "create", "--from-file", "automations.yaml")
    yield server
    server_pool.give_back(server)


@pytest.fixture(scope="module")
def destination(server_pool: ServerPool, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """An empty server with the services at work that start runs."""
    place, database = tmp_path_factory.mktemp("destination"), server_pool.empty_database
    with processes.start(place, settings={**SETTINGS, **AWAKE}, database=database) as server:
        yield server


@pytest.fixture(scope="module")
def account(team: Team, source: Server, destination: Server) -> Iterator[Any]:
    """The account of the transfer; then workers of two of the pools are at work at the destination.

    The export says what the transfer has to be told: which secrets are missing, and whose automation is in doubt.
    """

    def xfer(*arguments: str) -> Any:
        return json.loads(team.run(source, sys.executable, "-m", "bundle", *arguments, "--json"))

    exported = xfer("export", "--redact", "--from", source.url, "-o", "env.pxb")
    (doubt,) = (each for each in exported["findings"] if each["code"] == "ambiguous-owner")
    xfer("secrets", "template", "env.pxb", "-o", "secrets.toml")
    team.fill_in("secrets.toml")
    told = ("--owner", f"{doubt['key']}={doubt['detail']}", "--secrets", "secrets.toml", "--no-receipt")
    moved = xfer("transfer", "--redact", "--from", source.url, "--to", destination.url, *told)
    with ExitStack() as stack:
        for pool in ("etl", "watch"):
            stack.enter_context(team.worker(destination, pool))
        yield moved


def wait_for(what: Callable[[], Any]) -> Any:
    """The first thing found that is true; services and workers take seconds."""
    deadline = time.monotonic() + 60
    while not (found := what()):
        assert time.monotonic() < deadline
        time.sleep(0.5)
    return found


def rows(server: Server, path: str) -> list[dict[str, Any]]:
    with Api(server.url) as api:
        return api.read_all(f"{path}/filter")


def inventory(server: Server) -> dict[str, list[Any]]:
    """The names of all that a deploy makes, each as often as it is there."""
    deployments = rows(server, "/deployments")
    schedules = [[each["name"], schedule] for each in deployments for schedule in each["schedules"]]
    return {
        "deployments": sorted(each["name"] for each in deployments),
        "schedules": sorted(json.dumps([name, each["slug"], each["schedule"]]) for name, each in schedules),
        "automations": sorted(each["name"] for each in rows(server, "/automations")),
        "work pools": sorted(each["name"] for each in rows(server, "/work_pools")),
        "limits": sorted(each["limit"] for each in rows(server, "/v2/concurrency_limits")),
    }


def test_everything_arrives(account: Any) -> None:
    """Whatever the destination did not bring along is created, and no secret is outstanding."""
    states = {each["key"]: each["state"] for each in account["resources"] if each["reason"] != "exists-same"}
    assert set(states.values()) == {"succeeded"}
    counts = {kind: sum(key.startswith(f"{kind}:") for key in states) for kind in ("work-pool", "automation", "block")}
    assert counts == {"work-pool": 3, "automation": 4, "block": 4}
    assert [each["state"] for each in account["secrets"]] == ["supplied"] * 5


@pytest.mark.usefixtures("account")
def test_the_bundle_holds_no_secret(team: Team) -> None:
    """``prefect deploy`` writes the secrets that a template names into the deployment; ``--redact`` takes them out."""
    with (team.directory / "env.pxb").open("rb") as file:
        text = zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True).read()
    assert b"order.arrived" in text
    assert not any(each.encode() in text for each in (PASSWORD, TOKEN, "path-of-the-hook"))


@pytest.mark.usefixtures("account")
def test_an_event_leads_to_a_run_that_finds_everything(team: Team, destination: Server) -> None:
    """A worker completes the run that an event asks for, with each block and variable; other automations act too."""
    team.prefect(destination, "event", "emit", "order.arrived", "--resource-id", "order.42")

    file = team.directory / "order.42.json"
    wait_for(file.exists)
    assert json.loads(file.read_text()) == {
        "order": "order.42",
        "api token": TOKEN,
        "warehouse": ["db.example.com", "loader", PASSWORD],
        "variables": ["eu", {"rows": 100}],
        "environment": [TOKEN, "eu", PASSWORD],
    }
    assert wait_for(lambda: team.on_call.calls) == [("/path-of-the-hook", "order.42")]
    # The end of a run of this very deployment pauses this very pool.
    wait_for(lambda: [each["name"] for each in rows(destination, "/work_pools") if each["is_paused"]] == ["spare"])


@pytest.mark.usefixtures("account")
def test_schedules_go_on(destination: Server) -> None:
    """A run completes that nobody asked for but a schedule."""
    wait_for(
        lambda: any(
            each["auto_scheduled"] and each["state_type"] == "COMPLETED" for each in rows(destination, "/flow_runs")
        )
    )


@pytest.mark.usefixtures("account")
def test_the_next_deploy_makes_no_twins(team: Team, source: Server, destination: Server) -> None:
    """``prefect deploy`` at the destination finds what it made at the source: there is as much as before."""
    team.prefect(destination, "deploy", "--all")

    assert inventory(destination) == inventory(source)
