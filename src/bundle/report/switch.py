"""``xfer activate`` and ``xfer deactivate``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from bundle.model import Header
from bundle.operations.cutover import SWITCH_REASONS, Switched
from bundle.report.bundle import contents, not_exported
from bundle.report.counting import STATES, exit_code_of, incomplete, summary_of, tally
from bundle.report.differences import because, field_differences, needed_by
from bundle.report.model import NextRuns, Report, Resource, Verb
from bundle.report.notes import export_notes
from bundle.report.parts import (
    Limit,
    Lines,
    by_reason,
    count_line,
    cut,
    file_argument,
    file_name,
    heading,
    is_trial,
    rest_of,
    server_name,
    table,
)
from bundle.report.records import Subject
from bundle.report.signatures import signature_lines


def report(subject: Subject, results: Sequence[Switched], *, dry_run: bool) -> Report:
    """The report of what was switched on or off; each resource of the bundle that has switches is counted."""
    code = exit_code_of(results)
    kinds = tally(((each.kind, each.state) for each in results), STATES)
    return Report(
        command=subject.command,
        exit_code=code,
        ok=not code,
        summary=summary_of(kinds, STATES),
        kinds=kinds,
        destination=subject.destination,
        bundle=contents(subject.manifest, subject.file),
        signatures=subject.verdict,
        resources=tuple(_resource(each, dry_run=dry_run) for each in results),
    )


def report_of_source(switched: Report, header: Header, changed: Sequence[str]) -> Report:
    """The same where the server is the source, whose state the bundle holds; ``changed`` as for an export.

    What could not be read was not switched off, and is listed as left out.
    """
    lacking = not_exported(header.left_out)
    done = msgspec.structs.replace(
        switched,
        source=switched.destination,
        destination=None,
        changed_while_read=tuple(changed),
        left_out=lacking,
    )
    return incomplete(done) if (changed or lacking) and done.ok else done


def _resource(each: Switched, *, dry_run: bool) -> Resource:
    return Resource(
        key=each.key,
        kind=each.kind,
        action=_verb(each),
        state=None if dry_run else each.state,
        reason=each.reason,
        detail=each.detail,
        waits_for=each.waits_for,
        differences=field_differences(each.kind, each.differences),
    )


def _verb(each: Switched) -> Verb:
    if each.switches:
        return "switch"
    return "blocked" if each.state in {"failed", "blocked"} else "skip"


def layout(report: Report, limit: Limit) -> Iterator[Lines]:
    """What was switched, by reason, and what runs next."""
    yield [_title(report), *signature_lines(report)]
    yield table(report.kinds, ("total", *STATES))
    for reason, found in by_reason(report.resources):
        shown = [] if reason == "already" and limit is not None else cut(found, limit)
        yield [
            *heading(reason, len(found), SWITCH_REASONS[reason]),
            *(f"  {each.key}{because(each)}{needed_by(each)}" for each in shown),
            *(rest_of(found, limit) if shown else ()),
        ]
    yield _next_runs(report.next_runs, limit)
    yield from export_notes(report, limit)
    yield [count_line(report.summary, STATES)]


def _title(report: Report) -> str:
    verb = "Would switch" if is_trial(report) else "Switched"
    if report.source is None:
        return f"{verb} on in {server_name(report.destination)} what is on in {file_name(report)}"
    is_kept = report.bundle is not None and report.bundle.file is not None
    undo = f"; to undo: xfer activate {file_argument(report)} --to {report.source.name}" if is_kept else ""
    return f"{verb} off in {server_name(report.source)}{undo}"


def _next_runs(runs: Sequence[NextRuns], limit: Limit) -> Lines:
    if runs:
        yield f"next runs, by schedule ({len(runs)}):"
    for each in cut(runs, limit):
        yield f"  {each.key}  {each.schedule}"
        yield f"      {_times(each)}"
    yield from rest_of(runs, limit)


def _times(runs: NextRuns) -> str:
    if runs.times is None:
        return "unknown"
    return ", ".join(runs.times) or "none: the schedule has ended"
