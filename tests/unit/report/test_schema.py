"""The published form."""

from __future__ import annotations

from pathlib import Path

from bundle.report import schema

ROOT = Path(__file__).parents[3]


def test_published_schema_is_current() -> None:
    """The file in schemas/ is what the structs say."""
    assert (ROOT / "schemas" / schema.REPORT).read_bytes() == schema.generate()
