"""The published JSON Schema of the report, generated from ``report.model``.

``python -m bundle.report.schema schemas`` writes the file; a test compares it.
"""

from __future__ import annotations

import sys
from pathlib import Path

# The bundle's schemas and this one are made in the same way and by the same code.
from bundle.container.schema import _rendered as rendered
from bundle.report.model import Report

REPORT = "report-1.schema.json"


def generate() -> bytes:
    """The schema file."""
    return rendered(Report, "urn:xfer:schema:report-1", "xfer report, version 1: what --json prints")


if __name__ == "__main__":
    Path(sys.argv[1], REPORT).write_bytes(generate())
