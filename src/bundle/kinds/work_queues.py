"""Work queues, a pool's default queue among them.

Every pool gets its default queue from the server, under the name ``default``;
users may rename it. It is known by the pool's ``default_queue_id`` and marked
in the body by ``is_default``. Priorities are unique inside a pool and a new
queue pushes others down, so the queues of a pool are made one by one, the
default queue first, then by ascending priority.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

from bundle.kinds.base import Destination, Kind, Look, Made, Raw, Reader
from bundle.model import Body, Json

_FRESH = {"name": "default", "description": "The work pool's default queue.", "priority": 1}


class WorkQueue(Kind):
    name = "work-queue"
    path = "/work_queues"
    fields = frozenset(
        {"name", "work_pool_id", "description", "is_paused", "concurrency_limit", "priority", "filter", "is_default"}
    )
    ignored = frozenset({"last_polled", "work_pool_name", "status", "active_slots"})
    required = frozenset({"name", "priority"})
    defaults = {"is_paused": False, "description": "", "is_default": False}
    rank = 40

    async def read(self, reader: Reader) -> list[Raw]:
        return await reader.rows("/work_queues/filter")

    def natural_name(self, raw: Raw, look: Look) -> str:
        return f"{look.name(raw.get('work_pool_id'))}/{raw['name']}"

    def portable(self, raw: Raw, look: Look) -> Body:
        pool = look.raw(raw.get("work_pool_id")) or {}
        return self.trim(super().portable(raw, look) | {"is_default": pool.get("default_queue_id") == raw["id"]})

    has_lanes = True

    def lane(self, body: Body) -> str:
        return str(body.get("work_pool_id"))

    def lane_order(self, body: Body) -> Json:
        return (not body.get("is_default", False), body["priority"], body["name"])

    def is_pending(self, raw: Raw, body: Body, mark: str, is_new: Callable[[str], bool]) -> bool:
        return is_new(str(raw.get("work_pool_id")))

    async def create(self, to: Destination, body: Body) -> Made:
        """Adopt the default queue of a pool that is new, else ``POST`` a queue."""
        pool = to.raw(body["work_pool_id"]) or {}
        if body.get("is_default") and to.is_new(body["work_pool_id"]):
            made = Made(str(pool["default_queue_id"]), {**body, "id": str(pool["default_queue_id"])})
            await self.finish(
                to, made, body, _FRESH | {name: body.get(name) for name in ("work_pool_id", "is_default")}
            )
            return made
        raw = await to.post("/work_pools/{work_pool_name}/queues", _writable(body), work_pool_name=str(pool["name"]))
        return Made(str(raw["id"]), raw)

    async def update(self, to: Destination, made: Made, body: Body, names: Collection[str]) -> None:
        empty = {"is_paused": False, "description": ""}
        changes = {name: body.get(name, empty.get(name)) for name in names}
        await to.patch("/work_queues/{id}", _writable(changes), id=made.id)

    async def delete(self, to: Destination, made: Made) -> None:
        """A default queue cannot be deleted; it goes with its pool."""
        pool = to.raw(str(made.raw.get("work_pool_id"))) or {}
        if pool.get("default_queue_id") != made.id:
            await to.delete("/work_queues/{id}", id=made.id)


def _writable(body: Body) -> Body:
    return {name: value for name, value in body.items() if name not in {"work_pool_id", "is_default"}}


KIND = WorkQueue()
