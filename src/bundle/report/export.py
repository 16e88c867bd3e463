"""``xfer export``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from bundle.model import Manifest
from bundle.report.bundle import bundle_report, not_exported
from bundle.report.counting import CENSUS, incomplete
from bundle.report.model import Report, Side
from bundle.report.notes import export_notes, placeholder_lines
from bundle.report.parts import Limit, Lines, count_line, file_name, server_name, table


def report(manifest: Manifest, file: str | None, source: Side, changed: Sequence[str]) -> Report:
    """The report of an export; exit code 3 if any kinds ``changed`` while they were read, or something is lacking."""
    done = msgspec.structs.replace(
        bundle_report("export", manifest, file), source=source, changed_while_read=tuple(changed)
    )
    return incomplete(done) if changed or not_exported(manifest.left_out) else done


def layout(report: Report, limit: Limit) -> Iterator[Lines]:
    """What was read, and what to know about it."""
    yield [f"Exported {server_name(report.source)} to {file_name(report)}"]
    yield table(report.kinds, ("total", *CENSUS))
    yield placeholder_lines(report, limit)
    yield from export_notes(report, limit)
    yield [count_line(report.summary, CENSUS)]
