"""Deployments, with their schedules and concurrency limits.

``POST /deployments/`` is an upsert that wipes schedules and labels that are not
sent, drops ``max_scheduled_runs``, and with a ``concurrency_limit`` of null
deletes a shared limit. So it is sent only for deployments that are not there,
without schedules, and never with nulls. A deployment with schedules carries a
mark until, at the very end, it gets them: that is when it starts to run.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from bundle.kinds.base import Destination, Kind, Look, Made, Raw, stable_order, without_system_labels
from bundle.kinds.concurrency_limits import owner_id
from bundle.model import Body, Json, Key, Pointer
from bundle.references import template_names

_SCHEDULE_FIELDS = ("schedule", "active", "max_scheduled_runs", "parameters", "slug")
_OWN_LIMIT = "own_limit"
_OWN_LIMIT_DEFAULTS = {"active": True, "slot_decay_per_second": 0.0}


class Deployment(Kind):
    name = "deployment"
    path = "/deployments"
    fields = frozenset(
        """
        name flow_id version description paused schedules concurrency_limit concurrency_options
        global_concurrency_limit_id job_variables parameters tags labels work_pool_name work_queue_name
        parameter_openapi_schema path pull_steps entrypoint storage_document_id infrastructure_document_id
        enforce_parameter_schema version_info branch base root own_limit
        """.split()
    )
    ignored = frozenset(
        """
        global_concurrency_limit work_queue_id last_polled created_by updated_by status version_id
        manifest_path schedule is_schedule_active account_id workspace_id
        """.split()
    )
    required = frozenset({"name", "flow_id"})
    defaults = {
        "paused": False,
        "schedules": [],
        "job_variables": {},
        "parameters": {},
        "tags": [],
        "labels": {},
        "pull_steps": [],
        "parameter_openapi_schema": {},
        "enforce_parameter_schema": True,
    }
    sort = "CREATED_DESC"
    is_sorted_by_update = True
    counted = True
    rank = 60

    def natural_name(self, raw: Raw, look: Look) -> str:
        return f"{look.name(raw['flow_id'])}/{raw['name']}"

    def portable(self, raw: Raw, look: Look) -> Body:
        body = without_system_labels(super().portable(raw, look)) | _limit(raw)
        if _has_leftover_queue(raw):
            body.pop("work_queue_name")
        return self.trim(body | {"schedules": stable_order(_schedule(each) for each in raw.get("schedules") or ())})

    def findings(self, raw: Raw) -> Iterator[tuple[str, Pointer, str]]:
        if _has_leftover_queue(raw):
            yield "leftover-queue", "/work_queue_name", ""

    def names(self, body: Body) -> Iterable[tuple[Pointer, Key]]:
        pool = body.get("work_pool_name")
        if pool:
            yield "/work_pool_name", f"work-pool:{pool}"
            if body.get("work_queue_name"):
                yield "/work_queue_name", f"work-queue:{pool}/{body['work_queue_name']}"
        for position, step in enumerate(body.get("pull_steps") or ()):
            for inputs in step.values() if isinstance(step, dict) else ():
                if isinstance(inputs, dict) and {"block_type_slug", "block_document_name"} <= inputs.keys():
                    name = f"{inputs['block_type_slug']}/{inputs['block_document_name']}"
                    yield f"/pull_steps/{position}", f"block:{name}"
        for field in ("parameters", "job_variables", "pull_steps", "schedules"):
            yield from ((f"/{field}{pointer}", key) for pointer, key in template_names(body.get(field)))

    def pending(self, body: Body, mark: str) -> Body:
        if not body.get("schedules") and _OWN_LIMIT not in body:
            return body
        first = {name: value for name, value in body.items() if name not in {"schedules", _OWN_LIMIT}}
        return first | {"tags": [*body.get("tags", ()), mark]}

    async def finish(self, to: Destination, made: Made, body: Body, first: Body) -> None:
        """Give a deployment its schedules and take the mark off."""
        if _OWN_LIMIT in body:
            limit = f"deployment:{made.id}"
            await to.patch("/v2/concurrency_limits/{id_or_name}", body[_OWN_LIMIT], id_or_name=limit)
        changes = {name for name in {*body, *first} if body.get(name) != first.get(name)} - {_OWN_LIMIT}
        if any(map(_needs_own_route, body.get("schedules", ()))):
            held = (to.raw(made.id) or {}).get("schedules") or ()
            if not held:
                await to.post("/deployments/{id}/schedules", body["schedules"], repeatable=False, id=made.id)
            changes -= {"schedules"}
        await self.update(to, made, body, changes)

    async def update(self, to: Destination, made: Made, body: Body, names: Collection[str]) -> None:
        changes = {name: body.get(name, self.defaults.get(name)) for name in sorted(names)}
        await to.patch("/deployments/{id}", changes, id=made.id)

    async def delete(self, to: Destination, made: Made) -> None:
        """``DELETE`` takes the linked limit along, shared or not, so a shared one is unlinked first."""
        linked = made.raw.get("global_concurrency_limit")
        if linked and owner_id(linked) != made.id:
            await to.patch("/deployments/{id}", {"global_concurrency_limit_id": None}, id=made.id)
        await to.delete("/deployments/{id}", id=made.id)


def _schedule(raw: Raw) -> Body:
    kept = {name: raw[name] for name in _SCHEDULE_FIELDS if raw.get(name) is not None}
    return {name: value for name, value in kept.items() if name != "parameters" or value}


def _needs_own_route(schedule: Body) -> bool:
    """``PATCH`` of a deployment drops ``max_scheduled_runs``; its schedule route keeps it."""
    return "max_scheduled_runs" in schedule


def _limit(raw: Raw) -> Body:
    """Own limits are named after the deployment; any other linked limit is shared."""
    linked: Json = raw.get("global_concurrency_limit")
    if not linked:
        return {}
    if owner_id(linked) != raw["id"]:
        return {"global_concurrency_limit_id": linked["id"], "concurrency_limit": None}
    special = {name: linked.get(name, usual) for name, usual in _OWN_LIMIT_DEFAULTS.items()}
    own = {"concurrency_limit": linked["limit"]}
    return own if special == _OWN_LIMIT_DEFAULTS else own | {_OWN_LIMIT: special}


def _has_leftover_queue(raw: Raw) -> bool:
    """What stays of a deployment's queue when its pool is deleted; sent again, it would make a pool."""
    return bool(raw.get("work_queue_name")) and not raw.get("work_pool_name")


KIND = Deployment()
