"""What Prefect's documentation of ``prefect transfer`` promises holds for ``xfer transfer``, word by word.

https://docs.prefect.io/v3/how-to-guides/migrate/transfer-resources. Cloud is emulated (docs/cloud.md), with a real
server behind it. What a server and a workspace both can be the destination of goes to both.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from bundle.server.process import Server
from support.commands import Ended, write_profiles, xfer
from support.compare import compare
from support.emulator import HOBBY, KEY, Cloud, Rules
from support.environment import Api, Size, seed_pools
from support.proxy import Proxy

Factory = Callable[[Size | None], Server]
NOBODY = "http://127.0.0.1:9/api"
SECRET = "block:aws-credentials/main#/data/aws_secret_access_key"


class World:
    """Two profiles, ``dev`` and ``prod``, and what stands behind them: each a server, or a workspace of a plan."""

    def __init__(self, factory: Factory, stack: ExitStack, profiles: Path) -> None:
        self._factory, self._stack, self._profiles = factory, stack, profiles
        self._tables: dict[str, dict[str, Any]] = {}

    def add(self, profile: str, kind: str) -> Proxy:
        """A profile for a new ``server``, a ``cloud`` workspace, or one on the ``hobby`` plan."""
        server = self._factory(None)
        rules = {"cloud": Rules(), "hobby": HOBBY}.get(kind)
        door = self._stack.enter_context(Cloud(server.url, rules) if rules else Proxy(server.url))
        self.write(profile, door.url, **({"PREFECT_API_KEY": KEY} if rules else {}))
        return door

    def write(self, profile: str, url: str, **settings: str) -> None:
        """A profile for a URL."""
        self._tables[profile] = {"PREFECT_API_URL": url, **settings}
        write_profiles(self._profiles, active="", **self._tables)


@pytest.fixture
def world(server_factory: Factory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.setenv("PREFECT_PROFILES_PATH", str(tmp_path / "profiles.toml"))
    monkeypatch.chdir(tmp_path)
    with ExitStack() as stack:
        yield World(server_factory, stack, tmp_path / "profiles.toml")


def transfer(*options: str) -> Ended:
    return xfer("transfer", "--from", "dev", "--to", "prod", "--no-receipt", *options)


def reasons(ended: Ended) -> dict[str, str]:
    return {each["key"]: each["reason"] for each in ended.document["resources"]}


# -- Quick start, common scenarios ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "destination"),
    [("server", "server"), ("server", "cloud"), ("cloud", "cloud"), ("cloud", "server")],
)
def test_all_resources_are_transferred_and_a_second_run_skips_them(world: World, source: str, destination: str) -> None:
    """Promised: "25 succeeded, 0 skipped", then "0 succeeded, 25 skipped": all arrives, and once."""
    dev, prod = world.add("dev", source), world.add("prod", destination)
    seed_pools(dev.upstream_url, cloud_pools=False)

    first = transfer()
    writes = len(prod.writes)
    second = transfer()

    # Every server has the type of the one block, and its schema.
    found = re.fullmatch(
        r"(\d+) succeeded, 0 skipped, 0 failed, 2 built in \((\d+) of \2 accounted for\)", first.last_line
    )
    assert found, first.out + first.err
    made, count = found.groups()
    assert second.last_line == f"0 succeeded, {made} skipped, 0 failed, 2 built in ({count} of {count} accounted for)"
    assert (first.code, second.code) == (0, 0)
    assert len(prod.writes) == writes
    assert compare(dev.upstream_url, prod.upstream_url) == []


def test_relationships_are_preserved(world: World) -> None:
    """Promised: "in the correct order to preserve relationships": all refers to what is at the destination."""
    dev, prod = world.add("dev", "server"), world.add("prod", "cloud")
    seed_pools(dev.upstream_url)

    assert transfer().code == 3  # the managed pool's deployment is blocked

    with Api(prod.upstream_url) as api:
        blocks = {row["id"] for row in api.read_all("/block_documents/filter")}
        deployments = {f"{row['name']}": row["id"] for row in api.read_all("/deployments/filter")}
        pools = {row["name"]: row for row in api.read_all("/work_pools/filter")}
        automations = {row["name"]: row for row in api.read_all("/automations/filter")}
    default = pools["push"]["base_job_template"]["variables"]["properties"]["aws"]["default"]
    assert default["$ref"]["block_document_id"] in blocks
    assert automations["pauses hybrid"]["actions"][0]["deployment_id"] == deployments["hybrid"]


def test_a_transferred_deployment_runs(world: World) -> None:
    """Promised: "Test a deployment: prefect deployment run": a run of it can be made at the destination."""
    dev, prod = world.add("dev", "server"), world.add("prod", "server")
    seed_pools(dev.upstream_url, cloud_pools=False)
    transfer()
    with Api(prod.upstream_url) as api:
        (row,) = (each for each in api.read_all("/deployments/filter") if each["name"] == "hybrid")
        run = api.post(f"/deployments/{row['id']}/create_flow_run")
    assert (run["state"]["type"], run["work_pool_name"]) == ("SCHEDULED", "hybrid")


# -- Resource handling ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("destination", "hybrid", "push", "managed"),
    [
        ("server", "created", "push-pool", "managed-pool"),
        ("cloud", "created", "created", "managed-pool"),
        ("hobby", "tier-limit", "tier-limit", "managed-pool"),
    ],
)
def test_work_pools_go_where_their_type_may(
    world: World, destination: str, hybrid: str, push: str, managed: str
) -> None:
    """Hybrid pools go anywhere but to Hobby, push pools to Cloud but not to Hobby, managed pools never."""
    dev = world.add("dev", "server")
    world.add("prod", destination)
    seed_pools(dev.upstream_url)

    found = reasons(transfer("--json"))

    assert [found[f"work-pool:{name}"] for name in ("hybrid", "push", "managed")] == [hybrid, push, managed]
    assert found["deployment:push flow/managed"] == "waits-for"


@pytest.mark.parametrize("destination", ["server", "cloud"])
def test_resources_that_exist_are_skipped(world: World, destination: str) -> None:
    """Promised: "resources that already exist in the destination will be skipped", whatever their content."""
    dev, prod = world.add("dev", "server"), world.add("prod", destination)
    seed_pools(dev.upstream_url, cloud_pools=False)
    with Api(prod.upstream_url) as api:
        api.create("/variables/", name="region", value="us")
        pool = api.create("/work_pools/", name="hybrid", type="process", description="ours")

    ended = transfer("--json")

    found = reasons(ended)
    assert ended.code == 0
    assert found["variable:region"] == found["work-pool:hybrid"] == "exists-differs"
    assert found["deployment:etl/hybrid"] == "created"
    with Api(prod.upstream_url) as api:
        assert api.send("GET", "/variables/name/region")["value"] == "us"
        assert api.send("GET", "/work_pools/hybrid")["id"] == pool


# -- Resource limits --------------------------------------------------------------------------------------------------


def test_tier_limits_are_skipped_with_a_clear_message(world: World) -> None:
    """Promised: "clear messages explaining why resources were skipped": Cloud's words, what is blocked, what to do."""
    dev = world.add("dev", "server")
    world.add("prod", "hobby")
    seed_pools(dev.upstream_url)

    ended = transfer()

    assert ended.code == 3
    assert "choose a higher plan, or make room" in " ".join(ended.out.split())
    assert "work-pool:hybrid: Your plan does not support hybrid work pools." in ended.out
    assert "      deployment:etl/hybrid" in ended.out
    assert "maximum number of deployments" in ended.out


