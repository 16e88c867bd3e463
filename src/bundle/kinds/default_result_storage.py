"""The server's default result storage: one pointer to a block document (3.7.0 and later)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import ClassVar

from bundle.kinds.base import Kind
from bundle.kinds.fields import Field
from bundle.kinds.protocols import Destination, Look, Made, Offer, Raw, Reader
from bundle.model import Body, Pointer

_PATH = "/admin/storage"
_FIELD = "default_result_storage_block_id"


class DefaultResultStorage(Kind):
    name = "default-result-storage"
    path = _PATH
    name_field = None
    fields: ClassVar = {_FIELD: Field(str, required=True)}

    async def read(self, reader: Reader) -> list[Raw]:
        found = None if reader.is_cloud else await reader.get(_PATH)
        return [{"id": self.name, **found}] if isinstance(found, dict) and found.get(_FIELD) else []

    def natural_name(self, raw: Raw, look: Look) -> str:
        return "server"

    def unfit(self, body: Body, *, is_cloud: bool) -> str | None:
        return "not-offered" if is_cloud else None

    def route(self, to: Offer) -> tuple[str, str]:
        return "PUT", _PATH

    async def create(self, to: Destination, body: Body) -> Made:
        """``PUT /admin/storage``; the block's schema needs the capability ``write-path``."""
        await to.put(_PATH, body)
        return Made(self.name)

    def can_change(self, place: Pointer, *, is_removal: bool, raw: Raw, at: Offer) -> bool:
        return True

    async def update(self, to: Destination, made: Made, body: Body, names: Collection[str]) -> None:
        """``PUT /admin/storage`` replaces the pointer."""
        await self.create(to, body)

    async def delete(self, to: Destination, made: Made) -> None:
        """``DELETE /admin/storage`` leaves the place empty."""
        await to.delete(_PATH)

    def listing_requests(self, rows: Mapping[str, int], page: int) -> int:
        return 1


KIND = DefaultResultStorage()
