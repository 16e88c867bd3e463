"""Work queues, a pool's default queue among them.

Every pool gets its default queue from the server, under the name ``default``;
users may rename it. It is known by the pool's ``default_queue_id`` and marked
in the body by ``is_default``. A queue that is posted with a priority pushes
others down. So the queues of a new pool are made one by one, the default queue
first, then by ascending priority; in a pool that was there before, a queue gets
its priority by ``PATCH``, which leaves the others where they are.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import ClassVar

from bundle.kinds.base import Kind
from bundle.kinds.fields import NAME, OWN, Field
from bundle.kinds.protocols import Destination, Look, Made, Offer, Raw, Reader, made_of
from bundle.model import Body, Json, Pointer

_FRESH = {"name": "default", "description": "The work pool's default queue.", "priority": 1}


class WorkQueue(Kind):
    name = "work-queue"
    path = "/work_queues"
    parent_kind = "work-pool"
    parent_field = "work_pool_id"
    fields: ClassVar = {
        "name": NAME,
        "work_pool_id": Field(str, sent=False, fixed=True),
        "description": Field(default=""),
        "is_paused": Field(default=False),
        "concurrency_limit": Field(),
        "priority": Field(int, required=True, needed=True),
        "filter": Field(),
        "is_default": Field(default=False, sent=False, fixed=True),
        **dict.fromkeys(("last_polled", "work_pool_name", "status", "active_slots"), OWN),
    }
    route_is_required = True
    is_part = True
    rank = 40
    has_lanes = True

    async def read(self, reader: Reader) -> list[Raw]:
        return await reader.rows("/work_queues/filter")

    def natural_name(self, raw: Raw, look: Look) -> str:
        return f"{look.name(raw.get('work_pool_id'))}/{raw['name']}"

    def portable(self, raw: Raw, look: Look) -> Body:
        pool = look.raw(raw.get("work_pool_id")) or {}
        return self.trim(super().portable(raw, look) | {"is_default": pool.get("default_queue_id") == raw["id"]})

    def route(self, to: Offer) -> tuple[str, str]:
        return "POST", "/work_pools/{work_pool_name}/queues"

    def lane(self, body: Body) -> str:
        return str(body.get("work_pool_id"))

    def lane_order(self, body: Body) -> Json:
        return (not body.get("is_default", False), body["priority"], body["name"])

    def is_pending(self, raw: Raw, body: Body, mark: str, is_new: Callable[[str], bool]) -> bool:
        return is_new(str(raw.get("work_pool_id")))

    def continues(self, body: Body, found: Body) -> bool:
        """A new pool's default queue is called ``default`` until it is set up; another queue may be called so then."""
        return bool(body.get("is_default")) == bool(found.get("is_default"))

    async def create(self, to: Destination, body: Body) -> Made:
        """Adopt the default queue of a pool that is new, else ``POST`` a queue."""
        pool = to.raw(body["work_pool_id"]) or {}
        if body.get("is_default") and to.is_new(body["work_pool_id"]):
            made = Made(str(pool["default_queue_id"]), {**body, "id": str(pool["default_queue_id"])})
            await self.finish(
                to, made, body, _FRESH | {name: body.get(name) for name in ("work_pool_id", "is_default")}
            )
            return made
        is_alone = to.is_new(body["work_pool_id"])
        first = {name: value for name, value in _writable(body).items() if name != "priority" or is_alone}
        raw = await to.post("/work_pools/{work_pool_name}/queues", first, work_pool_name=str(pool["name"]))
        made = made_of(raw)
        if raw.get("priority", body["priority"]) != body["priority"]:
            await self.update(to, made, body, {"priority"})
        return made

    def late(self, body: Body, names: Collection[str], raw: Raw) -> Collection[str]:
        """A queue that goes on again hands out runs."""
        return () if body.get("is_paused") else {"is_paused"} & set(names)

    async def update(self, to: Destination, made: Made, body: Body, names: Collection[str]) -> None:
        """``PATCH`` by id, which leaves the priorities of other queues alone."""
        await to.patch("/work_queues/{id}", _writable(self.changes(body, names)), id=made.id)

    def goes_with(self, body: Body) -> Pointer | None:
        """A pool's default queue, which nobody created."""
        return "/work_pool_id" if body.get("is_default") else None

    async def delete(self, to: Destination, made: Made) -> None:
        """A default queue cannot be deleted; it goes with its pool."""
        pool = to.raw(str(made.raw.get("work_pool_id"))) or {}
        if pool.get("default_queue_id") != made.id:
            await to.delete("/work_queues/{id}", id=made.id)


def _writable(body: Body) -> Body:
    return {name: value for name, value in body.items() if name not in KIND.unsent}


KIND = WorkQueue()
