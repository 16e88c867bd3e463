"""Flows."""

from __future__ import annotations

from support.one_kind import ID, Rows, Sent, created, kind, updated

ROW = {"id": ID, "created": "c", "updated": "u", "name": "etl", "tags": [], "labels": {"team": "a", "prefect.x": "y"}}


def test_what_travels() -> None:
    """Name, tags and the user's labels travel; what the server owns and its own labels do not."""
    assert kind("flow").portable(ROW, Rows()) == {"name": "etl", "labels": {"team": "a"}}


def test_it_is_created_by_post() -> None:
    """``POST /flows/`` creates one."""
    assert created("flow", {"name": "etl"}) == [["POST", "/flows/", {"name": "etl"}]]


def test_tags_that_are_gone_are_emptied() -> None:
    """An update sends the default of a field that the body does not have."""
    assert updated("flow", {"name": "etl"}, {"tags"}) == [["PATCH", f"/flows/{ID}", {"tags": []}]]


def test_its_name_and_labels_are_for_good() -> None:
    """No request changes them once the flow exists."""
    can = [kind("flow").can_change(each, is_removal=False, raw={}, at=Sent()) for each in ("/name", "/labels", "/tags")]
    assert can == [False, False, True]


def test_it_is_known_by_its_name() -> None:
    """Flows are called what users call them."""
    assert kind("flow").natural_name(ROW, Rows()) == "etl"
