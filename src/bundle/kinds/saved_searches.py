"""Saved searches of the run list (kept by servers for their older UI)."""

from __future__ import annotations

from bundle.kinds.base import Destination, Kind, Made
from bundle.model import Body


class SavedSearch(Kind):
    name = "saved-search"
    path = "/saved_searches"
    fields = frozenset({"name", "filters"})
    defaults = {"filters": []}

    async def create(self, to: Destination, body: Body) -> Made:
        """``PUT /saved_searches/`` makes or replaces by name."""
        raw = await to.put("/saved_searches/", body)
        return Made(str(raw["id"]), raw)


KIND = SavedSearch()
