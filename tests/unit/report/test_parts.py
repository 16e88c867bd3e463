"""The parts of layouts."""

from __future__ import annotations

from bundle.report import text
from support.reports import imported, outcome


def test_long_lists_are_cut_unless_asked_for() -> None:
    """Ten of a group are shown with the number of the rest; -v shows all."""
    report = imported(*(outcome(f"flow:{number:02}", "failed", "rejected") for number in range(25)))
    assert "  flow:09\n  … and 15 more (-v shows all)\n" in text.render(report)
    assert "  flow:24\n" in text.render(report, in_full=True)
