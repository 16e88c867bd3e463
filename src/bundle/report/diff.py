"""``xfer diff``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from bundle.errors import ExitCode
from bundle.operations.diff import Change
from bundle.report.counting import CHANGES, count_line, sums, tally, with_differences
from bundle.report.differences import action_lines, field_differences
from bundle.report.model import Report, Resource, Side, Verb
from bundle.report.parts import Lines, side

_CHANGED_AS: Mapping[str, Verb] = {"added": "add", "removed": "remove", "changed": "change", "unchanged": "keep"}


def report(found: Sequence[Change], older: Side, newer: Side) -> Report:
    """The report of a comparison of two environments: exit code 2 unless they are the same."""
    kinds = tally(((each.kind, each.fate) for each in found), CHANGES)
    done = Report(
        command="diff",
        exit_code=ExitCode.DONE,
        ok=True,
        summary=sums(kinds, CHANGES),
        kinds=kinds,
        source=older,
        destination=newer,
        resources=tuple(_change(each) for each in found),
    )
    return with_differences(done) if any(each.fate != "unchanged" for each in found) else done


def layout(report: Report, limit: int | None) -> Iterator[Lines]:
    if report.source and report.destination:
        yield [f"Changes from {side(report.source)} to {side(report.destination)}"]
    yield ["+ added   - removed   ~ changed"]
    changed = [each for each in report.resources if each.action != "keep"]
    for kind in sorted({each.kind for each in changed}):
        yield [line for each in changed if each.kind == kind for line in action_lines(each, limit)]
    yield [count_line(report.summary, CHANGES)]


def _change(each: Change) -> Resource:
    return Resource(
        key=each.key,
        kind=each.kind,
        action=_CHANGED_AS[each.fate],
        state=None,
        reason=each.fate,
        differences=field_differences(each.kind, each.differences),
    )