def test_five_deployments_fit_the_hobby_tier(world: World) -> None:
    """Promised: "Hobby tier: 5 deployment limit": five arrive, the others are skipped, and that alone is no failure."""
    dev, prod = world.add("dev", "server"), world.add("prod", "hobby")
    with Api(dev.upstream_url) as api:
        flow = api.create("/flows/", name="etl")
        for number in range(7):
            api.create("/deployments/", name=f"d{number}", flow_id=flow)

    foreseen = xfer("transfer", "--from", "dev", "--to", "prod", "--dry-run", "--tier", "hobby", "--json")
    ended = transfer()
    again = transfer()

    assert foreseen.document["summary"]["unsupported"] == 2
    assert ended.last_line == "6 succeeded, 2 skipped, 0 failed (8 of 8 accounted for)"
    assert again.last_line == "0 succeeded, 8 skipped, 0 failed (8 of 8 accounted for)"
    assert (foreseen.code, ended.code, again.code) == (0, 0, 0)
    with Api(prod.upstream_url) as api:
        assert len(api.read_all("/deployments/filter")) == 5


# -- Limitations ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("destination", ["server", "cloud"])
def test_history_and_secrets_stay_behind(world: World, destination: str) -> None:
    """Promised: "Resources not transferred": runs, artifacts, and credentials, which are listed to be supplied."""
    dev, prod = world.add("dev", "server"), world.add("prod", destination)
    seed_pools(dev.upstream_url, cloud_pools=False)
    with Api(dev.upstream_url) as api:
        (row,) = (each for each in api.read_all("/deployments/filter") if each["name"] == "hybrid")
        api.post(f"/deployments/{row['id']}/create_flow_run")
        api.post("/artifacts/", key="report", type="markdown", data="# done")
        secret = next(
            each["data"]["aws_secret_access_key"]
            for each in api.read_all("/block_documents/filter", include_secrets=True)
            if each["name"] == "main"
        )

    ended = transfer("--json")

    assert ended.code == 0
    assert [(each["slot"], each["state"]) for each in ended.document["secrets"]] == [(SECRET, "outstanding")]
    assert not any(secret.encode() in json.dumps(json.loads(each.body or "0")).encode() for each in prod.requests)
    assert secret not in ended.out + ended.err
    with Api(prod.upstream_url) as api:
        scheduled = [each for each in api.read_all("/flow_runs/filter") if not each["auto_scheduled"]]
        assert (scheduled, api.read_all("/artifacts/filter")) == ([], [])


