"""A report as one JSON document."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from bundle.report.escaping import escape_json
from bundle.report.model import Report


def render(report: Report, warnings: Iterable[str] = ()) -> str:
    """The document, indented, safe to print, without a final line break; ``warnings`` are further ones."""
    report = msgspec.structs.replace(report, warnings=(*warnings, *report.warnings))
    return escape_json(msgspec.json.format(msgspec.json.encode(report), indent=2).decode())
