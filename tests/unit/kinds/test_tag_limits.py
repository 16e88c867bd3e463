"""Tag limits."""

from __future__ import annotations

import pytest

from bundle.kinds import KINDS
from support.one_kind import ID, OTHER, Rows, Sent, created, deleted, kind, read, updated

BODY = {"tag": "heavy/x", "limit": 2, "active": False}
NEW, OLD = (3, 4, 19), (3, 4, 18)


def test_it_is_a_global_limit_where_the_server_keeps_it_so() -> None:
    """Since 3.4.19 one is created as a row of the global limits."""
    body = {"name": "tag:heavy/x", "limit": 2, "active": False}
    assert created("tag-limit", BODY, Sent(version=NEW)) == [["POST", "/v2/concurrency_limits/", body]]
    assert kind("tag-limit").route(Sent(version=NEW)) == ("POST", "/v2/concurrency_limits/")


def test_before_that_it_has_a_route_of_its_own() -> None:
    """An older server takes tag and number, and nothing else."""
    body = {"tag": "heavy/x", "concurrency_limit": 2}
    sent = ["POST", "/concurrency_limits/", body, "tells nothing new"]
    assert created("tag-limit", BODY, Sent(version=OLD)) == [sent]
    can = [
        kind("tag-limit").can_change(place, is_removal=False, raw={}, at=Sent(version=OLD))
        for place in ("/limit", "/active", "/tag")
    ]
    assert can == [True, False, False]


def test_it_is_updated_by_tag() -> None:
    """The global limit is found by its name."""
    assert updated("tag-limit", BODY, {"limit"}) == [["PATCH", "/v2/concurrency_limits/tag:heavy/x", {"limit": 2}]]


def test_it_is_deleted_by_tag() -> None:
    """Every version deletes by tag."""
    assert deleted("tag-limit", {"id": ID, "tag": "a"}) == [["DELETE", "/concurrency_limits/tag/a", None]]


def test_rows_of_the_older_route_are_rows() -> None:
    """Their limit has another name; a row without any is refused."""
    assert kind("tag-limit").misfit_of_row({"id": ID, "tag": "a", "concurrency_limit": 1}) is None
    assert kind("tag-limit").misfit_of_row({"id": ID, "tag": "a"}) is not None


def test_both_lists_are_read_and_one_limit_comes_of_a_tag() -> None:
    """The older route lists them incompletely where they are global limits; of both the global one counts."""
    old = [{"id": ID, "tag": "a", "concurrency_limit": 1}, {"id": ID, "tag": "b", "concurrency_limit": 2}]
    new = [{"id": OTHER, "name": "tag:b", "limit": 3}, {"id": OTHER, "name": "db"}, {"id": OTHER, "name": "tag:"}]
    rows = read("tag-limit", {"/concurrency_limits/filter": old, "/v2/concurrency_limits/filter": new})
    assert [(row["tag"], row["limit"], row["id"]) for row in rows] == [("a", 1, ID), ("b", 3, OTHER)]


def test_what_travels() -> None:
    """Tag and number, whichever route they come from; who holds a slot does not."""
    row = {"id": ID, "name": "tag:a", "tag": "a", "limit": 1, "concurrency_limit": 1, "active_slots": []}
    assert kind("tag-limit").portable(row, Rows()) == {"tag": "a", "limit": 1}
    assert kind("tag-limit").natural_name(row, Rows()) == "a"


def test_an_older_server_is_posted_the_number_again() -> None:
    """Its ``POST`` is an upsert."""
    assert updated("tag-limit", BODY, {"limit"}, to=Sent(version=OLD)) == [
        ["POST", "/concurrency_limits/", {"tag": "heavy/x", "concurrency_limit": 2}, "tells nothing new"]
    ]


@pytest.mark.parametrize(
    ("tag", "version", "places"),
    [("a/b", (3, 4, 19), ["/tag"]), ("a/b", (3, 4, 18), []), ("a/b", (), []), ("a-b", (3, 9, 1), [])],
)
def test_a_tag_that_no_global_limit_may_be_called(tag: str, version: tuple[int, ...], places: list[str]) -> None:
    """Since tag limits are global ones, servers refuse a slash; where the version is not known, nobody knows."""
    assert list(KINDS["tag-limit"].too_new({"tag": tag, "limit": 1}, version)) == places
