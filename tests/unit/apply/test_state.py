"""What one import knows while it runs."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from bundle.apply.control import Control, Witness
from bundle.apply.outcomes import Outcome, outcome_of
from bundle.apply.state import State
from bundle.errors import RequestRejected
from bundle.kinds.protocols import Made
from bundle.model import Event, Key, Record, Reference
from bundle.plan.actions import Action, Plan
from bundle.plan.capabilities import ANY_FIELDS
from bundle.plan.compare import Present, compare
from bundle.plan.matching import match
from bundle.plan.secret_values import SecretValues
from bundle.record.references import NIL_ID
from bundle.record.secrets import marker
from support.by_hand import intended, record, there
from support.listening import Listening

FLOW = record("flow:etl", {"name": "etl"})
DEPLOYMENT = record(
    "deployment:etl/d",
    {"name": "d", "flow_id": "", "work_pool_name": "k8s"},
    Reference("/flow_id", "flow:etl"),
    Reference("/work_pool_name", "work-pool:k8s", "name"),
)
SECRET = record("block:s/b", {"data": {"p": None, "q": None}}, secrets=["/data/p", "/data/q"])
AUTOMATION = record("automation:a", {"name": "a", "trigger": {}, "actions": []})


class Noting(Witness):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[tuple[Key, str | None]] = []
        self.times: list[str | None] = []

    def made(self, key: Key, identifier: str | None, updated: str | None = None) -> None:
        self.told.append((key, identifier))
        self.times.append(updated)


def state(*ours: Record, held: tuple[Record, ...] = (), supplied: Any = None, control: Control | None = None) -> State:
    """The state of an import of some records, before it has written anything."""
    environment, records = there(*held), intended(*ours)
    plan = compare(records, match(records, environment), Present(environment))
    return State(plan, Listening(), environment, ANY_FIELDS, SecretValues(supplied or {}), control or Control())


def test_ids_are_those_of_the_destination() -> None:
    """What is there has its id from the plan; what is created gets one, and is new."""
    found = state(FLOW, DEPLOYMENT, held=(FLOW,))
    assert (found.ids, found.new) == ({"flow:etl": "FLOW:ETL"}, set())

    found.made(DEPLOYMENT.key, Made("d1", {"id": "d1"}))
    assert (found.ids[DEPLOYMENT.key], found.new, found.rows["d1"]) == ("d1", {"d1"}, {"id": "d1"})
    found.found(FLOW.key, Made("other", {}))
    assert (found.ids[FLOW.key], found.new) == ("other", {"d1"})


def test_only_an_answer_says_when_a_resource_was_made() -> None:
    """The time of what was found instead of an answer may be that of somebody else's change, and is not noted."""
    noting = Noting()
    found = state(FLOW, DEPLOYMENT, control=Control(witness=noting))

    found.made(FLOW.key, Made("f1", {"updated": "then"}))
    found.made(DEPLOYMENT.key, Made("d1", {"updated": "then"}), is_answered=False)

    assert (noting.told, noting.times) == ([(FLOW.key, "f1"), (DEPLOYMENT.key, "d1")], ["then", None])


def test_what_is_not_known_yet_is_the_nil_id() -> None:
    """The final body has the destination's ids as far as they are known."""
    found = state(FLOW, DEPLOYMENT)
    (_, mine) = intended(FLOW, DEPLOYMENT)

    assert found.final(mine)["flow_id"] == NIL_ID
    found.made(FLOW.key, Made("f1"))
    assert found.final(mine) == {"name": "d", "flow_id": "f1", "work_pool_name": "k8s"}


@pytest.mark.parametrize("value", ["new", "", 0, False, None, []])
def test_a_supplied_value_is_sent_whatever_it_is(value: Any) -> None:
    """Only a slot that nobody supplied gets a placeholder; a value that is false is a value."""
    found = state(SECRET, supplied={SECRET.secrets[0].slot: value})

    assert found.final(intended(SECRET)[0]) == {"data": {"p": value, "q": marker(SECRET.secrets[1])}}


def test_what_would_run_is_created_in_another_form_first() -> None:
    """The first form of an automation is off and has its mark; that of a flow is its last one."""
    found, (automation, flow) = state(AUTOMATION, FLOW), intended(AUTOMATION, FLOW)

    assert found.first(automation)["enabled"] is False
    assert automation.mark in found.first(automation)["description"]
    assert found.first(flow) == found.final(flow)


def test_what_waits_for_something_is_left_open() -> None:
    """A resource is done when its first form is its last and all that it refers to by id is there."""
    found, (flow, deployment, automation) = state(FLOW, DEPLOYMENT), intended(FLOW, DEPLOYMENT, AUTOMATION)
    made = Made("x")

    assert found.leave_open(deployment, made, found.final(deployment))
    found.made(FLOW.key, Made("f1"))
    assert not found.leave_open(deployment, made, found.final(deployment))
    assert not found.leave_open(flow, made, found.final(flow))
    assert found.leave_open(automation, made, found.first(automation))
    assert found.unfinished.keys() == {DEPLOYMENT.key, AUTOMATION.key}


