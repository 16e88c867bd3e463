"""``xfer import``."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

import msgspec

from bundle.apply.outcomes import Outcome
from bundle.errors import ExitCode
from bundle.kinds import KINDS
from bundle.model import name_of
from bundle.plan.actions import REASONS, Plan
from bundle.report import plan as plan_report
from bundle.report.counting import ENDINGS, EXISTS_SAME, NOT_SELECTED, exit_code_of
from bundle.report.differences import because
from bundle.report.endings import ending_lines
from bundle.report.model import Report, Resource
from bundle.report.next_steps import next_step_lines
from bundle.report.notes import dropped_lines, export_notes, inert_lines, missing_secret_lines
from bundle.report.parts import (
    Limit,
    Lines,
    again,
    count_line,
    cut,
    file_name,
    heading,
    is_trial,
    rest_of,
    server_name,
    table,
)
from bundle.report.records import Subject, ended, records_report
from bundle.report.signatures import signature_lines
from bundle.report.waiting import blocked_elsewhere, blocked_lines, by_root

# Nothing to do about these; what waits is listed under what it waits for.
_AS_WANTED = frozenset({"created", "created-without-secret", "completed", "updated", EXISTS_SAME, NOT_SELECTED})


def report(subject: Subject, plan: Plan, outcomes: Sequence[Outcome], *, ignores_failures: bool = False) -> Report:
    """The report of an import that ran to its end; ``ignores_failures``: they leave the exit code 0."""
    actions = {action.key: action for action in plan.actions}
    resources = tuple(ended(outcome, actions[outcome.key]) for outcome in outcomes)
    done = records_report(subject, resources, name_of=_name_of, names=ENDINGS)
    found = exit_code_of(outcomes)
    code = max(done.exit_code, ExitCode.DONE if ignores_failures and found == ExitCode.INCOMPLETE else found)
    return msgspec.structs.replace(done, exit_code=code, ok=done.ok and found == ExitCode.DONE)


def _name_of(resource: Resource) -> str:
    is_there = resource.state == "skipped" and resource.reason == EXISTS_SAME
    return "built_in" if is_there and KINDS[resource.kind].is_built_in(name_of(resource.key)) else str(resource.state)


def layout(report: Report, limit: Limit) -> Iterator[Lines]:
    """What was done, or with ``--dry-run`` the plan."""
    if is_trial(report):
        yield from plan_report.layout(report, limit)
        return
    yield [f"Imported {file_name(report)} into {server_name(report.destination)}", *signature_lines(report)]
    yield from result_blocks(report, limit)


def result_blocks(report: Report, limit: Limit) -> Iterator[Lines]:
    """What became of the records, and what is left to do."""
    yield from export_notes(report, again(limit))
    yield table(report.kinds, ("total", *ENDINGS))
    yield _attention(report.resources, limit)
    yield dropped_lines(report.resources, limit)
    yield missing_secret_lines(report, limit)
    yield inert_lines(report)
    yield next_step_lines(report, limit)
    yield [count_line(report.summary, ENDINGS), *ending_lines(report)]


def _attention(resources: Sequence[Resource], limit: Limit) -> Lines:
    """What did not become as it is in the bundle, by reason."""
    groups: dict[str, list[Resource]] = defaultdict(list)
    waiting = by_root(resources)
    for resource in resources:
        if resource.key in waiting or resource.reason not in {*_AS_WANTED, "waits-for"}:
            groups[resource.reason].append(resource)
    for reason, group in groups.items():
        yield from heading(reason, len(group), REASONS.get(reason, ""))
        for resource in cut(group, limit):
            yield f"  {resource.key}{because(resource)}"
            yield from blocked_lines(waiting.get(resource.key, ()), limit)
        yield from rest_of(group, limit)
    yield from blocked_elsewhere(waiting, [each.key for group in groups.values() for each in group], limit)
