"""What is blocked, under what it waits for."""

from __future__ import annotations

from bundle.plan.actions import Plan
from bundle.report import plan, text
from bundle.report.records import Subject
from support.reports import DESTINATION, action, imported, manifest, outcome


def test_blocked_is_listed_under_its_root() -> None:
    """What waits for something that waits for something stands under the first cause, once."""
    report = imported(
        outcome("work-pool:push", "skipped", "push-pool"),
        outcome("work-queue:push/q", "blocked", "waits-for", waits_for=("work-pool:push",)),
        outcome("deployment:etl/a", "blocked", "waits-for", waits_for=("work-queue:push/q",)),
    )
    lines = (
        "push-pool (1): push work pools exist only on Prefect Cloud\n"
        "  work-pool:push\n"
        "    blocked by it (2):\n"
        "      work-queue:push/q\n"
        "      deployment:etl/a\n"
    )
    assert lines in text.render(report)


def test_a_plan_lists_what_is_blocked_under_what_it_waits_for() -> None:
    """In a plan, too, what is blocked is listed once, under its cause; a cause outside the bundle is named."""
    needs_pool = action("deployment:etl/a", "blocked", "waits-for", waits_for=("work-pool:push",))
    needs_flow = action("deployment:etl/b", "blocked", "waits-for", waits_for=("flow:elsewhere",))
    actions = (action("work-pool:push", "unsupported", "push-pool"), needs_pool, needs_flow)
    stored = manifest(*(each.key for each in actions))
    shown = text.render(plan.report(Subject("plan", stored, "env.pxb", DESTINATION), Plan(actions)))

    assert "! work-pool:push  (push-pool)\n    blocked by it (1):\n      deployment:etl/a\n" in shown
    assert "! flow:elsewhere  (not at the destination)\n    blocked by it (1):\n      deployment:etl/b\n" in shown
    assert shown.count("deployment:etl/a") == 1


def test_blocked_in_a_circle_is_still_shown() -> None:
    """Two that wait for each other are both listed."""
    shown = text.render(
        imported(
            outcome("automation:a", "failed", "waits-for", waits_for=("automation:b",)),
            outcome("automation:b", "failed", "waits-for", waits_for=("automation:a",)),
        )
    )
    assert shown.count("automation:a") >= 1
    assert shown.count("automation:b") >= 1
