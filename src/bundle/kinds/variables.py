"""Variables: named JSON values."""

from __future__ import annotations

from collections.abc import Iterable

from bundle.kinds.base import Kind
from bundle.model import Body, Pointer


class Variable(Kind):
    name = "variable"
    path = "/variables"
    fields = frozenset({"name", "value", "tags"})
    required = frozenset({"name", "value"})
    name_form = r"[a-z0-9_-]{1,255}"
    name_words = "it has lower-case letters, digits, _ and - only"
    defaults = {"tags": []}
    indispensable = frozenset({"name"})
    types = {"name": str, "tags": list[str | None]}
    sort = "CREATED_DESC"
    is_sorted_by_update = True
    counted = True
    rank = 10

    def too_new(self, body: Body, version: tuple[int, ...]) -> Iterable[Pointer]:
        """Names with dashes, before 3.4.1."""
        return ("/name",) if () < version < (3, 4, 1) and "-" in body["name"] else ()


KIND = Variable()
