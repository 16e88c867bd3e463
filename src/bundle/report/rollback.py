"""``xfer rollback``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bundle.errors import ExitCode
from bundle.operations.undo import ROLLBACK_REASONS, Undone
from bundle.report.counting import STATES, summary_of, tally
from bundle.report.differences import needed_by
from bundle.report.model import Report, Resource, Side
from bundle.report.parts import Limit, Lines, by_reason, count_line, cut, heading, is_trial, rest_of, server_name, table

_NAMES = tuple(state for state in STATES if state != "blocked")


def report(undone: Sequence[Undone], destination: Side, *, dry_run: bool) -> Report:
    """The report of a rollback; exit code 3 where something is kept that the import created or changed."""
    kinds = tally(((each.kind, each.state) for each in undone), _NAMES)
    is_ok = all(each.state != "failed" for each in undone)
    return Report(
        command="rollback",
        exit_code=ExitCode.DONE if is_ok else ExitCode.INCOMPLETE,
        ok=is_ok,
        summary=summary_of(kinds, _NAMES),
        kinds=kinds,
        destination=destination,
        resources=tuple(_resource(each, dry_run=dry_run) for each in undone),
    )


def _resource(each: Undone, *, dry_run: bool) -> Resource:
    return Resource(
        key=each.key,
        kind=each.kind,
        action=each.action,
        state=None if dry_run else each.state,
        reason=each.reason,
        detail=each.detail,
        waits_for=each.needed_by,
    )


def layout(report: Report, limit: Limit) -> Iterator[Lines]:
    """What became of each resource of the receipt, by reason."""
    yield [f"{'Would roll back' if is_trial(report) else 'Rolled back'} in {server_name(report.destination)}"]
    yield table(report.kinds, ("total", *_NAMES))
    for reason, found in by_reason(report.resources):
        yield [
            *heading(reason, len(found), ROLLBACK_REASONS[reason]),
            *(f"  {each.key}{needed_by(each)}" for each in cut(found, limit)),
            *rest_of(found, limit),
        ]
    yield [count_line(report.summary, _NAMES)]
