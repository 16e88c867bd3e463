"""A cutover on real servers: everything arrives switched off, and is switched on and off at will."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from bundle.container.reader import read_bundle
from bundle.model import Bundle
from bundle.plan.intended import intend, switched_off
from bundle.record import canonical
from bundle.server import processes
from bundle.server.process import Server
from support.commands import xfer
from support.compare import compare
from support.environment import Api, Canaries, Environment, Size
from support.moving import bundle_of, export, import_into, written
from support.proxy import Proxy

Factory = Callable[[Size | None], Server]


def rows(server: Server, path: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = httpx.post(f"{server.url}{path}/filter", json={}, trust_env=False).json()
    return found


def what_is_on(server: Server) -> list[str]:
    """The names of all that can start something at a server; equal schedules are not told apart."""
    deployments = rows(server, "/deployments")
    schedules = [(each["name"], schedule) for each in deployments for schedule in each["schedules"]]
    return sorted(
        [
            *(f"pool {each['name']}" for each in rows(server, "/work_pools") if not each["is_paused"]),
            *(f"deployment {each['name']}" for each in deployments if not each["paused"]),
            *(f"schedule {schedule['schedule']} of {name}" for name, schedule in schedules if schedule["active"]),
            *(f"automation {each['name']}" for each in rows(server, "/automations") if each["enabled"]),
        ]
    )


def without_switches(bundle: Any) -> list[bytes]:
    """The bodies, but for their keys and the order of members: a server gives some members in its own."""
    return sorted(canonical.encode(switched_off(record).body) for record in intend(bundle.records))


def test_everything_arrives_switched_off(destination_server: Server, small: Bundle) -> None:
    """After an inert import nothing is on, all else is as in the bundle, and a second one writes nothing."""
    imported = import_into(destination_server.url, small, inert=True)

    assert {outcome.state for outcome in imported.result.outcomes} <= {"succeeded", "skipped"}
    assert what_is_on(destination_server) == []
    arrived = bundle_of(destination_server.url)
    assert without_switches(arrived) == without_switches(small)
    again = import_into(destination_server.url, small, inert=True)
    assert again.sent.writes == 0


def document_of(*arguments: str) -> dict[str, Any]:
    """The document that a run of ``xfer`` prints, which must end well."""
    ended = xfer(*arguments, "--json")
    assert ended.code == 0, ended.err
    document: dict[str, Any] = ended.document
    return document


def states(document: dict[str, Any]) -> dict[str, int]:
    return {name: count for name, count in document["summary"].items() if count}


@pytest.fixture(scope="module")
def bundle_file(source_server: Server, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same on disk."""
    path = tmp_path_factory.mktemp("bundle") / "env.pxb"
    path.write_bytes(written(export(source_server.url)))
    return path


def test_activation_gives_the_state_of_the_bundle(
    destination_server: Server, small: Bundle, bundle_file: Path, source_server: Server
) -> None:
    """After an inert import, activating ends as a plain import would; a second time it writes nothing."""
    import_into(destination_server.url, small, inert=True)

    tried = document_of("activate", str(bundle_file), "--to", destination_server.url, "--dry-run")
    assert what_is_on(destination_server) == []
    done = document_of("activate", str(bundle_file), "--to", destination_server.url)

    assert done["summary"] == tried["summary"]
    assert [each["key"] for each in done["next_runs"]] == [each["key"] for each in tried["next_runs"]]
    assert done["next_runs"] != []
    assert bundle_of(destination_server.url).manifest.content_digest == small.manifest.content_digest
    assert compare(source_server.url, destination_server.url) == []
    with Proxy(destination_server.url) as proxy:
        again = document_of("activate", str(bundle_file), "--to", proxy.url)
        assert proxy.writes == []
    assert {each["reason"] for each in again["resources"]} == {"already"}
    assert again["next_runs"] == []


