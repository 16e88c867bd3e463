"""The report of an export."""

from __future__ import annotations

from bundle.model import Count, LeftOut
from bundle.report import export, text
from bundle.report.model import Side
from support.reports import DESTINATION, last_line, manifest


def test_account_of_an_export() -> None:
    """The census is the account: what was seen is exported or left out."""
    stored = manifest("flow:a", census={"flow": Count(3, 1, 2)}, left_out=(LeftOut("flow", "built-in", 2),))
    report = export.report(stored, "env.pxb", DESTINATION, ())
    assert (report.exit_code, last_line(report)) == (0, "1 exported, 2 left out (3 of 3 accounted for)")
    torn = export.report(stored, "env.pxb", DESTINATION, ("flow",))
    assert torn.exit_code == 3
    wrong = manifest("flow:a", census={"flow": Count(3, 1, 1)})
    assert export.report(wrong, "env.pxb", DESTINATION, ()).exit_code == 3


def test_a_server_is_named_once() -> None:
    """A profile is shown with its URL, and a URL that was given in place of a profile by itself."""
    stored = manifest("flow:a", census={"flow": Count(1, 1, 0)})
    titles = [
        text.render(export.report(stored, "env.pxb", Side(name, "http://h/api"), ())).splitlines()[0]
        for name in ("dev", "http://h/api")
    ]
    assert titles == ["Exported dev (http://h/api) to env.pxb", "Exported http://h/api to env.pxb"]
