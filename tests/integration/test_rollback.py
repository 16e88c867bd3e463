"""Taking an import back leaves what was there before, and nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

from bundle.apply.control import Control
from bundle.model import Bundle, Record
from bundle.operations.import_ import carry_out, prepare
from bundle.operations.receipt import Journal, read
from bundle.operations.rollback import roll_back
from bundle.operations.undo import Undone
from bundle.server.client import PrefectApi
from bundle.server.process import Server
from support.compare import compare
from support.environment import Size, random_environment
from support.moving import CREATED
from support.targets import target

Factory = Callable[[Size | None], Server]


def _import(url: str, bundle: Any, path: Path) -> None:
    async def run() -> None:
        async with PrefectApi(target(url)) as api:
            prepared = await prepare(bundle, api)
            with Journal.begin(path, prepared, destination=api.url, created=CREATED) as journal:
                await carry_out(prepared, api, Control(witness=journal))

    asyncio.run(run())


def _roll_back(url: str, path: Path, *, force: bool = False, dry_run: bool = False) -> dict[str, Undone]:
    async def run() -> tuple[Undone, ...]:
        async with PrefectApi(target(url)) as api:
            return await roll_back(read(path), api, force=force, dry_run=dry_run)

    return {undone.key: undone for undone in asyncio.run(run())}


def test_a_rollback_gives_back_the_earlier_state(server_factory: Factory, small: Bundle, tmp_path: Path) -> None:
    """After an import into a destination in use, a rollback leaves exactly what had been there."""
    destination, before = server_factory(None), server_factory(None)
    for server in (destination, before):
        random_environment(server.url, 21)

    _import(destination.url, small, tmp_path / "receipt")
    undone = _roll_back(destination.url, tmp_path / "receipt")

    assert {each.state for each in undone.values()} == {"succeeded"}
    assert compare(before.url, destination.url) == []


def test_a_second_rollback_finds_nothing(destination_server: Server, small: Bundle, tmp_path: Path) -> None:
    """What is gone is reported as gone, and a dry run before it deletes nothing."""
    _import(destination_server.url, small, tmp_path / "receipt")

    trial = _roll_back(destination_server.url, tmp_path / "receipt", dry_run=True)
    first = _roll_back(destination_server.url, tmp_path / "receipt")
    second = _roll_back(destination_server.url, tmp_path / "receipt")

    assert trial == first
    assert {each.reason for each in second.values()} == {"gone"}


def test_what_was_edited_since_is_kept(destination_server: Server, small: Bundle, tmp_path: Path) -> None:
    """A variable that was edited after the import stays, unless the rollback is forced."""
    _import(destination_server.url, small, tmp_path / "receipt")
    record = next(placed.record for placed in small.records if placed.record.kind == "variable")
    url = f"{destination_server.url}/variables/name/{record.body['name']}"
    httpx.patch(url, json={"value": "edited here"}, trust_env=False).raise_for_status()

    assert _roll_back(destination_server.url, tmp_path / "receipt")[record.key].reason == "edited"
    assert httpx.get(url, trust_env=False).json()["value"] == "edited here"
    assert _roll_back(destination_server.url, tmp_path / "receipt", force=True)[record.key].reason == "deleted"


def test_what_others_need_is_kept(destination_server: Server, small: Bundle, tmp_path: Path) -> None:
    """A flow for which somebody has made another deployment stays, since deleting it would delete that too."""
    _import(destination_server.url, small, tmp_path / "receipt")
    record = next(placed.record for placed in small.records if placed.record.kind == "flow")
    flow = httpx.post(f"{destination_server.url}/flows/", json={"name": record.body["name"]}, trust_env=False).json()
    httpx.post(
        f"{destination_server.url}/deployments/", json={"name": "theirs", "flow_id": flow["id"]}, trust_env=False
    ).raise_for_status()

    undone = _roll_back(destination_server.url, tmp_path / "receipt")[record.key]

    assert (undone.reason, undone.needed_by) == ("still-needed", (f"deployment:{record.body['name']}/theirs",))


def test_a_receipt_of_a_killed_import_is_enough(destination_server: Server, small: Bundle, tmp_path: Path) -> None:
    """A receipt that was never told the ids of what was made last still takes everything back."""
    _import(destination_server.url, small, tmp_path / "receipt")
    lines = (tmp_path / "receipt").read_bytes().splitlines(keepends=True)
    last = [line for line in lines if b'"made"' in line][-40:]
    (tmp_path / "cut").write_bytes(b"".join(line for line in lines if line not in last) + last[0][:10])

    undone = _roll_back(destination_server.url, tmp_path / "cut")

    assert {each.state for each in undone.values()} == {"succeeded"}


def test_what_users_made_renamed_and_ran_since_is_kept(
    destination_server: Server, small: Bundle, tmp_path: Path
) -> None:
    """A queue in an imported pool, a run of an imported deployment, and a variable of another name are somebody's."""
    _import(destination_server.url, small, tmp_path / "receipt")
    made = read(tmp_path / "receipt").made
    keys = {kind: next(key for key in made if key.startswith(f"{kind}:")) for kind in ("variable", "deployment")}
    pool = next(key for key in made if key.startswith("work-pool:"))
    flow = next(each.target for each in _record(small, keys["deployment"]).references if each.pointer == "/flow_id")
    with httpx.Client(base_url=destination_server.url) as http:
        answers = [
            http.post(f"work_pools/{pool.partition(':')[2]}/queues", json={"name": "mine"}),
            http.post(f"deployments/{made[keys['deployment']]}/create_flow_run", json={}),
            http.patch(f"variables/{made[keys['variable']]}", json={"name": "renamed"}),
        ]
        assert [each.status_code for each in answers] == [201, 201, 204]

        undone = _roll_back(destination_server.url, tmp_path / "receipt")

        kept = {key: (undone[key].reason, undone[key].detail) for key in (pool, *keys.values(), flow)}
        assert kept == {
            pool: ("still-needed", ""),
            keys["variable"]: ("edited", "now variable:renamed"),
            keys["deployment"]: ("still-needed", "flow runs: 1"),
            flow: ("still-needed", "flow runs: 1"),
        }
        assert http.get(f"work_pools/{pool.partition(':')[2]}/queues/mine").status_code == 200
        assert http.post("flow_runs/count", json={}).json() >= 1
        assert http.get("variables/name/renamed").status_code == 200


def _record(bundle: Bundle, key: str) -> Record:
    return next(placed.record for placed in bundle.records if placed.record.key == key)