def test_what_was_switched_off_can_be_switched_on_again(server_factory: Factory, small: Bundle, tmp_path: Path) -> None:
    """Deactivating switches everything off and keeps the state, from which activating gives the earlier one back."""
    server, state = server_factory(Size.SMALL), tmp_path / "state.pxb"
    before = what_is_on(server)

    off = document_of("deactivate", "--from", server.url, "-o", str(state))

    assert what_is_on(server) == []
    assert state.stat().st_mode & 0o777 == 0o600
    assert read_bundle(state).manifest.content_digest == small.manifest.content_digest
    on = document_of("activate", str(state), "--to", server.url)
    assert what_is_on(server) == before
    assert bundle_of(server.url).manifest.content_digest == small.manifest.content_digest
    assert off["summary"] == on["summary"]


def test_nothing_on_leaves_no_state(server_factory: Factory, tmp_path: Path) -> None:
    """A state in which nothing is on is not written, and so replaces none, not even with --force."""
    server, state = server_factory(Size.SMALL), tmp_path / "state.pxb"
    document_of("deactivate", "--from", server.url, "-o", str(state))
    before = state.read_bytes()

    again = document_of("deactivate", "--from", server.url, "-o", str(state), "--force")

    assert {each["reason"] for each in again["resources"]} == {"already"}
    assert again["bundle"]["file"] is None
    assert state.read_bytes() == before


@pytest.fixture
def scheduling_server(server_pool: Any, tmp_path: Path) -> Iterator[Server]:
    """An empty server whose scheduler looks for work every second."""
    prefix = "PREFECT_SERVER_SERVICES_SCHEDULER"
    settings = {f"{prefix}_ENABLED": "true", f"{prefix}_LOOP_SECONDS": "1"}
    with processes.start(tmp_path / "server", settings=settings, database=server_pool.empty_database) as server:
        yield server


def starts(server: Server, deployment: str) -> list[dt.datetime]:
    """When the runs of a deployment are to start, by the name of the deployment."""
    known = {each["id"]: each["name"] for each in rows(server, "/deployments")}
    body = {"sort": "EXPECTED_START_TIME_ASC"}
    runs = httpx.post(f"{server.url}/flow_runs/filter", json=body, trust_env=False).json()
    times = [each["expected_start_time"] for each in runs if known[each["deployment_id"]] == deployment]
    return [dt.datetime.fromisoformat(each) for each in times]


def wait_for_scheduler(server: Server, name: str) -> None:
    """Wait until the scheduler has been at work: until a deployment that is made now has runs."""
    with Api(server.url) as api:
        environment = Environment(api, Canaries())
        environment.deployment("control", name, schedules=[{"schedule": {"cron": "0 0 1 * *"}}])
    deadline = time.monotonic() + 60
    while not starts(server, name):
        if "Can't evaluate bulk DML" in server.log.read_text():
            pytest.skip("with this SQLAlchemy, this Prefect schedules nothing")
        assert time.monotonic() < deadline
        time.sleep(0.2)


def test_no_run_is_scheduled_before_the_activation(
    destination_server: Server, scheduling_server: Server, tmp_path: Path
) -> None:
    """With the scheduler at work an inert import leads to no run, and the activation to the runs that it foretells."""
    with Api(destination_server.url) as api:
        environment = Environment(api, Canaries())
        hourly = {"schedule": {"cron": "5 * * * *", "timezone": "Asia/Kathmandu"}, "parameters": {"x": 1}}
        environment.schedules(environment.deployment("etl", "hourly"), hourly, hourly | {"active": False})
        environment.schedules(environment.deployment("etl", "stopped", paused=True), hourly)
    file = tmp_path / "env.pxb"
    file.write_bytes(written(export(destination_server.url)))

    wait_for_scheduler(scheduling_server, "before")
    document_of("import", str(file), "--to", scheduling_server.url, "--inert", "--no-receipt")
    wait_for_scheduler(scheduling_server, "between")
    assert starts(scheduling_server, "hourly") == starts(scheduling_server, "stopped") == []
    foretold = document_of("activate", str(file), "--to", scheduling_server.url)["next_runs"]
    wait_for_scheduler(scheduling_server, "after")

    assert [each["key"] for each in foretold] == ["deployment:etl/hourly"]
    assert [dt.datetime.fromisoformat(each) for each in foretold[0]["times"]] == starts(scheduling_server, "hourly")[:3]
    assert starts(scheduling_server, "stopped") == []
