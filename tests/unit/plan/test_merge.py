"""What an update takes over and what it keeps, and what a failure means for the rest."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundle.apply.outcomes import Outcome
from bundle.cli.import_options import read_policies
from bundle.errors import Conflict, UsageError
from bundle.kinds import KINDS
from bundle.model import Body
from bundle.operations.import_ import prepare
from bundle.plan.capabilities import ANY_FIELDS, Fields, Offered
from bundle.plan.choices import Choices, Conflicts
from bundle.plan.differences import between
from bundle.plan.merge import bring_over
from support.edits import SUPPLIED, SUPPLIED_SLOT
from support.fake_prefect import FakePrefect
from support.moving import import_into
from support.offline import api_of, run
from support.seeded import edited, seeded
from support.tampering import Tampering

UPDATE = Conflicts("update")
DEPLOYMENT = KINDS["deployment"]

_texts = st.text(st.characters(exclude_categories=["Cs", "Cn"]), max_size=3)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | _texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_texts, inner, max_size=3),
    max_leaves=12,
)
bodies = st.dictionaries(st.sampled_from(["a", "b", "c~/"]), values, max_size=3)


# Taking over


@given(bodies, bodies)
def test_taking_over_all_that_differs_leaves_no_difference(live: Any, ours: Any) -> None:
    """With every place taken over, nothing differs any more."""
    places = [each.pointer for each in between(ours, live, ())]

    assert list(between(ours, bring_over(live, ours, places), ())) == []


@given(bodies, bodies, st.data())
def test_nothing_else_is_taken_over(live: Any, ours: Any, data: Any) -> None:
    """Where only some places are taken over, all others differ as they did."""
    places = [each.pointer for each in between(ours, live, ())]
    taken = data.draw(st.sets(st.sampled_from(places))) if places else set()

    left = {each.pointer for each in between(ours, bring_over(live, ours, sorted(taken)), ())}

    assert left == set(places) - taken


def test_a_place_inside_what_is_gone_takes_over_all_around_it() -> None:
    """Where the destination lost what was around a place since, that comes along."""
    assert bring_over({"a": 1}, {"a": {"b": [1, {"c": 2}]}}, ["/a/b/1/c"]) == {"a": {"b": [1, {"c": 2}]}}


# Schedules


def _cron(minute: int, **fields: Any) -> dict[str, Any]:
    return {"schedule": {"cron": f"{minute} * * * *", "timezone": "UTC"}, "active": True, **fields}


@pytest.mark.parametrize(
    ("ours", "theirs", "wanted"),
    [
        ([_cron(1)], [], [_cron(1)]),
        ([], [_cron(1)], [_cron(1)]),
        ([_cron(1, slug="a")], [_cron(2, slug="a")], [_cron(1, slug="a")]),
        ([_cron(1, active=False)], [_cron(1)], [_cron(1, active=False)]),
        ([_cron(1)], [_cron(2)], [_cron(2), _cron(1)]),
        ([_cron(1, slug="a")], [_cron(1, slug="b")], [_cron(1, slug="b"), _cron(1, slug="a")]),
        ([_cron(1, slug="a")], [_cron(1)], [_cron(1, slug="a")]),
        ([_cron(1, active=False), _cron(1)], [_cron(1)], [_cron(1), _cron(1, active=False)]),
    ],
)
def test_schedules_are_matched_and_kept(ours: list[Any], theirs: list[Any], wanted: list[Any]) -> None:
    """A schedule is known by its slug, else by when it runs; one that only the destination has is kept."""
    found = DEPLOYMENT.wanted({"schedules": ours}, {"schedules": theirs})

    assert found.get("schedules", []) == wanted


def test_a_schedule_that_is_to_go_is_not_kept() -> None:
    """What an import had added does not stay when it is taken back, but what others added does."""
    theirs = [_cron(1, slug="ours"), _cron(2, slug="later"), _cron(3, slug="before")]

    found = DEPLOYMENT.wanted(
        {"schedules": [_cron(3, slug="before")]}, {"schedules": theirs}, {"schedules": [_cron(1, slug="ours")]}
    )

    assert found == {"schedules": [_cron(2, slug="later"), _cron(3, slug="before")]}


# What can be changed


@pytest.mark.parametrize(
    ("kind", "place", "can"),
    [
        ("flow", "/tags/0", True),
        ("flow", "/labels/team", False),
        ("work-pool", "/type", False),
        ("work-pool", "/base_job_template/variables", True),
        ("work-queue", "/is_default", False),
        ("work-queue", "/priority", True),
        ("block", "/data/a", True),
        ("block", "/is_anonymous", False),
        ("block-type", "/description", True),
        ("block-type", "/name", False),
        ("block-schema", "/capabilities", False),
        ("variable", "/value", True),
        ("automation", "/trigger/within", True),
        ("automation", "/owner_resource", False),
        ("deployment", "/labels/team", True),
        ("deployment", "/schedules", True),
        ("deployment", "/own_limit/active", True),
        ("saved-search", "/filters", True),
        ("default-result-storage", "/default_result_storage_block_id", True),
        ("concurrency-limit", "/limit", True),
        ("tag-limit", "/limit", True),
    ],
)
def test_what_can_be_changed(kind: str, place: str, *, can: bool) -> None:
    """Each kind says which of its places a request can change."""
    raw = {"id": "d", "flow_id": "f", "labels": {}}
    offered = Offered(ANY_FIELDS, {"f": {"labels": {}}})

    assert KINDS[kind].can_change(place, is_removal=False, raw=raw, at=offered) is can


def test_old_servers_cannot_take_a_deployment_out_of_its_pool() -> None:
    """Before 3.6.27 a pool of null is passed over; so that is known, and not tried again and again."""
    raw = {"flow_id": "f", "work_pool_name": "p"}

    def can(*version: int, is_removal: bool = True) -> bool:
        offered = Offered(Fields(version=version), {})
        return DEPLOYMENT.can_change("/work_pool_name", is_removal=is_removal, raw=raw, at=offered)

    assert (can(3, 6, 26), can(3, 6, 26, is_removal=False), can(3, 6, 27), can()) == (False, True, True, True)


def test_labels_of_the_flow_cannot_be_taken_from_a_deployment() -> None:
    """The flow gives them back at once; a label of the deployment's own can go."""
    raw = {"flow_id": "f", "labels": {"prefect.flow.id": "f", "team": "data", "own": 1}}
    offered = Offered(ANY_FIELDS, {"f": {"labels": {"team": "data"}}})

    def can(place: str) -> bool:
        return DEPLOYMENT.can_change(place, is_removal=True, raw=raw, at=offered)

    assert (can("/labels/team"), can("/labels/own"), can("/labels")) == (False, True, True)