def test_a_missing_reference_is_an_obstacle() -> None:
    """What was not created, and is in the bundle, is waited for; a name, and what is external, are not."""
    found, (_, deployment) = state(FLOW, DEPLOYMENT), intended(FLOW, DEPLOYMENT)

    obstacle = found.obstacle(deployment)
    assert obstacle is not None
    assert (obstacle.state, obstacle.reason, obstacle.waits_for) == ("failed", "waits-for", (FLOW.key,))
    found.made(FLOW.key, Made("f1"))
    assert found.obstacle(deployment) is None


def test_an_import_that_is_over_is_an_obstacle() -> None:
    """Once it is to stop, nothing is finished any more."""
    stop = asyncio.Event()
    found = state(FLOW, control=Control(stop=stop))
    assert found.obstacle(intended(FLOW)[0]) is None

    stop.set()

    obstacle = found.obstacle(intended(FLOW)[0])
    assert obstacle is not None
    assert (obstacle.state, obstacle.reason) == ("not_tried", "not-tried")


def test_what_is_there_in_part_is_begun() -> None:
    """Once it is to stop, what was made and not finished, or changed in part, is neither failed nor untried."""
    stop = asyncio.Event()
    stop.set()
    found = state(FLOW, control=Control(stop=stop))
    found.written.add(FLOW.key)
    obstacle = found.obstacle(intended(FLOW)[0])
    assert obstacle is not None
    assert (obstacle.state, obstacle.reason) == ("begun", "begun")


@pytest.mark.parametrize(("aborts", "is_over"), [(True, True), (False, False)])
def test_a_failure_ends_an_import_only_if_it_is_to(*, aborts: bool, is_over: bool) -> None:
    """After a failure nothing new is begun with ``aborts_at_failure``; a skipped record is none."""
    found = state(FLOW, AUTOMATION, control=Control(aborts_at_failure=aborts))
    found.note(outcome_of(found.actions[FLOW.key], "skipped"))
    assert not found.is_over
    found.note(outcome_of(found.actions[AUTOMATION.key], "failed"))
    assert found.is_over is is_over


def test_progress_counts_each_record_once() -> None:
    """A record whose outcome is noted again, after another look, is not counted again."""
    events: list[Event] = []
    found = state(FLOW, DEPLOYMENT, control=Control(events.append))

    for ending in ("failed", "succeeded"):
        found.note(outcome_of(found.actions[FLOW.key], ending))

    assert events == [Event("import", "flow", 1, 1)] * 2
    assert found.outcomes[FLOW.key].state == "succeeded"


def test_a_record_that_fails_ends_with_a_reason() -> None:
    """Whatever the destination answers, the work of a record ends in an outcome, and raises nothing."""

    async def refused() -> Outcome | None:
        raise RequestRejected("no", status=422, hint="")

    async def nothing_yet() -> None:
        return None

    found, (flow,) = state(FLOW), intended(FLOW)

    async def run() -> None:
        await found.perform(flow, nothing_yet())
        assert found.outcomes == {}
        await found.perform(flow, refused())

    asyncio.run(run())
    assert (found.outcomes[FLOW.key].state, found.outcomes[FLOW.key].reason) == ("failed", "rejected")


def test_the_witness_is_told_whose_it_is() -> None:
    """What this run made is noted with its id; what somebody else made, without."""
    witness = Noting()
    found = state(FLOW, AUTOMATION, control=Control(witness=witness))

    found.made(FLOW.key, Made("f1"))
    outcome = found.left_alone(intended(AUTOMATION)[0])

    assert witness.told == [(FLOW.key, "f1"), (AUTOMATION.key, None)]
    assert (outcome.state, outcome.reason) == ("skipped", "exists-now")


def test_only_marked_kinds_without_names_are_settled_with_others() -> None:
    """Another importer may have made the same automation, not the same flow; what has ended is settled."""
    found, (automation, flow) = state(AUTOMATION, FLOW), intended(AUTOMATION, FLOW)
    for each in (automation, flow):
        found.leave_open(each, Made(each.key), {})

    assert (found.is_unsettled(AUTOMATION.key), found.is_unsettled(FLOW.key)) == (True, False)
    assert not found.is_unsettled("automation:none")
    found.note(outcome_of(found.actions[AUTOMATION.key], "succeeded"))
    assert not found.is_unsettled(AUTOMATION.key)


def test_what_a_plan_completes_is_new() -> None:
    """What an earlier run left unfinished counts as made by this one."""
    plan = Plan((Action(FLOW.key, "flow", "complete", "completed", "FLOW:ETL"),))

    assert State(plan, Listening(), there(FLOW), ANY_FIELDS, SecretValues(), Control()).new == {"FLOW:ETL"}
