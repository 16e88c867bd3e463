"""The sum of a report, and the exit code that follows."""

from __future__ import annotations

import pytest

from bundle.apply.outcomes import Outcome
from bundle.report import text
from support.reports import imported, last_line, outcome


def test_last_line_when_all_is_well() -> None:
    """The sum names succeeded, skipped and failed, and nothing is said of what is blocked."""
    outcomes = [outcome(f"flow:{number}", "succeeded", "created") for number in range(25)]
    assert last_line(imported(*outcomes)) == "25 succeeded, 0 skipped, 0 failed (25 of 25 accounted for)"


def test_what_every_prefect_makes_itself_is_counted_apart() -> None:
    """A needed built-in type that is there, and its schema, are neither work done nor something skipped."""
    report = imported(
        outcome("block-type:secret", "skipped", "exists-same"),
        outcome("block-schema:secret@0123456789ab", "skipped", "exists-same"),
        outcome("block-type:own", "skipped", "exists-same"),
        outcome("block:secret/db", "succeeded", "created"),
    )
    assert last_line(report) == "1 succeeded, 1 skipped, 0 failed, 2 built in (4 of 4 accounted for)"
    assert report.exit_code == 0


def test_an_account_of_what_was_stopped() -> None:
    """What was begun and what was not tried are numbers of their own; a server that went away is exit code 5."""
    outcomes = [
        outcome("flow:a", "succeeded", "created"),
        outcome("flow:b", "failed", "unreachable"),
        outcome("deployment:a/a", "begun", "begun"),
        outcome("flow:c", "not_tried", "not-tried"),
    ]
    report = imported(*outcomes)
    *_, counts, why = text.render(report).splitlines()
    assert counts == "1 succeeded, 0 skipped, 1 failed, 1 begun, 1 not tried (4 of 4 accounted for)"
    assert why == "exit code 5 (1 failed, 1 begun, 1 not tried): run the same command again once the server answers"
    assert imported(*outcomes[:2]).exit_code == 3


def test_last_line_with_something_blocked() -> None:
    """What is blocked is a number of its own, and part of the sum."""
    report = imported(
        outcome("work-pool:push", "skipped", "push-pool"),
        outcome("flow:etl", "succeeded", "created"),
        outcome("deployment:etl/a", "blocked", "waits-for", waits_for=("work-pool:push",)),
    )
    *_, counts, why = text.render(report).splitlines()
    assert counts == "1 succeeded, 1 skipped, 0 failed, 1 blocked (3 of 3 accounted for)"
    assert why.startswith("exit code 3 (1 blocked): ")
    assert "--exclude" in why
    assert (report.exit_code, report.ok) == (3, False)


@pytest.mark.parametrize(
    "outcomes",
    [
        [outcome("flow:a", "succeeded", "created")],
        [outcome("flow:a", "succeeded", "created"), outcome("flow:a", "succeeded", "created")],
        [outcome("flow:a", "succeeded", "created"), outcome("variable:b", "succeeded", "created")],
    ],
)
def test_sum_that_does_not_add_up_is_incomplete(outcomes: list[Outcome]) -> None:
    """A record that ends nowhere, twice, or as another kind makes the exit code 3."""
    assert imported(*outcomes, keys=("flow:a", "flow:b")).exit_code == 3


@pytest.mark.parametrize(
    ("states", "code"),
    [
        ([("succeeded", "created"), ("skipped", "exists-same")], 0),
        ([("skipped", "exists-differs")], 0),
        ([("succeeded", "created"), ("failed", "rejected")], 3),
        ([("succeeded", "created"), ("failed", "unreachable")], 3),
        ([("skipped", "exists-same"), ("blocked", "waits-for")], 3),
        ([("failed", "unreachable"), ("failed", "not-tried")], 5),
        ([("failed", "unreachable"), ("failed", "rejected")], 3),
        ([], 0),
    ],
)
def test_exit_code_of_an_import(states: list[tuple[str, str]], code: int) -> None:
    """Succeeded and skipped are 0; failed and blocked are 3; a server that is not there at all is 5."""
    report = imported(*(outcome(f"flow:{number}", *state) for number, state in enumerate(states)))
    assert report.exit_code == code
