"""``xfer import``."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

import msgspec

from bundle.apply.outcomes import Outcome
from bundle.errors import ExitCode
from bundle.plan.actions import REASONS, Plan
from bundle.report.counting import NOT_SELECTED, STATES, count_line, exit_code_of
from bundle.report.escaping import escape
from bundle.report.model import Report, Resource
from bundle.report.notes import dropped_lines, inert_lines, note_lines, outstanding_lines
from bundle.report.parts import Lines, cut, heading, least, rest_of, table, title
from bundle.report.records import Subject, carried, ended_resource
from bundle.report.waiting import because, blocked_lines, by_root, waiting_elsewhere

# Nothing to do about these.
_AS_WANTED = frozenset(
    {
        "created",
        "created-without-secret",
        "completed",
        "secret-filled",
        "updated",
        "exists-same",
        "waits-for",
        NOT_SELECTED,
    }
)


def report(subject: Subject, plan: Plan, outcomes: Sequence[Outcome], *, forgives: bool = False) -> Report:
    """The report of an import that ran to its end, whatever it met; ``forgives``: failures cost no exit code."""
    actions = {action.key: action for action in plan.actions}
    resources = tuple(ended_resource(outcome, actions[outcome.key]) for outcome in outcomes)
    done = carried(subject, resources, count=_state, names=STATES)
    found = exit_code_of(outcomes)
    code = max(done.exit_code, ExitCode.DONE if forgives and found == ExitCode.INCOMPLETE else found)
    return msgspec.structs.replace(done, exit_code=code, ok=done.ok and found == ExitCode.DONE)


def layout(report: Report, limit: int | None) -> Iterator[Lines]:
    yield [title(report, "Transferred" if report.command == "transfer" else "Imported", "into")]
    yield from note_lines(report, least(limit), has_slots=False)
    yield table(report.kinds, ("total", *STATES))
    yield _attention(report.resources, limit)
    yield dropped_lines(report.resources, limit)
    yield outstanding_lines(report, limit)
    yield inert_lines(report)
    yield [count_line(report.summary, STATES)]


def _attention(resources: Sequence[Resource], limit: int | None) -> Lines:
    """What is not as the bundle has it, by reason; what is blocked is listed under what it waits for."""
    groups: dict[str, list[Resource]] = defaultdict(list)
    waiting = by_root(resources)
    for resource in resources:
        if resource.reason not in _AS_WANTED or resource.key in waiting:
            groups[resource.reason].append(resource)
    for reason, group in groups.items():
        yield from heading(reason, len(group), REASONS.get(reason, ""))
        for resource in cut(group, limit):
            yield f"  {escape(resource.key)}{because(resource)}"
            yield from blocked_lines(waiting.get(resource.key, ()), limit)
        yield from rest_of(group, limit)
    yield from waiting_elsewhere(waiting, [each for group in groups.values() for each in group], limit)


def _state(resource: Resource) -> str:
    return str(resource.state)
