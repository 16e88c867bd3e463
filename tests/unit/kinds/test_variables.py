"""Variables."""

from __future__ import annotations

from typing import Any

import pytest

from support.one_kind import ID, Rows, created, kind, updated

ROW: dict[str, Any] = {"id": ID, "created": "c", "updated": "u", "name": "region", "value": None, "tags": []}


def test_what_travels() -> None:
    """The value travels even when it is null, tags only where there are some."""
    assert kind("variable").portable(ROW, Rows()) == {"name": "region", "value": None}


def test_its_name_is_its_natural_name() -> None:
    """A variable is called what the server calls it."""
    assert kind("variable").natural_name(ROW, Rows()) == "region"


def test_it_is_created_and_updated() -> None:
    """``POST`` creates one, ``PATCH`` changes the named fields."""
    assert created("variable", {"name": "a", "value": 1}) == [["POST", "/variables/", {"name": "a", "value": 1}]]
    assert updated("variable", {"name": "a", "value": 1}, {"value"}) == [["PATCH", f"/variables/{ID}", {"value": 1}]]


@pytest.mark.parametrize(("version", "places"), [((3, 4, 0), ("/name",)), ((3, 4, 1), ()), ((), ())])
def test_dashes_need_a_server_that_takes_them(version: tuple[int, ...], places: tuple[str, ...]) -> None:
    """A name with a dash is refused by servers before 3.4.1."""
    assert tuple(kind("variable").too_new({"name": "a-b"}, version)) == places
