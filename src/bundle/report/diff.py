"""``xfer diff``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from bundle.errors import ExitCode
from bundle.model import LeftOut
from bundle.operations.diff import Change
from bundle.report.bundle import not_exported
from bundle.report.counting import incomplete, summary_of, tally, with_differences
from bundle.report.differences import changed_resource, resource_lines
from bundle.report.model import Report, Side
from bundle.report.notes import export_notes
from bundle.report.parts import Limit, Lines, count_line, server_name

_NAMES = ("added", "removed", "changed", "unchanged")


def report(changes: Sequence[Change], older: Side, newer: Side, *, not_read: Iterable[LeftOut] = ()) -> Report:
    """The report of a comparison of two environments: exit code 2 unless they are the same.

    Exit code 3 where ``not_read``, what either side left out, has something that could not be read.
    """
    lacking = not_exported(not_read)
    kinds = tally(((each.kind, each.fate) for each in changes), _NAMES)
    done = Report(
        command="diff",
        exit_code=ExitCode.DONE,
        ok=True,
        summary=summary_of(kinds, _NAMES),
        kinds=kinds,
        source=older,
        destination=newer,
        resources=tuple(map(changed_resource, changes)),
        left_out=lacking,
    )
    if lacking:
        return incomplete(done)
    return with_differences(done) if any(each.fate != "unchanged" for each in changes) else done


def layout(report: Report, limit: Limit) -> Iterator[Lines]:
    """The changes, a block for each kind."""
    yield [f"Changes from {server_name(report.source)} to {server_name(report.destination)}"]
    yield ["+ added   - removed   ~ changed"]
    changed = [each for each in report.resources if each.action != "keep"]
    for kind in sorted({each.kind for each in changed}):
        yield [line for each in changed if each.kind == kind for line in resource_lines(each, limit)]
    yield from export_notes(report, limit)
    yield [count_line(report.summary, _NAMES)]
