"""What is to be done with each record, and why."""

from __future__ import annotations

from typing import Any

import pytest

from bundle.environment.describe import Environment
from bundle.model import Body, Key, Record, Reference
from bundle.plan.actions import Action, Difference, Plan
from bundle.plan.choices import Choices, Conflicts
from bundle.plan.compare import Present, View, compare, needs
from bundle.plan.intended import Intended
from bundle.plan.matching import match
from bundle.plan.secret_values import SecretValues
from bundle.record.secrets import marker
from support.by_hand import intended, record, there

UPDATE = Conflicts("update")


def variable(name: str, value: Any = 1) -> Record:
    return record(f"variable:{name}", {"name": name, "value": value})


FLOW = record("flow:etl", {"name": "etl"})
DEPLOYMENT = record("deployment:etl/d", {"name": "d", "flow_id": ""}, Reference("/flow_id", "flow:etl"))
SECRET = record(
    "block:secret/db", {"name": "db", "data": {"value": None}, "block_type_id": "t", "block_schema_id": "s"},
    secrets=["/data/value"],
)  # fmt: skip
SLOT = SECRET.secrets[0].slot


def planned(
    ours: list[Record], destination: Environment | None = None, *, secrets: SecretValues | None = None,
    is_cloud: bool | None = False, **given: Any,
) -> Plan:  # fmt: skip
    """The plan for a destination, which has nothing unless it is given."""
    environment = destination or there()
    records = intended(*ours)
    present = Present(environment, is_cloud=is_cloud, secrets=secrets or SecretValues())
    return compare(records, match(records, environment), present, **given)


def by_key(plan: Plan) -> dict[Key, Action]:
    return {action.key: action for action in plan.actions}


def only(plan: Plan) -> Action:
    (action,) = plan.actions
    return action


def revealed(value: Any) -> SecretValues:
    """What the destination really holds in the secret block."""
    return SecretValues({SLOT: "new"}, {SECRET.key.upper(): {**SECRET.body, "data": {"value": value}}})


def test_what_is_missing_is_created_and_what_is_there_is_left() -> None:
    """Each record gets one action, in the order of the bundle, with the id of what is there."""
    plan = planned([variable("a"), variable("b"), variable("c")], there(variable("b", 2), variable("c"), variable("d")))

    assert plan.actions == (
        Action("variable:a", "variable", "create", "created"),
        Action("variable:b", "variable", "skip", "exists-differs", "VARIABLE:B", (Difference("/value", 1, 2),)),
        Action("variable:c", "variable", "skip", "exists-same", "VARIABLE:C"),
    )


def test_only_the_selected_are_acted_on() -> None:
    """What is not chosen is skipped, whether it is there or not, and its id is known all the same."""
    plan = planned(
        [variable("a"), variable("b"), variable("c")], there(variable("b", 2)), chosen=frozenset({"variable:c"})
    )

    assert [(each.verb, each.reason, each.id) for each in plan.actions] == [
        ("skip", "not-selected", None),
        ("skip", "not-selected", "VARIABLE:B"),
        ("create", "created", None),
    ]


def test_what_needs_something_that_will_not_be_there_is_blocked() -> None:
    """A record that waits for one that is not selected is blocked, and so is what waits for that."""
    use = record(
        "automation:a", {"name": "a", "trigger": {}, "actions": [{"d": ""}]}, Reference("/actions/0/d", DEPLOYMENT.key)
    )

    plan = by_key(planned([FLOW, DEPLOYMENT, use], chosen=frozenset({DEPLOYMENT.key, use.key})))

    assert (plan[DEPLOYMENT.key].verb, plan[DEPLOYMENT.key].waits_for) == ("blocked", ("flow:etl",))
    assert (plan[use.key].verb, plan[use.key].waits_for) == ("blocked", (DEPLOYMENT.key,))


def test_what_the_destination_has_blocks_nothing() -> None:
    """A dependency that is not selected serves where the destination has it."""
    plan = by_key(planned([FLOW, DEPLOYMENT], there(FLOW), chosen=frozenset({DEPLOYMENT.key})))

    assert plan[DEPLOYMENT.key].verb == "create"


