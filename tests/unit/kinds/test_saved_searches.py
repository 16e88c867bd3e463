"""Saved searches."""

from __future__ import annotations

from support.one_kind import ID, Rows, created, kind, updated


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
