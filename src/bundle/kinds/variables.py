"""Variables: named JSON values."""

from __future__ import annotations

from bundle.kinds.base import Kind


class Variable(Kind):
    name = "variable"
    path = "/variables"
    fields = frozenset({"name", "value", "tags"})
    required = frozenset({"name", "value"})
    defaults = {"tags": []}
    sort = "CREATED_DESC"
    is_sorted_by_update = True
    counted = True
    rank = 10


KIND = Variable()
