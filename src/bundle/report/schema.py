"""The published JSON Schema of the report, generated from ``report.model``.

Objects are left open, so that a report of a newer minor version is valid.
``python -m bundle.report.schema DIRECTORY`` writes the file; a test compares it.
"""

from __future__ import annotations

import sys
from pathlib import Path

from bundle.record.json_schema import parts_of, rendered
from bundle.report.model import Report

REPORT = "report-1.schema.json"

_TITLE = "xfer report, version 1: what --json prints"


def generate() -> bytes:
    """The schema file."""
    return rendered("urn:xfer:schema:report-1", _TITLE, *parts_of(Report))


if __name__ == "__main__":
    Path(sys.argv[1], REPORT).write_bytes(generate())
