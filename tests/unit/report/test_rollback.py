"""The report of a rollback."""

from __future__ import annotations

from bundle.operations.undo import Undone
from bundle.report import rollback, text
from support.reports import DESTINATION

UNDONE = (
    Undone("flow:etl", "flow", "failed", "still-needed", needed_by=("deployment:etl/other",)),
    Undone("deployment:etl/a", "deployment", "succeeded", "deleted"),
    Undone("variable:region", "variable", "succeeded", "restored", action="restore"),
)


def test_what_became_of_each_is_listed_by_reason() -> None:
    """The reasons are explained, what is kept says what needs it, and something kept is exit code 3."""
    report = rollback.report(UNDONE, DESTINATION, dry_run=False)
    assert (report.exit_code, report.ok) == (3, False)
    assert text.render(report) == (
        "Rolled back in prod (http://prod.test/api)\n\n"
        "kind            total  succeeded    skipped     failed\n"
        "deployment          1          1          0          0\n"
        "flow                1          0          0          1\n"
        "variable            1          1          0          0\n\n"
        "deleted (1): created by the import; deleted\n"
        "  deployment:etl/a\n\n"
        "restored (1): changed by the import; restored to what it was\n"
        "  variable:region\n\n"
        "still-needed (1): something else at the destination refers to it, or it has flow\n    runs; kept\n"
        "  flow:etl (by deployment:etl/other)\n\n"
        "2 succeeded, 0 skipped, 1 failed (3 of 3 accounted for)"
    )


def test_a_trial_says_what_would_be_done() -> None:
    """With --dry-run no resource has a state, and the title says that nothing was done."""
    report = rollback.report(UNDONE[1:], DESTINATION, dry_run=True)
    assert (report.exit_code, {each.state for each in report.resources}) == (0, {None})
    assert text.render(report).startswith("Would roll back in prod (http://prod.test/api)\n")
