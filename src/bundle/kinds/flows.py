"""Flows, with or without deployments."""

from __future__ import annotations

from typing import Any

from bundle.kinds.base import Kind, Look, Raw, without_system_labels
from bundle.model import Body


class Flow(Kind):
    name = "flow"
    path = "/flows"
    fields = frozenset({"name", "tags", "labels"})
    defaults = {"tags": [], "labels": {}}
    types = {"name": str, "tags": list[str | None], "labels": dict[str, Any]}
    sort = "CREATED_DESC"
    is_sorted_by_update = True
    counted = True
    rank = 10
    fixed = frozenset({"name", "labels"})

    def portable(self, raw: Raw, look: Look) -> Body:
        return self.trim(without_system_labels(super().portable(raw, look)))


KIND = Flow()
