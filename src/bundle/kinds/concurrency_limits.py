"""Global concurrency limits, but for those that belong to a tag or a deployment.

Since 3.0.3 a deployment's own limit is a row named ``deployment:<id>``, since
3.4.19 a tag limit is one named ``tag:<tag>``; both travel as what they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from bundle.kinds.base import Kind
from bundle.kinds.fields import NAME, OWN, Field
from bundle.kinds.protocols import Look, Offer, Raw, Reader
from bundle.model import Pointer
from bundle.record.pointers import split
from bundle.record.references import is_id

TAG_PREFIX = "tag:"
DEPLOYMENT_PREFIX = "deployment:"
PATH = "/v2/concurrency_limits"


def owner_id(raw: Raw) -> str | None:
    """The id of the deployment that a limit belongs to by its name."""
    name = str(raw["name"])
    owner = name.removeprefix(DEPLOYMENT_PREFIX)
    return owner if name.startswith(DEPLOYMENT_PREFIX) and is_id(owner) else None


class ConcurrencyLimit(Kind):
    name = "concurrency-limit"
    path = PATH
    fields: ClassVar = {
        "name": NAME,
        "limit": Field(int, required=True),
        "active": Field(default=True),
        "slot_decay_per_second": Field(default=0.0),
        **dict.fromkeys(("active_slots", "denied_slots", "avg_slot_occupancy_seconds"), OWN),
    }
    name_form = rf"(?!{TAG_PREFIX}|{DEPLOYMENT_PREFIX}){Kind.name_form}"
    name_words = f"{Kind.name_words}, nor begin with {TAG_PREFIX} or {DEPLOYMENT_PREFIX}"

    def can_change(self, place: Pointer, *, is_removal: bool, raw: Raw, at: Offer) -> bool:
        name = split(place)[0]
        return name not in self.fixed and at.takes("PATCH", PATH + "/{id_or_name}", name)

    async def read(self, reader: Reader) -> list[Raw]:
        return [row for row in await reader.rows(f"{PATH}/filter") if not str(row.get("name")).startswith(TAG_PREFIX)]

    def left_out(self, raw: Raw, look: Look) -> str | None:
        owner = owner_id(raw)
        if owner is None:
            return None
        deployment = look.raw(owner)
        linked = (deployment or {}).get("global_concurrency_limit") or {}
        return "carried-by-owner" if linked.get("id") == raw["id"] else "orphan"

    def is_own(self, raw: Raw) -> bool:
        return owner_id(raw) is None

    def listing_requests(self, rows: Mapping[str, int], page: int) -> int:
        """Since 3.4.19 tag limits are rows of the same list."""
        count = rows[self.name] + rows.get("tag-limit", 0)
        return -(-count // page) + 1


KIND = ConcurrencyLimit()
