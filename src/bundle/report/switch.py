"""``xfer activate`` and ``xfer deactivate``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from bundle.errors import ExitCode
from bundle.operations.cutover import SWITCH_REASONS, Switched
from bundle.report.bundle import contents
from bundle.report.counting import STATES, count_line, exit_code_of, marked_incomplete, sums, tally
from bundle.report.differences import field_differences
from bundle.report.escaping import escape
from bundle.report.model import NextRuns, Report, Resource
from bundle.report.notes import reading_lines
from bundle.report.parts import Lines, by_reason, cut, file_name, heading, rest_of, server_name, table
from bundle.report.records import Subject
from bundle.report.waiting import because, needed_by


def report(subject: Subject, results: Sequence[Switched], next_runs: Sequence[NextRuns], *, dry_run: bool) -> Report:
    """The report of what was switched on or off; each resource of the bundle that has switches is counted."""
    code = exit_code_of(results)
    kinds = tally(((each.kind, each.state) for each in results), STATES)
    return Report(
        command=subject.command,
        exit_code=code,
        ok=code == ExitCode.DONE,
        summary=sums(kinds, STATES),
        kinds=kinds,
        destination=subject.destination,
        bundle=contents(subject.manifest, subject.file),
        resources=tuple(_switched(each, dry_run=dry_run) for each in results),
        next_runs=tuple(next_runs),
    )


def layout(report: Report, limit: int | None) -> Iterator[Lines]:
    is_trial = any(each.state is None for each in report.resources)
    yield [_switch_title(report, is_trial=is_trial)]
    yield table(report.kinds, ("total", *STATES))
    for reason, found in by_reason(report.resources):
        shown = [] if reason == "already" and limit is not None else cut(found, limit)
        yield [
            *heading(reason, len(found), SWITCH_REASONS[reason]),
            *(f"  {escape(each.key)}{because(each)}{needed_by(each)}" for each in shown),
            *(rest_of(found, limit) if shown else ()),
        ]
    yield _next_runs(report.next_runs, limit)
    yield reading_lines(report)
    yield [count_line(report.summary, STATES)]


def _switch_title(report: Report, *, is_trial: bool) -> str:
    verb, side = "Would switch" if is_trial else "Switched", report.destination or report.source
    subject = server_name(side)
    file = file_name(report.bundle.file) if report.bundle else ""
    if report.command == "activate":
        return f"{verb} on in {subject} what {file} has on"
    kept = report.bundle is not None and report.bundle.file is not None and side is not None
    back = f"; to switch it on again: xfer activate {file} --to {escape(side.name)}" if kept and side else ""
    return f"{verb} off in {subject}{back}"


def _next_runs(runs: Sequence[NextRuns], limit: int | None) -> Lines:
    if runs:
        yield f"next runs, by schedule ({len(runs)}):"
    for each in cut(runs, limit):
        yield f"  {escape(each.key)}  {escape(each.schedule)}"
        yield f"      {', '.join(each.times) or 'none: it has ended'}" if each.times is not None else "      not known"
    yield from rest_of(runs, limit)


def stopped(report: Report, torn: Sequence[str]) -> Report:
    """The report of what was switched off, at the server whose state was written before."""
    report = msgspec.structs.replace(
        report, source=report.destination, destination=None, changed_while_read=tuple(torn)
    )
    return marked_incomplete(report) if torn and report.ok else report


def _switched(each: Switched, *, dry_run: bool) -> Resource:
    return Resource(
        key=each.key,
        kind=each.kind,
        action="switch" if each.switches else "blocked" if each.state in {"failed", "blocked"} else "skip",
        state=None if dry_run else each.state,
        reason=each.reason,
        detail=each.detail,
        waits_for=each.waits_for,
        differences=field_differences(each.kind, each.differences),
    )
