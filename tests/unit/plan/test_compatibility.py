"""What of a bundle a destination can hold, and that plan, import and comparison agree on it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from bundle.environment.describe import Environment
from bundle.environment.selection import EVERYTHING
from bundle.model import Body, Placed, Record, Reference, Secret
from bundle.operations.drift import drift
from bundle.operations.import_ import Prepared, Result, carry_out, prepare
from bundle.plan import compare
from bundle.plan.actions import Plan
from bundle.plan.capabilities import Fields
from bundle.plan.compatibility import fit
from bundle.plan.intended import Intended, intend
from bundle.plan.overlay import NO_OVERLAY, adapt
from bundle.record.canonical import make_record
from bundle.server.openapi import parse_openapi
from support.fake_prefect import FakePrefect
from support.offline import api_of
from support.seeded import seeded

SCHEDULE: Any = {"properties": {"schedule": {}, "active": {}}}


def model(*names: str, **more: Any) -> Any:
    schema = {"properties": {**{name: {} for name in names}, **more}}
    return {"post": {"requestBody": {"content": {"application/json": {"schema": schema}}}}}


OLD = Fields(
    parse_openapi(
        {
            "paths": {
                "/variables/": model("name", "value"),
                "/deployments/": model("name", "flow_id", schedules={"type": "array", "items": SCHEDULE}),
                "/concurrency_limits/": model("tag", "concurrency_limit"),
                "/automations/": model("name", "trigger", actions={"items": {"properties": {"type": {"const": "a"}}}}),
                "/work_pools/{work_pool_name}/queues": model("name", "priority"),
            }
        }
    ),
    version=(3, 0, 11),
)


def fitted(key: str, body: Body, references: Any = (), secrets: Any = ()) -> tuple[Record, Intended]:
    record = make_record(key, body, references, secrets)
    (found,) = fit(intend([Placed(3, record)]), OLD)
    return record, found


def test_what_has_no_place_is_taken_out_with_all_that_stands_below_it() -> None:
    """Fields go at any depth, and references and secrets below them; the rest and the digest stay."""
    body = {
        "name": "d",
        "flow_id": "",
        "parameters": {"block": ""},
        "schedules": [{"schedule": {"cron": ""}}, {"active": True, "parameters": {"x": None}, "slug": "s"}],
    }
    flow = Reference("/flow_id", "flow:f")
    references = [flow, Reference("/parameters/block", "block:b"), Reference("/schedules/1/parameters", "v", "name")]
    record, found = fitted("deployment:f/d", body, references, [Secret("/schedules/1/parameters/x", "s", "string")])

    assert found.wave == 3
    assert found.dropped == ("/parameters", "/schedules/1/parameters", "/schedules/1/slug")
    assert found.body == {
        "name": "d",
        "flow_id": "",
        "schedules": [{"schedule": {"cron": ""}}, {"active": True}],
    }
    assert (found.references, found.secrets) == ((flow,), ())
    assert found.record == record
    assert record.body["parameters"] == {"block": ""}


@pytest.mark.parametrize(
    ("key", "body", "reason", "places"),
    [
        (
            "automation:x",
            {"name": "x", "trigger": {}, "actions": [{"type": "a"}, {"type": "b"}]},
            "not-held",
            "/actions/1",
        ),
        ("variable:a-b", {"name": "a-b", "value": 1}, "not-held", "/name"),
        ("flow:x", {"name": "x"}, "not-offered", None),
        ("default-result-storage:server", {"default_result_storage_block_id": ""}, "not-offered", None),
    ],
)
def test_what_cannot_be_held_at_all_is_refused(key: str, body: Body, reason: str, places: str | None) -> None:
    """A value of no known shape, a name that is too new, and a missing route each refuse the resource, untouched."""
    record, found = fitted(key, body)

    assert found.refused == reason
    assert found.dropped == ((places,) if places else ())
    assert (found.record, found.body) == (record, body)


@pytest.mark.parametrize(
    ("key", "body", "dropped"),
    [
        ("tag-limit:t", {"tag": "t", "limit": 1}, None),
        ("tag-limit:t", {"tag": "t", "limit": 1, "active": False}, ("/active",)),
        ("work-queue:p/q", {"name": "q", "work_pool_id": "", "priority": 1, "is_default": True}, None),
    ],
)
def test_what_is_sent_in_another_way_is_not_dropped(key: str, body: Body, dropped: tuple[str, ...] | None) -> None:
    """A field that reaches the server under another name, or by another request, counts as held."""
    assert fitted(key, body)[1].dropped == (dropped or ())


def test_a_destination_that_takes_all_changes_nothing() -> None:
    """Where nothing is known of a destination, the records are as they were."""
    records = intend([Placed(0, make_record("variable:a-b", {"name": "a-b", "value": 1, "new": 2}, (), ()))])
    assert fit(records, Fields()) == records


# -- An older server, from plan to comparison --------------------------------------------------------------------------


LACKS: dict[str, Any] = {
    "POST /flows/": ["labels"],
    "POST /deployments/": ["labels", "global_concurrency_limit_id"],
    "POST /automations/": ["tags"],
    "PUT /automations/{id}": ["tags"],
    "POST /work_pools/": ["storage_configuration"],
    "GET /admin/storage": None,
    "PUT /admin/storage": None,
}


def older() -> FakePrefect:
    return FakePrefect(version="3.1.0", lacks=LACKS)


def imported(fake: FakePrefect) -> tuple[Prepared, Result]:
    bundle = seeded()

    async def run() -> tuple[Prepared, Result]:
        async with api_of(fake) as api:
            prepared = await prepare(bundle, api)
            assert fake.writes == []
            return prepared, await carry_out(prepared, api)

    return asyncio.run(run())


def compared(fake: FakePrefect) -> Plan:
    wanted = adapt(seeded(), EVERYTHING, NO_OVERLAY)

    async def run() -> Plan:
        async with api_of(fake) as api:
            return await drift(wanted, api)

    return asyncio.run(run())


def test_drops_are_planned_reported_and_not_missed_afterwards() -> None:
    """The plan names every drop before a write, the outcomes name the same, and then nothing differs any more."""
    fake = older()
    prepared, result = imported(fake)
    planned = {action.key: action.dropped for action in prepared.plan.actions if action.dropped}
    fake.reset()
    again, _ = imported(fake)

    assert planned["flow:labelled"] == ("/labels",)
    assert planned["automation:on failure"] == ("/tags",)
    assert planned["deployment:sharing/first"] == ("/global_concurrency_limit_id",)
    assert {place for places in planned.values() for place in places} == {
        "/labels",
        "/tags",
        "/global_concurrency_limit_id",
        "/storage_configuration",
        "/name",
    }
    assert {outcome.key: outcome.dropped for outcome in result.outcomes if outcome.dropped} == planned
    assert result.count("failed") == result.count("blocked") == 0
    assert fake.writes == []
    assert {action.reason for action in again.plan.actions} == {"exists-same", "not-held", "not-offered"}
    assert {action.key: action.dropped for action in again.plan.actions if action.dropped} == planned


def test_a_comparison_says_what_could_not_be_held() -> None:
    """Read back, the destination holds the bundle but for what is named."""
    fake = older()
    imported(fake)

    plan = compared(fake)

    assert {action.reason for action in plan.actions} == {"exists-same", "not-held", "not-offered"}
    assert next(each.dropped for each in plan.actions if each.key == "flow:labelled") == ("/labels",)


def test_a_name_that_the_destination_does_not_take_comes_with_the_way_out() -> None:
    """The rule is named, and the option that gives another name."""
    limit = make_record("tag-limit:a/b", {"tag": "a/b", "limit": 1}, [], [])
    records = fit(intend([Placed(0, limit)]), Fields(version=(3, 9, 1)))

    (action,) = compare.compare(records, {}, compare.Present(Environment({}, {}, {}, {}))).actions

    assert (action.verb, action.reason) == ("unsupported", "not-held")
    assert (
        action.detail
        == "since Prefect 3.4.19 it may not have / % & < >; give it another name with --map 'tag-limit:a/b=NAME'"
    )
