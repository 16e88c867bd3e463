"""The schedules of a deployment: which is which, and the requests that change them."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from bundle.errors import RequestRejected
from bundle.kinds.deployment_schedules import give_schedules, named, pair, set_schedules
from bundle.kinds.protocols import Made
from support.one_kind import ID, Sent

DAILY = {"active": True, "schedule": {"cron": "0 7 * * *"}}
HOURLY = {"active": True, "schedule": {"cron": "0 * * * *"}}
ROUTE = f"/deployments/{ID}/schedules"
GONE = RequestRejected("not found", status=404, hint="")


def held(identifier: str, schedule: dict[str, Any]) -> dict[str, Any]:
    return {"id": identifier, "deployment_id": ID, **schedule}


def sent(wanted: list[dict[str, Any]], *there: dict[str, Any]) -> list[list[Any]]:
    to = Sent()
    asyncio.run(set_schedules(to, Made(ID, {"id": ID, "schedules": list(there)}), wanted))
    return to.requests


@pytest.mark.parametrize(
    ("ones", "others", "pairs"),
    [
        ([{**DAILY, "slug": "a"}], [HOURLY, {**HOURLY, "slug": "a"}], {0: 1}),
        ([DAILY], [{**DAILY, "active": False}, DAILY], {0: 1}),
        ([DAILY], [HOURLY, {**DAILY, "parameters": {"x": 1}}], {0: 1}),
        ([DAILY, DAILY], [DAILY], {0: 0}),
        ([{**DAILY, "slug": "a"}], [{**DAILY, "slug": "b"}], {}),
        ([DAILY], [HOURLY], {}),
    ],
    ids=["slug", "equal", "same times", "once each", "other slug", "other times"],
)
def test_which_schedule_is_which(ones: list[Any], others: list[Any], pairs: dict[int, int]) -> None:
    """By slug first, then what is equal, then what runs at the same times; two slugs are two schedules."""
    assert pair(ones, others) == pairs


def test_a_schedule_that_is_right_is_left_alone() -> None:
    """Nothing is sent for it, wherever it is in the list."""
    assert sent([DAILY, HOURLY], held("1", HOURLY), held("2", DAILY)) == []


def test_one_that_is_missing_is_posted() -> None:
    """Each ``POST`` adds one more, so it is not repeated blindly."""
    assert sent([DAILY, HOURLY], held("1", DAILY)) == [["POST", ROUTE, [HOURLY], "not repeatable"]]


def test_one_that_is_not_wanted_is_deleted() -> None:
    """By its own id; the others stay."""
    assert sent([DAILY], held("1", HOURLY), held("2", DAILY)) == [["DELETE", f"{ROUTE}/1", None]]


def test_one_that_differs_is_patched_with_its_parameters() -> None:
    """``PATCH`` empties parameters that are not sent."""
    wanted = {**DAILY, "active": False, "parameters": {"x": 1}}
    there = held("1", {**DAILY, "parameters": {"x": 1}})
    assert sent([wanted], there) == [["PATCH", f"{ROUTE}/1", {"active": False, "parameters": {"x": 1}}]]


def test_one_that_loses_a_field_is_made_anew() -> None:
    """``PATCH`` cannot clear anything but parameters."""
    there = held("1", {**DAILY, "max_scheduled_runs": 3})
    assert sent([DAILY], there) == [
        ["DELETE", f"{ROUTE}/1", None],
        ["POST", ROUTE, [DAILY], "not repeatable"],
    ]


def test_equal_schedules_have_switches_of_their_own() -> None:
    """A schedule without a slug is called by its content, and the second such one is numbered."""
    names = [name for name, _ in named([DAILY, {**DAILY, "active": False}, {**DAILY, "slug": "a"}])]
    content = 'schedules/{"schedule":{"cron":"0 7 * * *"}}'
    assert names == [content, f"{content}.2", "schedules/a"]


def given(*rows: Any) -> list[list[Any]]:
    """The requests that give a new deployment a schedule, with what the list of its schedules answers each time."""
    to = Sent(answers={f"GET {ROUTE}": rows, f"PATCH {ROUTE}/old": [GONE]})
    asyncio.run(give_schedules(to, Made(ID), [{**DAILY, "max_scheduled_runs": 3}], ["mark"]))
    return to.requests


def test_a_limit_of_runs_comes_by_the_route_of_the_schedule() -> None:
    """They arrive inactive beside the mark; then each gets what ``PATCH`` of the deployment drops."""
    assert given([{"id": "new"}]) == [
        ["PATCH", f"/deployments/{ID}", {"schedules": [{**DAILY, "active": False}], "tags": ["mark"]}],
        ["GET", ROUTE, None],
        ["PATCH", f"{ROUTE}/new", {"parameters": {}, **DAILY, "max_scheduled_runs": 3}],
    ]


def test_schedules_that_another_importer_replaced_are_looked_up_again() -> None:
    """One that is gone was replaced by an equal one."""
    assert [each[:2] for each in given([{"id": "old"}], [{"id": "new"}])][1:] == [
        ["GET", ROUTE],
        ["PATCH", f"{ROUTE}/old"],
        ["GET", ROUTE],
        ["PATCH", f"{ROUTE}/new"],
    ]
