"""The report of a plan."""

from __future__ import annotations

import pytest

from bundle.plan.actions import Action, Difference, Plan
from bundle.report import import_, text
from bundle.report import plan as plan_report
from bundle.report.counting import foretold
from bundle.report.records import Subject
from support.reports import DESTINATION, SLOT, action, manifest, outcome


def test_plan_has_a_glyph_for_each_action() -> None:
    """Created, differing, impossible and lacking a secret differ in the first character."""
    actions = (
        action("flow:new"),
        action("flow:same", "skip", "exists-same"),
        action("flow:other", "skip", "exists-differs", differences=(Difference("/tags/0", "ours", None),)),
        action("work-pool:push", "unsupported", "push-pool"),
        action("block:secret/db", "create", "created-without-secret", missing_secrets=(SLOT.slot,)),
        action("flow:begun", "complete", "completed"),
    )
    stored = manifest(*(each.key for each in actions), secrets=(SLOT,))
    report = plan_report.report(Subject("plan", stored, "env.pxb", DESTINATION), Plan(actions))
    lines = text.render(report).splitlines()
    for line in (
        "+ flow:new",
        "~ flow:other  (exists-differs)",
        "      - null",
        "      + ours",
        "! work-pool:push  (push-pool)",
        f"    ? {SLOT.slot}",
        "+ flow:begun  (completed)",
        "= 1 flow unchanged",
    ):
        assert line in lines
    assert lines[-1] == (
        "Plan: 2 create, 1 update, 0 delete, 1 unchanged, 1 different, 1 unsupported, 1 secrets needed "
        "(6 of 6 accounted for)"
    )
    assert foretold(report).exit_code == 2


@pytest.mark.parametrize(
    ("planned", "code"),
    [
        (action("work-pool:push", "unsupported", "push-pool"), 0),
        (action("flow:a", "skip", "exists-same"), 0),
        (action("flow:a", "skip", "exists-differs"), 2),
        (action("flow:a", "create", "created"), 2),
        (action("flow:a", "blocked", "waits-for"), 3),
        (action("flow:a", "unsupported", "too-large"), 3),
    ],
)
def test_a_plan_ends_as_its_import_would(planned: Action, code: int) -> None:
    """What can never be at the destination is no difference; what would be blocked is more than one."""
    run = Subject("plan", manifest(planned.key), None, DESTINATION)
    assert foretold(plan_report.report(run, Plan((planned,)))).exit_code == code


def test_a_plan_names_what_cannot_be_changed() -> None:
    """The places that an update leaves are marked, and the import names them alone."""
    found = (Difference("/labels/team", "a", "b"), Difference("/tags", ["x"], []))
    planned = action("flow:a", "update", "updated-partly", differences=found, unchangeable=("/labels/team",))
    run = Subject("import", manifest("flow:a"), None, DESTINATION)
    plan = text.render(plan_report.report(run, Plan((planned,))))
    done = text.render(import_.report(run, Plan((planned,)), [outcome("flow:a", "succeeded", "updated-partly")]))
    assert "/labels/team  (cannot be changed)\n" in plan
    assert "/tags\n" in plan
    assert "flow:a: /labels/team\n" in done


@pytest.mark.parametrize(
    ("planned", "is_listed"),
    [
        (action("block:secret/db"), True),
        (action("block:secret/db", "update", "updated"), True),
        (action("block:secret/db", "fill", "secret-filled"), True),
        (action("block:secret/db", "skip", "exists-differs"), False),
        (action("block:secret/db", "blocked", "waits-for"), False),
        (action("block:secret/db", "unsupported", "too-large"), False),
    ],
)
def test_a_plan_lists_each_place_that_gets_a_supplied_secret(planned: Action, *, is_listed: bool) -> None:
    """What is written with a secret that was supplied is named with its place; what keeps its own is not."""
    stored = manifest("block:secret/db", secrets=(SLOT,))
    report = plan_report.report(Subject("plan", stored, None, DESTINATION, frozenset({SLOT.slot})), Plan((planned,)))

    assert (f"supplied secrets are written to (1):\n  {SLOT.slot}\n" in text.render(report)) is is_listed
