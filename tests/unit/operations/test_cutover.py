"""bundle.activation: what a bundle has on is switched on at a destination, in order, and reversibly."""

from __future__ import annotations

import asyncio
import copy
import functools
import re
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from bundle.environment.selection import EVERYTHING, Selection
from bundle.errors import RequestRejected
from bundle.kinds import KINDS
from bundle.kinds.protocols import Made
from bundle.model import Bundle
from bundle.operations import cutover
from bundle.operations.cutover import SWITCH_REASONS, Switched
from bundle.plan.intended import intend
from support.fake_prefect import FakePrefect
from support.moving import bundle_of, import_into
from support.offline import api_of
from support.seeded import seeded


def switch(
    fake: FakePrefect,
    bundle: Bundle,
    *,
    on: bool = True,
    selection: Selection = EVERYTHING,
    between: Callable[[], None] = lambda: None,
    stop: asyncio.Event | None = None,
) -> tuple[Switched, ...]:
    """Plan, let ``between`` happen, and carry out; the requests before are forgotten."""
    fake.reset()

    async def run() -> tuple[Switched, ...]:
        async with api_of(fake) as api:
            switching = await cutover.prepare(bundle, api, on=on, selection=selection)
            between()
            return await cutover.carry_out(switching, api, stop=stop)

    results = asyncio.run(run())
    assert {each.reason for each in results} <= SWITCH_REASONS.keys()
    return results


@functools.cache
def _inert() -> FakePrefect:
    fake = FakePrefect(seed=1)
    import_into(fake, seeded(), inert=True)
    return fake


@pytest.fixture
def fake() -> FakePrefect:
    """A server that holds the whole environment, switched off."""
    return copy.deepcopy(_inert())


def by_reason(results: Sequence[Switched]) -> dict[str, int]:
    reasons = [each.reason for each in results]
    return {reason: reasons.count(reason) for reason in sorted(set(reasons))}


def test_everything_that_is_on_in_the_bundle_is_switched_on(fake: FakePrefect) -> None:
    """After an inert import and the activation, a destination holds what the bundle has, and a second one is idle."""
    results = switch(fake, seeded())

    assert {each.state for each in results} == {"succeeded", "skipped"}
    assert bundle_of(fake).manifest.content_digest == seeded().manifest.content_digest
    assert by_reason(switch(fake, seeded())) == {"already": len(results)}
    assert fake.writes == []


def test_only_switches_are_written(fake: FakePrefect) -> None:
    """Every write of an activation is a PATCH of one switch, with the parameters that a schedule would lose."""
    switch(fake, seeded())
    places = {re.sub(r"/[0-9a-f-]{36}|(?<=work_pools)/.*", "/*", each.path) for each in fake.writes}
    assert places == {"/work_pools/*", "/deployments/*", "/deployments/*/schedules/*", "/automations/*"}
    fields = {(each.method, *sorted(each.body)) for each in fake.writes}
    assert fields == {
        ("PATCH", "is_paused"), ("PATCH", "paused"), ("PATCH", "active", "parameters"), ("PATCH", "enabled"),
    }  # fmt: skip


def test_what_is_needed_comes_first(fake: FakePrefect) -> None:
    """Pools are switched on before deployments, those before automations; off it goes the other way round."""
    order = ["work_pools", "deployments", "automations"]
    for on in (True, False):
        switch(fake, seeded(), on=on)
        seen = [each.path.split("/")[1] for each in fake.writes]
        assert seen == sorted(seen, key=order.index, reverse=not on)


def test_a_deployment_starts_with_all_its_schedules(fake: FakePrefect) -> None:
    """Schedules are switched before their deployment goes on, and after it went off."""
    for on in (True, False):
        switch(fake, seeded(), on=on)
        paths = [each.path for each in fake.writes]
        scheduled = {path.split("/")[2] for path in paths if "/schedules/" in path} & {
            path.split("/")[2] for path in paths if path.startswith("/deployments/") and path.count("/") == 2
        }
        assert scheduled
        for identifier in scheduled:
            own = [path for path in paths if path.startswith(f"/deployments/{identifier}")]
            assert own.index(f"/deployments/{identifier}") == (len(own) - 1 if on else 0)


