"""Tag limits: how many task runs with a tag may run at once.

From 3.4.19 they are rows named ``tag:<tag>`` of the global limits, where the
older route lists them incompletely (prefect's own paging defect); before, only
the older route has them. Both are read and merged by tag.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from typing import Any, ClassVar

from bundle.kinds.base import Kind
from bundle.kinds.concurrency_limits import PATH as GLOBAL_LIMITS
from bundle.kinds.concurrency_limits import TAG_PREFIX
from bundle.kinds.fields import OWN, Field
from bundle.kinds.protocols import Destination, Look, Made, Offer, Raw, Reader, made_of
from bundle.model import Body, Pointer

_OLD = "/concurrency_limits"
_GLOBAL_SINCE = (3, 4, 19)


class TagLimit(Kind):
    name = "tag-limit"
    path = _OLD
    name_field = "tag"
    name_form = r"(?s:.+)"
    name_rule = "since Prefect 3.4.19 it may not have / % & < >"
    listed_with = "concurrency-limit"
    fields: ClassVar = {
        "tag": Field(str, required=True, needed=True, sent=False, fixed=True),
        "limit": Field(int, required=True, needed=True, sent=False),
        "active": Field(default=True),
        "slot_decay_per_second": Field(default=0.0),
        **dict.fromkeys(
            ("name", "active_slots", "denied_slots", "avg_slot_occupancy_seconds", "concurrency_limit"), OWN
        ),
    }

    async def read(self, reader: Reader) -> list[Raw]:
        old = await reader.rows(f"{_OLD}/filter")
        rows = [(str(row.get("name")), row) for row in await reader.rows(f"{GLOBAL_LIMITS}/filter")]
        new = [(name.removeprefix(TAG_PREFIX), row) for name, row in rows if name.startswith(TAG_PREFIX)]
        by_tag = {str(row.get("tag")): {**row, "limit": row.get("concurrency_limit")} for row in old}
        by_tag |= {tag: {**row, "tag": tag} for tag, row in new if tag}
        return list(by_tag.values())

    def misfit_of_row(self, row: Raw) -> str | None:
        """Rows of the older route have the limit under another name."""
        return super().misfit_of_row({"limit": row.get("concurrency_limit"), **row})

    def natural_name(self, raw: Raw, look: Look) -> str:
        return str(raw["tag"])

    def route(self, to: Offer) -> tuple[str, str]:
        return "POST", f"{GLOBAL_LIMITS}/" if _is_global(to) else f"{_OLD}/"

    def too_new(self, body: Body, version: tuple[int, ...]) -> Iterator[Pointer]:
        """Since tag limits are global ones, tags keep to the rules for the names of those."""
        if version >= _GLOBAL_SINCE and not re.fullmatch(Kind.name_form, body["tag"]):
            yield "/tag"

    async def create(self, to: Destination, body: Body) -> Made:
        """One atomic row where the server keeps tag limits as global ones, else the older upsert."""
        if _is_global(to):
            raw = await to.post(f"{GLOBAL_LIMITS}/", _as_global(body))
        else:
            old = {"tag": body["tag"], "concurrency_limit": body["limit"]}
            raw = await to.post(f"{_OLD}/", old, tells_new=False)
        return made_of(raw)

    def can_change(self, place: Pointer, *, is_removal: bool, raw: Raw, at: Offer) -> bool:
        """A server before 3.4.19 has nothing but the number."""
        return place == "/limit" or (place != "/tag" and _is_global(at))

    async def update(self, to: Destination, made: Made, body: Body, names: Collection[str]) -> None:
        """``PATCH`` of the global limit, where tag limits are such; else the older upsert."""
        if _is_global(to):
            changes = self.changes(body, names)
            await to.patch(GLOBAL_LIMITS + "/{id_or_name}", changes, id_or_name=TAG_PREFIX + body["tag"])
        else:
            await self.create(to, body)

    async def delete(self, to: Destination, made: Made) -> None:
        """``DELETE`` by tag, which every version offers."""
        await to.delete("/concurrency_limits/tag/{tag}", tag=str(made.raw["tag"]))


def _is_global(server: Offer | Destination) -> bool:
    """Whether a server keeps tag limits as global ones."""
    return server.version >= _GLOBAL_SINCE


def _as_global(body: Body) -> dict[str, Any]:
    rest = {name: value for name, value in body.items() if name != "tag"}
    return {"name": TAG_PREFIX + body["tag"], **rest}


KIND = TagLimit()
