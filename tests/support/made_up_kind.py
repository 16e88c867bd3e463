"""Parcels: a kind that no Prefect has, in the one file that a new kind takes."""

from __future__ import annotations

from typing import ClassVar

from bundle.kinds.base import Kind
from bundle.kinds.fields import NAME, Field


class Parcel(Kind):
    name = "parcel"
    path = "/parcels"
    fields: ClassVar = {
        "name": NAME,
        "contents": Field(default={}),
        "flow_id": Field(str, fixed=True),
        "weight": Field(int, required=True),
    }


KIND = Parcel()
