"""A report as one JSON document."""

from __future__ import annotations

import msgspec

from bundle.report.escaping import escape_json
from bundle.report.model import Report


def render(report: Report) -> str:
    """The document, indented, safe to print, without a final line break."""
    return escape_json(msgspec.json.format(msgspec.json.encode(report), indent=2).decode())
