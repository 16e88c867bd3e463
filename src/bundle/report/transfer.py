"""``xfer transfer``: the report of its import, with the source."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from bundle.errors import ExitCode
from bundle.report import import_
from bundle.report.counting import marked_incomplete
from bundle.report.model import Report, Side

layout = import_.layout


def report(imported: Report, source: Side, torn: Sequence[str], warnings: Sequence[str] = ()) -> Report:
    """The report of an import as that of a transfer."""
    done = msgspec.structs.replace(
        imported, source=source, changed_while_read=tuple(torn), warnings=(*imported.warnings, *warnings)
    )
    return marked_incomplete(done) if torn and done.exit_code == ExitCode.DONE else done
