"""``xfer transfer``: the report of its import, with the source."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from bundle.errors import ExitCode
from bundle.model import Header
from bundle.report import import_, plan
from bundle.report.bundle import not_exported
from bundle.report.counting import incomplete
from bundle.report.model import Report, Side
from bundle.report.parts import Limit, Lines, is_trial, server_name


def report(
    imported: Report, source: Side, exported: Header, changed: Sequence[str], warnings: Sequence[str] = ()
) -> Report:
    """The report of an import as that of a transfer; ``exported`` and ``changed`` as for an export."""
    lacking = not_exported(exported.left_out)
    done = msgspec.structs.replace(
        imported,
        source=source,
        changed_while_read=tuple(changed),
        left_out=lacking,
        warnings=(*imported.warnings, *warnings),
    )
    return incomplete(done) if (changed or lacking) and done.exit_code == ExitCode.DONE else done


def layout(report: Report, limit: Limit) -> Iterator[Lines]:
    """What was done, or with ``--dry-run`` the plan."""
    ways = f"{server_name(report.source)} to {server_name(report.destination)}"
    if is_trial(report):
        yield [f"Plan to transfer {ways}"]
        yield from plan.plan_blocks(report, limit)
        return
    yield [f"Transferred {ways}"]
    yield from import_.result_blocks(report, limit)
