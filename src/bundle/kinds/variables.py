"""Variables: named JSON values."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from bundle.kinds.base import Kind
from bundle.kinds.fields import NAME, Field
from bundle.model import Body, Pointer


class Variable(Kind):
    name = "variable"
    path = "/variables"
    fields: ClassVar = {
        "name": NAME,
        "value": Field(required=True),
        "tags": Field(list[str | None], default=[]),
    }
    name_form = r"[a-z0-9_-]{1,255}"
    name_words = "it has lower-case letters, digits, _ and - only"
    route_is_required = True
    sort = "CREATED_DESC"
    name_rule = "before Prefect 3.4.1 it may not have -"
    is_sorted_by_update = True
    counted = True
    rank = 10
    is_read = True
    owns_value = True

    def too_new(self, body: Body, version: tuple[int, ...]) -> Iterable[Pointer]:
        """Names with dashes, before 3.4.1."""
        return ("/name",) if () < version < (3, 4, 1) and "-" in body["name"] else ()


KIND = Variable()
