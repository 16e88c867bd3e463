"""The report on a file that was verified, and on a destination that was read back."""

from __future__ import annotations

from bundle.plan.actions import Difference, Plan
from bundle.report import text, verify
from bundle.report.records import Subject
from support.reports import DESTINATION, action, last_line, manifest


def test_a_destination_that_holds_the_bundle_is_the_same() -> None:
    """Exit code 0, and every resource is counted as the same."""
    plan = Plan((action("flow:a", "skip", "exists-same"),))
    report = verify.report(Subject("verify", manifest("flow:a"), "env.pxb", DESTINATION), plan)
    assert (report.exit_code, report.ok) == (0, True)
    assert last_line(report) == "1 same, 0 different, 0 missing (1 of 1 accounted for)"


def test_drift_is_an_answer_not_a_failure() -> None:
    """What is missing and what differs is exit code 2; each is named, the difference with both values."""
    differing = action("flow:b", "skip", "exists-differs", differences=(Difference("/tags", ["x"], ["y"]),))
    stored = manifest("flow:a", "flow:b")
    report = verify.report(Subject("verify", stored, "env.pxb", DESTINATION), Plan((action("flow:a"), differing)))
    assert (report.exit_code, report.ok) == (2, True)
    assert (
        "! flow:a  (missing)\n"
        '~ flow:b  (exists-differs)\n    /tags\n      - ["y"]\n      + ["x"]\n\n'
        "0 same, 1 different, 1 missing (2 of 2 accounted for)"
    ) in text.render(report)


def test_what_a_bundle_states_is_apart_from_what_was_verified() -> None:
    """Digest and format are verified; provenance is what anybody can have written, and is marked as such."""
    report = verify.report_of_file(manifest("flow:a"), "env.pxb")
    assert text.render(report) == (
        "bundle:          env.pxb\n"
        "format:          1.0\n"
        f"content digest:  {'0' * 64}\n\n"
        "stated by the bundle, not verified:\n"
        "  source: http://a.test/api\n\n"
        "intact: 1 exported, 0 left out (1 of 1 accounted for)"
    )