def test_activating_switches_nothing_off(fake: FakePrefect) -> None:
    """What is on at the destination and not in the bundle stays on."""
    for row in fake.rows("automations"):
        row["enabled"] = True
    switch(fake, seeded())
    assert all(row["enabled"] for row in fake.rows("automations"))


def test_deactivating_switches_off_what_the_state_has_on(fake: FakePrefect) -> None:
    """What was switched on after the state was kept stays on."""
    state = bundle_of(fake)
    later = fake.rows("automations")[0]
    later["enabled"] = True
    assert by_reason(switch(fake, state, on=False)) == {"already": len(switch(fake, state, on=False))}
    assert later["enabled"]


def test_a_selection_is_switched_alone(fake: FakePrefect) -> None:
    """With a selection only what is selected is switched."""
    results = switch(fake, seeded(), selection=Selection(include=("work-pool",)))
    assert {each.kind for each in results} == {"work-pool"}
    assert not any(row["enabled"] for row in fake.rows("automations"))


def test_what_is_missing_holds_back_what_needs_it(fake: FakePrefect) -> None:
    """A resource that is gone has failed, and what needs it is blocked and stays off."""
    fake.drop("work_pools", fake.rows("work_pools", name="local")[0]["id"])
    results = {each.key: each for each in switch(fake, seeded())}
    assert (results["work-pool:local"].state, results["work-pool:local"].reason) == ("failed", "missing")
    blocked = [each for each in results.values() if each.reason == "waits-for"]
    assert blocked
    assert all(each.state == "blocked" and each.waits_for for each in blocked)


@pytest.mark.parametrize("table", ["work_pools", "variables", "block_documents"])
def test_a_plan_holds_back_all_that_hangs_on_what_is_missing(fake: FakePrefect, table: str) -> None:
    """Whether it has switches of its own or not, what needs it is blocked, and what needs that, too."""
    for identifier in list(fake.tables[table]):
        fake.drop(table, identifier)

    async def plan() -> cutover.Switching:
        async with api_of(fake) as api:
            return await cutover.prepare(seeded(), api, on=True)

    switching = asyncio.run(plan())

    steps = {each.key: each.state for each in switching.plan}
    there = switching.destination.records
    held = {key for key, state in steps.items() if state in {"failed", "blocked"}}
    held |= {each.key for each in intend(seeded().records) if each.kind in {"variable", "block"}} - there.keys()
    needy = [each for each in intend(seeded().records) if {one.target for one in each.references} & held]
    states = {steps[each.key] for each in needy if each.key in steps}
    assert "blocked" in states
    assert "succeeded" not in states


def test_what_is_refused_holds_back_what_needs_it(fake: FakePrefect) -> None:
    """What the destination refuses to switch on has failed, and what needs it is blocked; the rest goes on."""

    def remove_a_pool() -> None:
        fake.drop("work_pools", fake.rows("work_pools", name="local")[0]["id"])

    results = switch(fake, seeded(), between=remove_a_pool)
    assert {"rejected", "waits-for", "switched-on"} <= by_reason(results).keys()
    blocked = [each for each in results if each.reason == "waits-for"]
    assert all("work-pool:local" in each.waits_for for each in blocked if each.kind == "deployment")


def test_a_destination_that_denies_ends_it(fake: FakePrefect) -> None:
    """Once access is denied nothing more is tried, and every resource still ends in one state."""
    results = switch(fake, seeded(), between=lambda: fake.fail(0, "denied"))
    assert len(fake.writes) <= 16
    assert {"denied", "not-tried"} <= by_reason(results).keys()
    assert len(results) == len(switch(fake, seeded()))


def test_an_interrupted_activation_goes_on(fake: FakePrefect) -> None:
    """After a stop nothing new is begun; the same again does the rest."""
    stop = asyncio.Event()
    stop.set()
    assert "switched-on" not in by_reason(switch(fake, seeded(), stop=stop))
    assert fake.writes == []
    assert "switched-on" in by_reason(switch(fake, seeded()))


