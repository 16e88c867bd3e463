"""Automations."""

from __future__ import annotations

from typing import Any

import pytest

from bundle.model import Reference
from bundle.record.canonical import make_record
from support.one_kind import ID, Rows, Sent, created, kind, updated

AUTOMATION = kind("automation")
MARK = Sent.mark
BODY: dict[str, Any] = {"name": "on-fail", "trigger": {"type": "event"}, "actions": [{"type": "do-nothing"}]}


def test_what_travels() -> None:
    """Ids of triggers go, sets get an order, and what servers do anyway is left out."""
    row = {
        "id": ID,
        "name": "a",
        "description": "",
        "enabled": True,
        "trigger": {"id": ID, "type": "compound", "triggers": [{"id": ID, "expect": ["b", "a"]}]},
        "actions": [{"type": "run-deployment", "schedule_after": 0.0, "parameters": None}],
    }
    assert AUTOMATION.portable(row, Rows()) == {
        "name": "a",
        "trigger": {"type": "compound", "triggers": [{"expect": ["a", "b"]}]},
        "actions": [{"type": "run-deployment"}],
    }


def test_a_tilde_in_a_name_is_doubled() -> None:
    """So no name ends like the suffix that tells equal names apart."""
    assert AUTOMATION.natural_name({"name": "a~b"}, Rows()) == "a~~b"


def test_it_is_created_disabled_and_marked() -> None:
    """Whatever it was, it is off until everything else is there."""
    first = AUTOMATION.pending({**BODY, "description": "mine"}, MARK)
    assert (first["enabled"], first["description"]) == (False, f"mine {MARK}")
    assert AUTOMATION.is_pending(first, BODY, MARK, lambda _: False)
    assert not AUTOMATION.is_pending({**first, "description": "mine"}, BODY, MARK, lambda _: False)


def test_it_is_posted_once_and_put_whole() -> None:
    """``POST`` is not repeated blindly; ``PUT`` sends defaults along, and never the owner."""
    assert created("automation", BODY) == [["POST", "/automations/", BODY, "not repeatable"]]
    ((method, path, whole),) = updated("automation", {**BODY, "owner_resource": "x"}, {"trigger"})
    assert (method, path, whole["enabled"], "owner_resource" in whole) == ("PUT", f"/automations/{ID}", True, False)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({}, None),
        ({"actions": [{"type": "declare-incident"}]}, "cloud-only"),
        ({"trigger": {"type": "compound", "triggers": [{"type": "metric"}]}}, "cloud-only"),
    ],
)
def test_some_actions_and_triggers_are_of_cloud(change: dict[str, Any], reason: str | None) -> None:
    """What only Cloud offers is refused elsewhere, also inside compound triggers."""
    assert AUTOMATION.unfit({**BODY, **change}, is_cloud=False) == reason
    assert AUTOMATION.unfit({**BODY, **change}, is_cloud=True) is None


def test_its_owner_cannot_be_changed() -> None:
    """Only ``POST`` can set it."""
    assert not AUTOMATION.can_change("/owner_resource", is_removal=False, raw={}, at=Sent())
    assert AUTOMATION.can_change("/name", is_removal=False, raw={}, at=Sent())


def test_names_in_its_actions() -> None:
    """Templates in actions name blocks and variables; those in triggers are of events."""
    template = "{{ prefect.variables.region }}"
    body = {**BODY, "actions_on_resolve": [{"parameters": {"a": template}}], "trigger": {"match": template}}
    assert list(AUTOMATION.names(body)) == [("/actions_on_resolve/0/parameters/a", "variable:region")]


def test_what_means_nothing_elsewhere_is_named() -> None:
    """Runs in a trigger and schedules in an action are of the source alone."""
    row = {
        "trigger": {"match": {"prefect.resource.id": f"prefect.flow-run.{ID}"}},
        "actions": [{"type": "pause-schedule", "schedule_id": ID}],
    }
    assert list(AUTOMATION.findings(row)) == [
        ("not-portable", "/trigger/match/prefect.resource.id", ""),
        ("not-portable", "/actions/0/schedule_id", ""),
    ]


@pytest.mark.parametrize(
    ("field", "trigger", "when"),
    [
        ("actions", {"expect": ["a", "b"]}, "on a, b"),
        ("actions", {}, "on any event"),
        ("actions", {"posture": "Proactive", "expect": ["a"]}, "without a in time"),
        ("actions", {"type": "compound", "triggers": [{}, {}]}, "on compound of 2 triggers"),
        ("actions_on_resolve", {}, "when it is resolved"),
    ],
)
def test_what_it_does_by_itself_and_when(field: str, trigger: dict[str, Any], when: str) -> None:
    """An action is listed with what it is about, and with the trigger in words."""
    body = {"trigger": trigger, field: [{"type": "run-deployment", "deployment_id": ""}]}
    about = Reference(f"/{field}/0/deployment_id", "deployment:etl/nightly")
    found = AUTOMATION.runs(make_record("automation:a", body, (about,), ()))
    assert list(found or ()) == [("automation-action", f"/{field}/0", f"run-deployment deployment:etl/nightly, {when}")]
