"""Differences: which values are shown, and how much of them."""

from __future__ import annotations

from typing import Any

import pytest

from bundle.plan.actions import Difference, Plan
from bundle.report import json as as_json
from bundle.report import plan as plan_report
from bundle.report import text
from bundle.report.records import Subject
from support.reports import DESTINATION, action, manifest


@pytest.mark.parametrize(
    ("pointer", "value", "is_hidden"),
    [
        ("/value", "ghp_" + "x" * 36, True),
        ("/job_variables/env/DB_PASSWORD", "hunter2", True),
        ("/job_variables/password/value", "hunter2", True),
        ("/job_variables", {"env": {"token": "hunter2"}}, False),
        ("", {"token": "hunter2"}, False),
        ("/value", "psql postgres://u:hunter2@db/x", False),
        ("/value", "eu-central-1", False),
        ("/limit", 5, False),
    ],
)
def test_values_that_look_secret_are_hidden(pointer: str, value: Any, is_hidden: bool) -> None:  # noqa: FBT001
    """A value that looks like a secret, or stands where secrets do, is hidden; in others only the secret parts."""
    for difference in (Difference(pointer, value, None), Difference(pointer, None, value)):
        plan = Plan((action("variable:x", "skip", "exists-differs", differences=(difference,)),))
        report = plan_report.report(Subject("plan", manifest("variable:x"), None, DESTINATION), plan)
        assert report.resources[0].differences[0].is_hidden is is_hidden
        assert ("hunter2" in as_json.render(report)) is False


def _told(older: Any, newer: Any, pointer: str = "/x", key: str = "deployment:etl/a", *, whole: bool = False) -> str:
    """How a plan shows one difference."""
    found = action(key, "skip", "exists-differs", differences=(Difference(pointer, newer, older),))
    report = plan_report.report(Subject("plan", manifest(key), "env.pxb", DESTINATION), Plan((found,)))
    _, _, after = text.render(report, in_full=whole).partition(f"    {pointer}\n")
    return after.partition("\n\n")[0]


def test_of_long_lists_only_what_differs_is_told() -> None:
    """Items that both sides have are left out, so that a schedule that came or went can be seen."""
    kept = [{"slug": f"kept {number}", "cron": "0 5 * * *"} for number in range(9)]
    same = [dict(reversed(each.items())) for each in kept]

    assert _told([*same, {"slug": "theirs"}], kept) == '      - {"slug":"theirs"}'
    assert _told([*kept, {"slug": "theirs"}], kept) == '      - {"slug":"theirs"}'
    assert _told(kept, [{"slug": "a"}, *kept, {"slug": "b"}]) == '      + {"slug":"a"}\n      + {"slug":"b"}'
    assert "kept 8" in _told([*kept, {"slug": "theirs"}], kept, whole=True)


def test_of_long_values_the_part_that_differs_is_told() -> None:
    """Both sides begin a little before they part; a change of order is shown as it is."""
    older, newer = "a" * 500 + "old" + "b" * 500, "a" * 500 + "new" + "b" * 500

    lines = [line.strip() for line in _told(older, newer).splitlines()]
    assert [line[:40] for line in lines] == [f"- …{'a' * 30}oldbbbb", f"+ …{'a' * 30}newbbbb"]
    assert all(line.endswith("b…") and len(line) < 130 for line in lines)
    numbers = list(range(100))
    assert [line[:12] for line in _told(numbers, numbers[::-1]).splitlines()] == ["      - [0,1", "      + [99,"]


@pytest.mark.parametrize(
    ("key", "pointer", "sides", "shown"),
    [
        ("work-pool:k8s", "/is_paused", (True, None), "- true + false"),
        ("automation:page", "/enabled", (False, None), "- false + true"),
        ("deployment:etl/a", "/tags", (None, ["x"]), '- [] + ["x"]'),
        ("deployment:etl/a", "/description", (None, "x"), "- null + x"),
        ("variable:region", "/value", ("x", None), "- x + null"),
    ],
)
def test_a_field_that_is_left_out_has_its_default(key: str, pointer: str, sides: Any, shown: str) -> None:
    """A difference says what a server fills in, not that nothing is there."""
    older, newer = sides
    assert " ".join(_told(older, newer, pointer, key).split()) == shown
