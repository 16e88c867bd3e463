"""``xfer rollback``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bundle.errors import ExitCode
from bundle.operations.undo import ROLLBACK_REASONS, Undone
from bundle.report.counting import STATES, count_line, sums, tally
from bundle.report.escaping import escape
from bundle.report.model import Report, Resource, Side
from bundle.report.parts import Lines, by_reason, cut, heading, rest_of, table, title
from bundle.report.waiting import needed_by

_UNDONE = STATES[:3]


def report(undone: Sequence[Undone], destination: Side, *, dry_run: bool) -> Report:
    """The report of a rollback; incomplete where something was kept that the import had made."""
    names = STATES[:3]
    kinds = tally(((each.kind, each.state) for each in undone), names)
    code = ExitCode.INCOMPLETE if any(each.state == "failed" for each in undone) else ExitCode.DONE
    return Report(
        command="rollback",
        exit_code=code,
        ok=code == ExitCode.DONE,
        summary=sums(kinds, names),
        kinds=kinds,
        destination=destination,
        resources=tuple(_undone(each, dry_run=dry_run) for each in undone),
    )


def layout(report: Report, limit: int | None) -> Iterator[Lines]:
    is_trial = any(each.state is None for each in report.resources)
    yield [title(report, "Would take back" if is_trial else "Took back", "in")]
    yield table(report.kinds, ("total", *_UNDONE))
    for reason, found in by_reason(report.resources):
        yield [
            *heading(reason, len(found), ROLLBACK_REASONS[reason]),
            *(f"  {escape(each.key)}{needed_by(each)}" for each in cut(found, limit)),
            *rest_of(found, limit),
        ]
    yield [count_line(report.summary, _UNDONE)]


def _undone(each: Undone, *, dry_run: bool) -> Resource:
    return Resource(
        key=each.key,
        kind=each.kind,
        action=each.action,
        state=None if dry_run else each.state,
        reason=each.reason,
        detail=each.detail,
        waits_for=each.needed_by,
    )
