"""``xfer plan``, and ``--dry-run`` of an import."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from bundle.plan.actions import Plan
from bundle.report.counting import EXISTS_SAME, NOT_SELECTED
from bundle.report.differences import resource_lines
from bundle.report.execution_surface import surface_lines
from bundle.report.model import Report, Resource
from bundle.report.notes import dropped_lines, export_notes, inert_lines, missing_secret_lines, supplied_secret_lines
from bundle.report.parts import Limit, Lines, again, file_name, server_name
from bundle.report.records import Subject, planned, records_report
from bundle.report.signatures import signature_lines
from bundle.report.waiting import blocked_elsewhere, blocked_lines, by_root

_NAMES = ("create", "update", "unchanged", "different", "unsupported", "blocked", "not_selected")
_NAME_OF: Mapping[str, str] = {
    "create": "create",
    "complete": "update",
    "fill": "update",
    "update": "update",
    "unsupported": "unsupported",
    "blocked": "blocked",
}
_LEGEND = "+ create or complete   ~ differs   = unchanged   ! not possible   ? secret needed"


def report(subject: Subject, plan: Plan) -> Report:
    """The report of a plan, exit code 0: whether differences count is for the command to say."""
    return records_report(subject, tuple(map(planned, plan.actions)), name_of=_name_of, names=_NAMES)


def _name_of(resource: Resource) -> str:
    if resource.reason == NOT_SELECTED:
        return "not_selected"
    if resource.action == "skip":
        return "unchanged" if resource.reason == EXISTS_SAME else "different"
    return _NAME_OF[resource.action]


def layout(report: Report, limit: Limit) -> Iterator[Lines]:
    """The actions, and what to know about them."""
    yield [f"Plan to import {file_name(report)} into {server_name(report.destination)}", *signature_lines(report)]
    yield from plan_blocks(report, limit)


def plan_blocks(report: Report, limit: Limit) -> Iterator[Lines]:
    """All but the title."""
    yield from export_notes(report, again(limit))
    yield [_LEGEND]
    yield _actions(report.resources, limit)
    yield dropped_lines(report.resources, limit)
    yield surface_lines(report, limit)
    yield supplied_secret_lines(report, limit)
    yield missing_secret_lines(report, limit)
    yield inert_lines(report)
    yield [_sum(report.summary)]


def _actions(resources: Sequence[Resource], limit: Limit) -> Lines:
    """What is to be done; what is blocked is listed under what it waits for, what is unchanged only counted."""
    waiting = by_root(resources)
    for resource in resources:
        is_news = limit is None or resource.reason not in {EXISTS_SAME, NOT_SELECTED}
        if (is_news and resource.reason != "waits-for") or resource.key in waiting:
            yield from resource_lines(resource, limit)
            yield from blocked_lines(waiting.get(resource.key, ()), limit)
    yield from blocked_elsewhere(waiting, [each.key for each in resources], limit)
    if limit is not None:
        unchanged = Counter(each.kind for each in resources if each.reason == EXISTS_SAME)
        yield from (f"= {count} {kind} unchanged" for kind, count in sorted(unchanged.items()))


def _sum(summary: Mapping[str, int]) -> str:
    counts = {**summary, "delete": 0, "secrets needed": summary["secrets_outstanding"]}
    always = ("create", "update", "delete", "unchanged")
    others = (*(name for name in _NAMES if name not in always), "secrets needed")
    parts = [
        f"{counts[name]} {name.replace('_', ' ')}" for name in (*always, *others) if counts[name] or name in always
    ]
    return f"Plan: {', '.join(parts)} ({summary['accounted_for']} of {summary['total']} accounted for)"