def test_what_the_bundle_does_not_hold_must_be_at_the_destination() -> None:
    """An external reference is found there, and its id is in the plan; else what needs it is blocked."""
    plan = planned([DEPLOYMENT], there(FLOW), external=["flow:etl"])
    assert (plan.external, only(plan).verb) == ({"flow:etl": "FLOW:ETL"}, "create")

    plan = planned([DEPLOYMENT], external=["flow:etl"])
    assert (plan.external, only(plan).verb, only(plan).waits_for) == ({}, "blocked", ("flow:etl",))


def test_an_update_needs_only_what_it_writes() -> None:
    """Whether something missing blocks an update depends on the place: above, at or below where it is written."""
    body: Body = {"name": "d", "flow_id": "", "parameters": {"a": {"block": ""}}, "description": "new"}
    ours = record(
        DEPLOYMENT.key, body, Reference("/flow_id", FLOW.key), Reference("/parameters/a/block", "block:json/x")
    )
    for written, needed in (
        ("/description", set()),
        ("/parameters/a", {"block:json/x"}),
        ("/parameters/a/block", {"block:json/x"}),
        ("/parameters/a/block/deeper", {"block:json/x"}),
        ("/parameters/b", set()),
    ):
        action = Action(ours.key, ours.kind, "update", "updated", "D", (Difference(written, 1, 2),))
        assert needs(intended(ours)[0], action) == needed
    assert needs(intended(ours)[0], Action(ours.key, ours.kind, "create", "created")) == {FLOW.key, "block:json/x"}


def test_queues_go_the_way_of_their_pool() -> None:
    """Where a pool can never be, its queues are skipped for its reason; a deployment on it is blocked all the same."""
    pool = record("work-pool:p", {"name": "p", "type": "prefect:managed"})
    queue = record("work-queue:p/q", {"name": "q", "work_pool_id": ""}, Reference("/work_pool_id", pool.key))
    body = {"name": "d", "flow_id": "", "work_pool_name": "p"}
    on_it = record(
        "deployment:etl/d", body, Reference("/flow_id", FLOW.key), Reference("/work_pool_name", pool.key, "name")
    )
    plan = by_key(planned([FLOW, pool, queue, on_it]))
    assert (plan[queue.key].verb, plan[queue.key].reason) == ("unsupported", plan[pool.key].reason)
    assert plan[pool.key].verb == "unsupported"
    assert (plan[on_it.key].verb, plan[on_it.key].waits_for) == ("blocked", (pool.key,))


def test_what_is_only_compared_need_not_fit() -> None:
    """What is missing at a destination that is not written to is missing, whatever it could hold."""
    pool = record("work-pool:p", {"name": "p", "type": "prefect:managed"})
    storage = record("default-result-storage:server", {"default_result_storage_block_id": "x"})
    found = planned([pool, storage], is_cloud=None).actions
    assert [(each.verb, each.reason) for each in found] == [("create", "created")] * 2


def test_an_update_that_needs_what_is_missing_is_blocked() -> None:
    """The flow is there; the block that the new parameters refer to is not."""
    old = record(DEPLOYMENT.key, {"name": "d", "flow_id": ""}, Reference("/flow_id", FLOW.key))
    new = record(
        DEPLOYMENT.key, {"name": "d", "flow_id": "", "parameters": {"block": ""}},
        Reference("/flow_id", FLOW.key), Reference("/parameters/block", "block:json/x"),
    )  # fmt: skip

    plan = planned([FLOW, new], there(FLOW, old), external=["block:json/x"], choices=Choices(UPDATE))

    assert (by_key(plan)[new.key].verb, by_key(plan)[new.key].waits_for) == ("blocked", ("block:json/x",))


@pytest.mark.parametrize(
    ("missing", "verb", "reason"),
    [
        ("placeholder", "create", "created-without-secret"),
        ("fail", "create", "created-without-secret"),
        ("skip", "unsupported", "secret-missing"),
    ],
)
def test_a_missing_secret_is_named(missing: Any, verb: str, reason: str) -> None:
    """Without a value it is created with a placeholder, or skipped, as was chosen; the slot is named."""
    action = only(planned([SECRET], choices=Choices(missing_secrets=missing)))

    assert (action.verb, action.reason, action.missing_secrets) == (verb, reason, (SLOT,))


