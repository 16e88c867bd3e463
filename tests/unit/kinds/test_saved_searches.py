"""Saved searches."""

from __future__ import annotations

import re

from support.one_kind import ID, Rows, created, deleted, kind, updated


def test_what_travels() -> None:
    """Name and filters travel."""
    row = {"id": ID, "name": "late", "filters": [{"object": "x"}], "updated": "u"}
    assert kind("saved-search").portable(row, Rows()) == {"name": "late", "filters": [{"object": "x"}]}


def test_put_creates_and_replaces_the_whole() -> None:
    """There is one way to write one, by name; filters that are gone are sent as empty."""
    assert created("saved-search", {"name": "late"}) == [
        ["PUT", "/saved_searches/", {"name": "late"}, "tells what is new"]
    ]
    assert updated("saved-search", {"name": "late"}, {"filters"}) == [
        ["PUT", "/saved_searches/", {"filters": [], "name": "late"}, "tells what is new"]
    ]


def test_it_is_known_by_any_name() -> None:
    """A name may hold whatever it wants, a slash too."""
    assert kind("saved-search").natural_name({"name": "a/b"}, Rows()) == "a/b"
    assert re.fullmatch(kind("saved-search").name_form, "a/b\n%")


def test_it_is_deleted_by_id() -> None:
    """As most are."""
    assert deleted("saved-search", {"id": ID}) == [["DELETE", f"/saved_searches/{ID}", None]]
