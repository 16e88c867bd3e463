"""bundle.tiers, and the plan that heeds it: what a tier does not allow is known before anything is sent."""

from __future__ import annotations

from typing import Any

import pytest

from bundle.environment.describe import Environment
from bundle.kinds import KINDS
from bundle.model import Placed, Record, Reference
from bundle.plan.actions import Action
from bundle.plan.choices import Choices
from bundle.plan.compare import Present, compare
from bundle.plan.intended import intend
from bundle.plan.matching import match
from bundle.record.canonical import make_record
from bundle.server.tiers import ANY_TIER, LARGEST_REQUEST_BYTES, TIERS, Tier

HOBBY = TIERS["hobby"]


def flow(name: str) -> Record:
    return make_record(f"flow:{name}", {"name": name}, (), ())


def deployment(name: str, *needs: str, **fields: Any) -> Record:
    references = (Reference("/flow_id", "flow:f"), *(Reference("/work_pool_name", each, "name") for each in needs))
    return make_record(f"deployment:f/{name}", {"name": name, "flow_id": "", **fields}, references, ())


def pool(name: str, kind: str) -> Record:
    return make_record(f"work-pool:{name}", {"name": name, "type": kind}, (), ())


def automation(name: str, target: str) -> Record:
    body = {"name": name, "trigger": {}, "actions": [{"deployment_id": ""}]}
    return make_record(f"automation:{name}", body, [Reference("/actions/0/deployment_id", target)], ())


def planned(*records: Record, held: tuple[Record, ...] = (), tier: Tier = HOBBY) -> dict[str, Action]:
    """The plan for a Cloud workspace that holds some records."""
    ids = {record.key: f"id of {record.key}" for record in held}
    rows = {ids[record.key]: {"id": ids[record.key], **record.body} for record in held}
    there = Environment({record.key: record for record in held}, ids, rows, {})
    intended = intend(Placed(0, each) for each in records)
    pairs = match(intended, there)
    plan = compare(intended, pairs, Present(there, is_cloud=True), choices=Choices(tier=tier))
    return {action.key: action for action in plan.actions}


@pytest.mark.parametrize("kind", ["process", "kubernetes", "ecs:push", "prefect-agent"])
def test_hobby_has_managed_pools_only(kind: str) -> None:
    """Hybrid and push pools do not fit the Hobby tier, and what needs them waits for them."""
    plan = planned(flow("f"), pool("p", kind), deployment("d", "work-pool:p"))
    assert (plan["work-pool:p"].verb, plan["work-pool:p"].reason) == ("unsupported", "tier-limit")
    assert plan["work-pool:p"].detail == "the Hobby tier has managed work pools only"
    assert (plan["deployment:f/d"].verb, plan["deployment:f/d"].waits_for) == ("blocked", ("work-pool:p",))


def test_hobby_holds_five_deployments() -> None:
    """What the workspace holds counts, what is blocked does not, and what needs one too many waits for it."""
    held = tuple(deployment(f"held {number}") for number in range(3))
    blocked = deployment("blocked", "work-pool:p")
    new = [deployment(f"new {number}") for number in range(3)]
    plan = planned(
        flow("f"), pool("p", "process"), blocked, *new, automation("a", "deployment:f/new 2"), *held, held=held
    )
    assert [plan[each.key].verb for each in (*new, *held)] == [
        "create",
        "create",
        "unsupported",
        "skip",
        "skip",
        "skip",
    ]
    assert (plan["deployment:f/new 2"].reason, plan["deployment:f/new 2"].detail) == (
        "tier-limit",
        "the Hobby tier allows 5 deployments",
    )
    assert plan["automation:a"].waits_for == ("deployment:f/new 2",)


def test_a_workspace_may_hold_more_than_its_tier_allows() -> None:
    """Where there is no room at all, no deployment fits, and nothing that is there is in question."""
    held = tuple(deployment(f"held {number}") for number in range(7))
    plan = planned(flow("f"), deployment("new"), *held, held=held)
    assert plan["deployment:f/new"].reason == "tier-limit"
    assert {plan[each.key].reason for each in held} == {"exists-same"}


@pytest.mark.parametrize("tier", [ANY_TIER, *(tier for name, tier in TIERS.items() if name != "hobby")])
def test_of_other_tiers_no_limit_is_known(tier: Tier) -> None:
    """Without a tier, and in those for which nothing is documented, everything is tried."""
    new = [deployment(f"new {number}") for number in range(7)]
    plan = planned(flow("f"), pool("p", "process"), pool("q", "ecs:push"), *new, tier=tier)
    assert {action.verb for action in plan.values()} == {"create"}


def test_deployments_alone_are_limited_in_number() -> None:
    """What a tier says of deployments limits deployments, and no other kind."""
    limited = {name: kind.most(TIERS["hobby"]) for name, kind in KINDS.items()}
    assert {name: most for name, most in limited.items() if most is not None} == {"deployment": 5}


@pytest.mark.parametrize(("extra", "reason"), [(0, "created"), (1, "too-large")])
def test_what_cloud_cannot_be_sent_is_known_before(extra: int, reason: str) -> None:
    """A resource that makes a request of more than 5 MiB is not tried."""
    rest = len(b'{"name":"v","value":""}')
    body = {"name": "v", "value": "x" * (LARGEST_REQUEST_BYTES - rest + extra)}
    plan = planned(make_record("variable:v", body, (), ()), tier=ANY_TIER)
    assert plan["variable:v"].reason == reason
