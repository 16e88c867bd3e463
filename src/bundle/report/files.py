"""Commands whose result is files: what was written."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from bundle.errors import ExitCode
from bundle.report.model import Report
from bundle.report.parts import Limit, Lines, cut, rest_of


def report(command: str, written: Iterable[str]) -> Report:
    """The report of a command that wrote these files."""
    return Report(command=command, exit_code=ExitCode.DONE, ok=True, written=tuple(written))


def layout(report: Report, limit: Limit) -> Iterator[Lines]:
    """A line for each file."""
    yield [*(f"written: {each}" for each in cut(report.written, limit)), *rest_of(report.written, limit)]