def test_what_an_import_left_unfinished_is_not_switched_on(fake: FakePrefect) -> None:
    """A resource with the mark of an unfinished import has failed, and is not touched."""
    record = next(each for each in intend(seeded().records) if each.kind == "automation")
    row = fake.rows("automations", name=record.body["name"])[0]
    row["description"] = f"{row['description']} {record.mark}"
    results = {each.key: each for each in switch(fake, seeded())}
    assert (results[record.key].state, results[record.key].reason) == ("failed", "unfinished")
    assert not row["enabled"]


def test_a_schedule_that_is_gone_is_told(fake: FakePrefect) -> None:
    """Where a schedule that the bundle has on is not there, the rest is switched on, and the resource has failed."""
    row = fake.rows("deployments", name="with slugs")[0]
    row["schedules"] = [each for each in row["schedules"] if each["slug"] != "weekly"]
    results = {each.key: each for each in switch(fake, seeded())}
    failed = results["deployment:scheduled/with slugs"]
    assert (failed.state, failed.reason) == ("failed", "schedule-missing")
    assert [each["slug"] for each in row["schedules"] if each["active"]] == ["weekdays"]


def test_schedules_that_will_fire_are_named(fake: FakePrefect) -> None:
    """Of a deployment that goes on, the active schedules are named; of a paused one, and the second time, none."""
    firing = {each.key: [entry.get("slug") for entry in each.firing] for each in switch(fake, seeded()) if each.firing}
    assert sorted(map(str, firing["deployment:scheduled/with slugs"])) == ["weekdays", "weekly"]
    assert "deployment:scheduled/without slugs" not in firing
    assert [each for each in switch(fake, seeded()) if each.firing] == []


def test_live_secrets_survive(fake: FakePrefect) -> None:
    """Neither an inert import nor an activation writes to a block."""
    places = [place for each in seeded().records for place in each.record.secrets if each.record.kind == "block"]
    named = {place.slot.partition("#")[0].rpartition("/")[2] for place in places if place.pointer == "/data/value"}
    live = [row for row in fake.rows("block_documents") if row["name"] in named]
    for row in live:
        row["data"] = {"value": "live"}

    import_into(fake, seeded(), inert=True)
    switch(fake, seeded())

    assert live
    assert all(row["data"] == {"value": "live"} for row in live)
    assert not any("block" in each.path for each in fake.writes)


class Older:
    """A destination that refuses to change a deployment whose parameters do not fit its schema (Prefect 3.0)."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    async def patch(self, template: str, body: dict[str, Any], **_segments: str) -> None:
        self.calls.append(f"PATCH {template} {sorted(body)}")
        if template == "/deployments/{id}":
            raise RequestRejected("no", status=409, hint="-")

    async def post(self, template: str, _body: dict[str, Any], **_segments: str) -> dict[str, Any]:
        self.calls.append(f"POST {template}")
        return {}


@pytest.mark.parametrize(("on", "route"), [(True, "resume_deployment"), (False, "pause_deployment")])
def test_older_servers_pause_by_another_route(*, on: bool, route: str) -> None:
    """Where PATCH of a deployment is refused with 409, the routes that only pause and resume are used."""
    older: Any = Older()
    made = Made("1", {"schedules": [{"id": "2", "schedule": {"cron": "@daily"}, "active": not on}]})
    switches = KINDS["deployment"].switches({"paused": on, "schedules": [{"schedule": {"cron": "@daily"}}]})
    asyncio.run(KINDS["deployment"].switch(older, made, dict.fromkeys(switches, on)))
    pause = ["PATCH /deployments/{id} ['paused']", f"POST /deployments/{{id}}/{route}"]
    schedule = ["PATCH /deployments/{id}/schedules/{schedule_id} ['active']"]
    assert older.calls == ([*schedule, *pause] if on else [*pause, *schedule])
