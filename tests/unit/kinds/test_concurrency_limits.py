"""Global concurrency limits."""

from __future__ import annotations

import re

from support.one_kind import ID, OTHER, Rows, Sent, created, kind, read, updated

OWN = f"deployment:{OTHER}"


def test_what_travels() -> None:
    """The number of slots travels, how many are taken does not."""
    row = {"id": ID, "name": "db", "limit": 0, "active": True, "active_slots": 3, "slot_decay_per_second": 0.5}
    assert kind("concurrency-limit").portable(row, Rows()) == {"name": "db", "limit": 0, "slot_decay_per_second": 0.5}


def test_a_limit_of_a_deployment_travels_with_it() -> None:
    """One named after a deployment is carried by it, or an orphan where that deployment has another or is gone."""
    row = {"id": ID, "name": OWN, "limit": 1}
    owner = {"id": OTHER, "name": "d", "global_concurrency_limit": {"id": ID}}
    stranger = {"id": OTHER, "name": "d", "global_concurrency_limit": None}
    left_out = [kind("concurrency-limit").left_out(row, look) for look in (Rows(owner), Rows(stranger), Rows())]
    assert left_out == ["carried-by-owner", "orphan", "orphan"]
    assert not kind("concurrency-limit").is_own(row)


def test_names_of_other_limits_cannot_be_taken() -> None:
    """No limit is renamed to look like one of a tag or of a deployment."""
    form = kind("concurrency-limit").name_form
    found = [bool(re.fullmatch(form, each)) for each in ("db", "tag:x", "deployment:x", "a/b")]
    assert found == [True, False, False, False]


def test_what_the_server_lists_as_a_limit_of_a_tag_is_none() -> None:
    """Tag limits are rows of the same list since 3.4.19, and a kind of their own."""
    rows = [{"id": ID, "name": "db"}, {"id": OTHER, "name": "tag:heavy"}]
    assert read("concurrency-limit", {"/v2/concurrency_limits/filter": rows}) == rows[:1]


def test_it_is_created_and_updated() -> None:
    """``POST`` creates one, ``PATCH`` changes all but the name."""
    body = {"name": "db", "limit": 2}
    route = f"/v2/concurrency_limits/{ID}"
    assert created("concurrency-limit", body) == [["POST", "/v2/concurrency_limits/", body]]
    assert updated("concurrency-limit", body, {"limit", "active"}) == [["PATCH", route, {"active": True, "limit": 2}]]
    assert kind("concurrency-limit").can_change("/limit", is_removal=False, raw={}, at=Sent())
    assert not kind("concurrency-limit").can_change("/name", is_removal=False, raw={}, at=Sent())