# -- Checklist, troubleshooting ---------------------------------------------------------------------------------------


def test_both_profiles_are_verified_first(world: World) -> None:
    """Promised: "Verify profiles": an unknown or unfinished one is told before any server hears anything."""
    dev = world.add("dev", "server")
    world.write("empty", "")
    for name, words in (("nobody", 'unknown profile "nobody"'), ("empty", "has no PREFECT_API_URL")):
        ended = xfer("transfer", "--from", "dev", "--to", name)
        assert (ended.code, words in ended.err) == (64, True)
    assert dev.requests == []


@pytest.mark.parametrize("missing", ["dev", "prod"])
def test_both_servers_are_reached_before_anything_is_read(world: World, missing: str) -> None:
    """Promised: "Test connectivity": where one side does not answer, the other is neither read nor written."""
    doors = {name: world.add(name, "server") for name in ("dev", "prod")}
    world.write(missing, NOBODY)

    ended = transfer()

    assert ended.code == 5
    assert f'profile "{missing}"' in ended.err
    other = doors["prod" if missing == "dev" else "dev"]
    assert {each.path.partition("?")[0] for each in other.requests} <= {"/api/flows/count", "/api/csrf-token"}


def test_a_wrong_key_is_told_before_anything_is_read(world: World) -> None:
    """Promised: "Check network connectivity and authentication": a refused key ends it, with the profile named."""
    dev, prod = world.add("dev", "server"), world.add("prod", "cloud")
    world.write("prod", prod.url, PREFECT_API_KEY="pnu_wrong")

    ended = transfer()

    assert (ended.code, 'profile "prod"' in ended.err, dev.writes) == (5, True, [])
    assert not any(each.path.endswith("/filter") for each in dev.requests)


def test_debug_logging_shows_every_request(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Promised: "PREFECT_LOGGING_LEVEL=DEBUG": each request is told on standard error, not on standard output."""
    dev, prod = world.add("dev", "server"), world.add("prod", "cloud")
    httpx.post(f"{dev.upstream_url}/variables/", json={"name": "v", "value": 1}, trust_env=False).raise_for_status()
    monkeypatch.setenv("PREFECT_LOGGING_LEVEL", "DEBUG")

    ended = transfer("--json")

    assert len(re.findall(r"debug bundle\.server\.client: (?:GET|POST) ", ended.err)) == len(dev.requests) + len(
        prod.requests
    )
    assert ended.document["ok"] is True
