"""The table of fields, from which every list of fields follows."""

from __future__ import annotations

from typing import ClassVar

import pytest

from bundle.kinds import KINDS
from bundle.kinds.fields import NAME, OWN, Field, Table


class Parcels(Table):
    fields: ClassVar = {
        "name": NAME,
        "paused": Field(default=False, on=False),
        "stamps": Field(list[str], default=[], unordered=True),
        "street": Field(str, together=True),
        "town": Field(str, together=True),
        "weight": Field(int, required=True),
        "insured": Field(kept=False),
        "sender": Field(deep=True, fixed=True),
        "box": Field(default=None, sent=False),
        "shelf": OWN,
    }


TABLE = Parcels()


def test_every_list_follows_from_the_table() -> None:
    """What is said of a field once is in each list that it belongs to, and in no other."""
    assert TABLE.travelling == Parcels.fields.keys() - {"shelf"}
    assert TABLE.ignored == {"shelf"}
    assert TABLE.required == {"name", "weight"}
    assert TABLE.fixed == {"name", "sender"}
    assert TABLE.unordered == {"stamps"}
    assert TABLE.together == {"street", "town"}
    assert TABLE.forgotten == {"insured"}
    assert TABLE.deep_fields == {"sender"}
    assert TABLE.unsent == {"box"}


def test_null_is_a_default_like_any_other() -> None:
    """A field without a default is in no list of defaults; one whose default is null is."""
    assert TABLE.defaults == {"paused": False, "stamps": [], "box": None}


def test_a_switch_says_which_value_means_on() -> None:
    """A field that is on when it is false is a switch too."""
    assert TABLE.activity == {"paused": False}


def test_a_row_has_what_is_required_and_a_body_what_is_needed() -> None:
    """A server's row lacks nothing that every row has; a body from a bundle may, if it can be planned without."""
    assert TABLE.misfit_of_row({"name": "a", "weight": 1}) is None
    assert TABLE.misfit_of_row({"name": "a"}) == "Object missing required field weight"
    assert TABLE.misfit_of_body({"name": "a"}) is None
    assert TABLE.misfit_of_body({"weight": 1}) == "Object missing required field name"


@pytest.mark.parametrize(
    ("field", "misfit"),
    [
        ({"stamps": None}, None),
        ({"stamps": [1]}, "Expected str, got int - at $.stamps[0]"),
        ({"weight": None}, "Expected int, got null - at $.weight"),
        ({"paused": "hunter2"}, None),
        ({"drone": "hunter2"}, None),
        ({"street": ["hunter2"]}, "Expected str | null, got array - at $.street"),
    ],
)
def test_only_what_is_looked_into_is_checked(field: dict[str, object], misfit: str | None) -> None:
    """A field has its type where the table has one, or null unless it is required; no value is ever repeated."""
    assert TABLE.misfit_of_row({"name": "a", "weight": 1, **field}) == misfit


@pytest.mark.parametrize("name", KINDS)
def test_what_is_needed_is_required_and_travels(name: str) -> None:
    """No kind asks of bodies what a server need not have, or what is the server's own."""
    kind = KINDS[name]
    assert {each for each, field in kind.fields.items() if field.needed} <= kind.required <= kind.travelling


@pytest.mark.parametrize("name", KINDS)
def test_a_switch_has_a_default(name: str) -> None:
    """Where a body does not say whether a resource is on, the default does."""
    assert KINDS[name].activity.keys() <= KINDS[name].defaults.keys()
