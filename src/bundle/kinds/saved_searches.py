"""Saved searches of the run list (kept by servers for their older UI)."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, ClassVar

from bundle.kinds.base import Kind
from bundle.kinds.fields import NAME, Field
from bundle.kinds.protocols import Destination, Made, Offer, Raw
from bundle.model import Body, Pointer


class SavedSearch(Kind):
    name = "saved-search"
    path = "/saved_searches"
    fields: ClassVar = {"name": NAME, "filters": Field(list[Any], default=[])}
    name_form = r"(?s:.+)"

    def route(self, to: Offer) -> tuple[str, str]:
        return "PUT", "/saved_searches/"

    async def create(self, to: Destination, body: Body) -> Made:
        """``PUT /saved_searches/`` makes or replaces by name."""
        raw = await to.put("/saved_searches/", body, tells_new=True)
        return Made(str(raw["id"]), raw)

    def can_change(self, place: Pointer, *, is_removal: bool, raw: Raw, at: Offer) -> bool:
        return True

    async def update(self, to: Destination, made: Made, body: Body, names: Collection[str]) -> None:
        """``PUT /saved_searches/`` the whole; there is no other way."""
        await self.create(to, {**self.defaults, **body})


KIND = SavedSearch()
