"""``xfer export``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from bundle.model import Manifest
from bundle.report.bundle import described
from bundle.report.counting import FATES, count_line, marked_incomplete
from bundle.report.model import Report, Side
from bundle.report.notes import note_lines
from bundle.report.parts import Lines, table, title


def report(manifest: Manifest, file: str | None, source: Side, torn: Sequence[str]) -> Report:
    """The report of an export; ``torn`` names the kinds that changed while they were read."""
    done = msgspec.structs.replace(described("export", manifest, file), source=source, changed_while_read=tuple(torn))
    return marked_incomplete(done) if torn else done


def layout(report: Report, limit: int | None) -> Iterator[Lines]:
    yield [title(report, "Exported", "to")]
    yield table(report.kinds, ("total", *FATES))
    yield from note_lines(report, limit)
    yield [count_line(report.summary, FATES)]