# Policies


def test_policies_are_read_in_order() -> None:
    """The last policy for everything counts, and the last one for each kind."""
    found = read_policies(["update", "variable=skip", "variable=fail", "flow=update", "skip"])

    assert found == Conflicts("skip", {"variable": "fail", "flow": "update"})
    assert [found.policy(kind) for kind in ("variable", "flow", "deployment")] == ["fail", "update", "skip"]


@pytest.mark.parametrize("text", ["replace", "variable=replace", "variables=update", "=update", "variable", ""])
def test_policies_that_do_not_exist_are_refused(text: str) -> None:
    """A policy or kind that there is not is a mistake of usage."""
    with pytest.raises(UsageError):
        read_policies([text])


def test_fail_may_be_for_one_kind() -> None:
    """A conflict of that kind stops everything before any write; one of another kind does not."""
    fake = edited()

    async def prepared(conflicts: Conflicts) -> None:
        async with api_of(fake) as api:
            await prepare(seeded(), api, Choices(conflicts))

    with pytest.raises(Conflict, match="variable:nothing, variable:region, variable:tagged"):
        run(prepared(Conflicts("update", {"variable": "fail"})))
    run(prepared(Conflicts("update", {"block-schema": "fail"})))
    assert fake.writes == []


# Secrets


def test_a_supplied_secret_that_is_not_the_live_one_is_a_conflict() -> None:
    """Without a policy it is left alone, and said to differ; its values stand nowhere in the plan."""
    fake = edited()

    async def prepared() -> Any:
        async with api_of(fake) as api:
            return await prepare(seeded(), api, secrets={SUPPLIED_SLOT: SUPPLIED})

    plan = {action.key: action for action in run(prepared()).plan.actions}
    action = plan["block:secret/db-password"]

    assert (action.verb, action.reason) == ("skip", "exists-differs")
    assert [(each.pointer, each.bundle, each.destination) for each in action.differences] == [
        ("/data/value", None, None)
    ]


# Failures


def refusing(fake: FakePrefect) -> Tampering:
    """The fake server, which takes no variables."""

    def before(request: httpx.Request) -> httpx.Response | None:
        is_variable = request.method == "POST" and request.url.path.endswith("/variables/")
        return httpx.Response(422, json={"detail": "no"}) if is_variable else None

    return Tampering(fake, before)


def _import_without_variables(*, aborts_at_failure: bool) -> tuple[FakePrefect, list[Outcome]]:
    fake = FakePrefect(seed=1)
    result = import_into(fake, seeded(), refusing(fake), aborts_at_failure=aborts_at_failure)
    return fake, list(result.outcomes)


def test_a_failure_stops_nothing_else() -> None:
    """By default all that does not need what failed is made."""
    fake, outcomes = _import_without_variables(aborts_at_failure=False)

    assert {each.reason for each in outcomes if each.state == "failed"} == {"rejected"}
    assert fake.rows("automations")


def test_a_failure_can_end_the_run() -> None:
    """With ``abort`` nothing is begun after the first failure, and what was not tried is said to be so."""
    fake, outcomes = _import_without_variables(aborts_at_failure=True)

    assert "not-tried" in {each.reason for each in outcomes}
    assert fake.rows("automations") == []
    assert len(outcomes) == len(seeded().records)


def test_a_second_update_writes_nothing() -> None:
    """What an update has written is no difference any more."""
    fake = edited()
    import_into(fake, seeded(), on_conflict=UPDATE)
    fake.reset()

    result = import_into(fake, seeded(), on_conflict=UPDATE)

    assert {outcome.state for outcome in result.outcomes} == {"skipped"}
    assert fake.writes == []


def test_one_schedule_is_not_compared_with_another() -> None:
    """Lists of the same length whose items have other slugs differ as a whole; with the same slugs, item by item."""
    weekly, nightly = {"slug": "weekly", "active": True}, {"slug": "nightly", "active": True}

    def places(*schedules: Body) -> list[str]:
        return [each.pointer for each in between({"schedules": [weekly, nightly]}, {"schedules": list(schedules)})]

    assert places(weekly, {"slug": "theirs", "active": True}) == ["/schedules"]
    assert places(weekly, nightly | {"active": False}) == ["/schedules/1/active"]
