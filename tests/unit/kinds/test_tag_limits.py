"""Tag limits."""

from __future__ import annotations

from support.one_kind import ID, Sent, created, deleted, kind, updated

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
