"""Flows, with or without deployments."""

from __future__ import annotations

from typing import Any, ClassVar

from bundle.kinds.base import Kind
from bundle.kinds.fields import NAME, Field
from bundle.kinds.protocols import Look, Raw
from bundle.kinds.spelling import without_system_labels
from bundle.model import Body


class Flow(Kind):
    name = "flow"
    path = "/flows"
    fields: ClassVar = {
        "name": NAME,
        "tags": Field(list[str | None], default=[]),
        "labels": Field(dict[str, Any], default={}, fixed=True),
    }
    route_is_required = True
    sort = "CREATED_DESC"
    is_sorted_by_update = True
    counted = True
    rank = 10
    run_filter = "flows"

    def portable(self, raw: Raw, look: Look) -> Body:
        return self.trim(without_system_labels(super().portable(raw, look)))


KIND = Flow()