def test_a_supplied_secret_is_not_missing() -> None:
    """Any value will do, an empty one too."""
    for value in ("x", "", 0, False):
        action = only(planned([SECRET], secrets=SecretValues({SLOT: value})))
        assert (action.reason, action.missing_secrets) == ("created", ())


def test_a_placeholder_is_filled() -> None:
    """Where an earlier run left one, the supplied value is to take its place; without a value it is named."""
    left = revealed(marker(SECRET.secrets[0]))

    assert only(planned([SECRET], there(SECRET), secrets=left)).verb == "fill"
    action = only(planned([SECRET], there(SECRET), secrets=SecretValues(revealed=left.revealed)))
    assert (action.reason, action.missing_secrets) == ("exists-same", (SLOT,))


def test_a_live_secret_is_a_conflict_and_nowhere_shown() -> None:
    """A supplied value that is not the live one differs; neither is in the plan. The same one does not."""
    action = only(planned([SECRET], there(SECRET), secrets=revealed("live")))
    assert (action.verb, action.differences) == ("skip", (Difference("/data/value", None, None, is_secret=True),))

    assert only(planned([SECRET], there(SECRET), secrets=revealed("new"))).reason == "exists-same"


def test_what_an_earlier_run_left_unfinished_is_completed() -> None:
    """It carries the mark of the record; where nothing differs any more, only the mark was left."""
    ours = record("automation:a", {"name": "a", "trigger": {}, "actions": []})
    begun = record("automation:a", {"name": "a", "trigger": {}, "actions": [], "enabled": False, "description": "x"})
    rows: dict[Key, Body] = {begun.key: {"description": f"x {intended(ours)[0].mark}"}}

    assert only(planned([ours], there(begun, rows=rows))).verb == "complete"
    assert only(planned([ours], there(begun))).verb == "skip"


def test_what_is_refused_stays_away() -> None:
    """A kind that only Cloud offers is not created elsewhere."""
    webhook = record("webhook:w", {"name": "w", "template": ""})

    assert only(planned([webhook])).reason == "not-offered"
    assert only(planned([webhook], is_cloud=True)).verb == "create"


def test_what_a_destination_cannot_hold_is_named_unless_it_is_not_selected() -> None:
    """Dropped places are in the action; a refusal is its reason."""
    (ours,) = intended(variable("a"))
    refused = Intended(ours.record, 0, ours.body, (), (), ("/value/x",), "not-held")

    (action,) = compare([refused], {}, Present(there())).actions
    assert (action.verb, action.reason, action.dropped) == ("unsupported", "not-held", ("/value/x",))
    (action,) = compare([refused], {}, Present(there()), chosen=frozenset()).actions
    assert (action.reason, action.dropped) == ("not-selected", ())


def test_additions_count_only_both_ways() -> None:
    """A schedule that only the destination has is kept, and so is no difference unless both ways are asked for."""
    flow = Reference("/flow_id", FLOW.key)
    added = record(
        DEPLOYMENT.key,
        {"name": "d", "flow_id": "", "schedules": [{"schedule": {"cron": "0 0 * * *"}, "active": True}]},
        flow,
    )

    assert by_key(planned([FLOW, DEPLOYMENT], there(FLOW, added)))[DEPLOYMENT.key].reason == "exists-same"
    both = planned([FLOW, DEPLOYMENT], there(FLOW, added), view=View(is_two_way=True))
    assert [each.pointer for each in by_key(both)[DEPLOYMENT.key].differences] == ["/schedules"]


def test_fields_that_only_a_deep_read_knows_count_only_then() -> None:
    """Who owns an automation is compared only where the destination was asked for it."""
    body: Body = {"name": "a", "trigger": {}, "actions": []}
    ours = record(
        "automation:a",
        {**body, "owner_resource": "prefect.deployment."},
        Reference("/owner_resource", DEPLOYMENT.key, offset=19),
    )
    theirs = there(record("automation:a", body))

    assert only(planned([ours], theirs)).reason == "exists-same"
    assert [each.pointer for each in only(planned([ours], theirs, view=View(is_deep=True))).differences] == [
        "/owner_resource"
    ]
