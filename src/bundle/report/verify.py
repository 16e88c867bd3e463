"""``xfer verify``, of a file and of a destination."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bundle.plan.actions import Plan
from bundle.report.bundle import bundle_lines
from bundle.report.counting import FATES, NOT_SELECTED, VERIFIED, count_line, has_differences, with_differences
from bundle.report.differences import action_lines
from bundle.report.escaping import escape
from bundle.report.model import Report, Resource
from bundle.report.notes import dropped_lines, outstanding_lines
from bundle.report.parts import Lines
from bundle.report.records import Subject, carried, planned_resource


def report(subject: Subject, plan: Plan) -> Report:
    """The report of a destination that was read back: exit code 2 unless it holds the bundle."""
    resources = tuple(planned_resource(action) for action in plan.actions)
    done = carried(subject, resources, count=_verified_as, names=VERIFIED)
    return with_differences(done) if has_differences(done) else done


def layout(report: Report, limit: int | None) -> Iterator[Lines]:
    yield from bundle_lines(report)
    if report.destination is not None:
        yield _drifted(report.resources, limit)
        yield dropped_lines(report.resources, limit)
        yield outstanding_lines(report, limit)
        yield [count_line(report.summary, VERIFIED)]
        return
    yield [f"intact: {count_line(report.summary, FATES)}"]


def _drifted(resources: Sequence[Resource], limit: int | None) -> Lines:
    """What the destination lacks, and where it differs."""
    for resource in resources:
        if resource.action not in {"skip", "complete"}:
            yield f"! {escape(resource.key)}  (missing)"
        elif resource.reason not in {"exists-same", NOT_SELECTED}:
            yield from action_lines(resource, limit)


def _verified_as(resource: Resource) -> str:
    if resource.reason == NOT_SELECTED:
        return "not_selected"
    if resource.action not in {"skip", "complete"}:
        return "missing"
    return "same" if resource.reason == "exists-same" else "different"
