"""The published JSON Schema of the report, generated from ``report.model``.

Objects are left open, so that a report of a newer minor version is valid.
``python -m bundle.report.schema DIRECTORY`` writes the file; a test compares it.
"""

from __future__ import annotations

import sys
from pathlib import Path

import msgspec

from bundle.report.model import Report

REPORT = "report-1.schema.json"

_HEAD = {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": "urn:xfer:schema:report-1"}
_TITLE = "xfer report, version 1: what --json prints"


def generate() -> bytes:
    """The schema file."""
    (top,), definitions = msgspec.json.schema_components([Report], ref_template="#/$defs/{name}")
    body = definitions.pop(str(top["$ref"]).rpartition("/")[2])
    schema = _HEAD | body | {"title": _TITLE, "$defs": definitions}
    return msgspec.json.format(msgspec.json.encode(schema, order="deterministic"), indent=2) + b"\n"


if __name__ == "__main__":
    Path(sys.argv[1], REPORT).write_bytes(generate())
