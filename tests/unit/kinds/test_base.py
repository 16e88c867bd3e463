"""What a kind does unless it says otherwise."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest

from bundle.kinds.base import Kind
from bundle.kinds.fields import NAME, Field
from support.one_kind import Rows


class Parcel(Kind):
    name = "parcel"
    path = "/parcels"
    fields: ClassVar = {
        "name": NAME,
        "weight": Field(required=True),
        "stamps": Field(default=[]),
        "held": Field(default=False, on=False),
        "note": Field(),
    }


class CloudParcel(Parcel):
    cloud_only = True


PARCEL = Parcel()


def test_nulls_and_defaults_do_not_travel() -> None:
    """A body leaves out what every server fills in by itself, and what the server owns, but nothing required."""
    row: dict[str, Any] = {
        "id": "i",
        "created": "c",
        "workspace_id": "w",
        "name": "a",
        "weight": None,
        "stamps": [],
        "held": True,
    }
    assert PARCEL.portable({**row, "note": None}, Rows()) == {"name": "a", "weight": None, "held": True}


def test_a_field_of_a_later_version_travels_and_is_named() -> None:
    """What this version of xfer does not know is carried as it is."""
    body = PARCEL.portable({"id": "i", "name": "a", "weight": 1, "drone": True}, Rows())
    assert body["drone"] is True
    assert list(PARCEL.unknown_fields(body)) == ["drone"]


def test_a_change_back_to_nothing_is_sent() -> None:
    """A field that the body lacks is set to its default, or to null."""
    assert PARCEL.changes({"name": "a", "weight": 2}, {"weight", "stamps", "note"}) == {
        "weight": 2,
        "stamps": [],
        "note": None,
    }


def test_a_switch_is_read_and_set() -> None:
    """Without the field it is on, as the default says; switched back to the default the body has no field."""
    off = PARCEL.switched({"name": "a"}, {"held": False})
    assert off == {"name": "a", "held": True}
    assert (PARCEL.switches({"name": "a"}), PARCEL.switches(off)) == ({"held": True}, {"held": False})
    assert PARCEL.switched(off, {"held": True}) == {"name": "a"}


def test_what_switches_on_is_written_last() -> None:
    """An update writes a switch at the very end where it is turned on, and with the rest where it is turned off."""
    assert PARCEL.late({"name": "a"}, {"held", "weight"}, {}) == {"held"}
    assert PARCEL.late({"name": "a", "held": True}, {"held", "weight"}, {}) == set()


@pytest.mark.parametrize(("rows", "requests"), [(0, 1), (1, 2), (200, 2), (201, 3)])
def test_a_list_takes_its_pages_and_an_empty_one(rows: int, requests: int) -> None:
    """Pages are read until one is empty."""
    assert PARCEL.listing_requests({"parcel": rows}, 200) == requests


def test_only_cloud_is_asked_for_what_only_cloud_has() -> None:
    """Elsewhere it cannot be, and its list, which is not asked for, takes no request."""
    assert [CloudParcel().unfit({}, is_cloud=each) for each in (True, False)] == [None, "not-offered"]
    assert CloudParcel().listing_requests({"parcel": 0}, 200) == 0
