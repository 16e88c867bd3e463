"""``xfer plan``, and ``import --dry-run``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from bundle.plan.actions import Plan
from bundle.report.counting import NOT_SELECTED, PLANNED
from bundle.report.differences import action_lines
from bundle.report.escaping import escape
from bundle.report.execution_surface import surface_lines
from bundle.report.model import Report, Resource
from bundle.report.notes import dropped_lines, inert_lines, note_lines, outstanding_lines
from bundle.report.parts import Lines, least, title
from bundle.report.records import Subject, carried, planned_resource
from bundle.report.waiting import blocked_lines, by_root, waiting_elsewhere

_LEGEND = "+ create or complete   ~ differs (updated or left)   = the same   ! cannot be   ? a secret is needed"
_PLANNED_AS: Mapping[str, str] = {
    "create": "create",
    "complete": "update",
    "fill": "update",
    "update": "update",
    "unsupported": "unsupported",
    "blocked": "blocked",
}


def report(subject: Subject, plan: Plan) -> Report:
    """The report of a plan, exit code 0: whether differences count is for the command to say."""
    resources = tuple(planned_resource(action) for action in plan.actions)
    return carried(subject, resources, count=_plan_category, names=PLANNED)


def layout(report: Report, limit: int | None) -> Iterator[Lines]:
    yield [title(report, "Plan for", "in")]
    yield from note_lines(report, least(limit), has_slots=False)
    yield [_LEGEND]
    yield _actions(report.resources, limit)
    yield dropped_lines(report.resources, limit)
    yield surface_lines(report, limit)
    yield outstanding_lines(report, limit)
    yield inert_lines(report)
    yield [_plan_line(report.summary)]


def _actions(resources: Sequence[Resource], limit: int | None) -> Lines:
    """What is to be done; what is blocked is listed under what it waits for."""
    same = Counter(each.kind for each in resources if each.reason == "exists-same")
    waiting = by_root(resources)
    for resource in resources:
        is_news = limit is None or resource.reason not in {"exists-same", NOT_SELECTED}
        if (is_news and resource.reason != "waits-for") or resource.key in waiting:
            yield from action_lines(resource, limit)
            yield from blocked_lines(waiting.get(resource.key, ()), limit)
    yield from waiting_elsewhere(waiting, resources, limit)
    if limit is not None:
        yield from (f"= {count} {escape(kind)} the same" for kind, count in sorted(same.items()))


def _plan_line(summary: Mapping[str, int]) -> str:
    counts = {**summary, "delete": 0, "secrets needed": summary["secrets_outstanding"]}
    always = ("create", "update", "delete", "unchanged")
    others = (*(name for name in PLANNED if name not in always), "secrets needed")
    parts = [
        f"{counts[name]} {name.replace('_', ' ')}" for name in (*always, *others) if counts[name] or name in always
    ]
    return f"Plan: {', '.join(parts)} ({summary['accounted_for']} of {summary['total']} accounted for)"


def _plan_category(resource: Resource) -> str:
    if resource.reason == NOT_SELECTED:
        return "not_selected"
    if resource.action == "skip":
        return "unchanged" if resource.reason == "exists-same" else "different"
    return _PLANNED_AS[resource.action]
