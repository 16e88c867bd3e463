"""The parts of layouts."""

from __future__ import annotations

import pytest

from bundle.report import text
from bundle.report.model import Side
from bundle.report.parts import server_argument
from support.reports import imported, outcome


def test_long_lists_are_cut_unless_asked_for() -> None:
    """Ten of a group are shown with the number of the rest; -v shows all."""
    report = imported(*(outcome(f"flow:{number:02}", "failed", "rejected") for number in range(25)))
    assert "  flow:09\n  … and 15 more (-v shows all)\n" in text.render(report)
    assert "  flow:24\n" in text.render(report, in_full=True)


@pytest.mark.parametrize(
    ("name", "argument"),
    [("prod", "prod"), ("prod-state.pxb", "DESTINATION"), ("/backups//prod@latest", "DESTINATION")],
)
def test_a_command_to_copy_names_a_server(name: str, argument: str) -> None:
    """A state, in a file or a store, is no server: the user fills in which one it is of."""
    assert server_argument(Side(name, name)) == argument
