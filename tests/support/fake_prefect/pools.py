"""Work pools and their queues."""

from __future__ import annotations

import json
import re

from support.fake_prefect.bodies import FIELDS, fields_of, filled
from support.fake_prefect.routes import Routes
from support.fake_prefect.store import INTEGRITY, Answer, RefusedError, Row, Store, invalid

_STORAGE = fields_of("bundle_upload_step=null bundle_execution_step=null default_result_storage_block_id=null")
ROUTES = Routes()


def shown_pool(row: Row) -> Row:
    status = "PAUSED" if row["is_paused"] else "NOT_READY"
    slots = None if row["concurrency_limit"] is None else 0
    status_ = None if row["type"] == "prefect-agent" else status
    storage = {**_STORAGE, **row["storage_configuration"]}
    return {**row, "status": status_, "active_slots": slots, "storage_configuration": storage}


def shown_queue(store: Store, row: Row) -> Row:
    pool = store.tables["work_pools"][row["work_pool_id"]]["name"]
    slots = None if row["concurrency_limit"] is None else 0
    return {**row, "work_pool_name": pool, "active_slots": slots}


@ROUTES.serve("POST /work_pools/")
def post_pool(store: Store, body: Row) -> Answer:
    if body["name"].lower().startswith("prefect"):
        raise RefusedError(403, "Work pools starting with 'Prefect' are reserved for internal use.")
    _check_placeholders(body["base_job_template"])
    check_template(store, body["base_job_template"])
    store.refuse_twice("work_pools", "A work pool with this name already exists.", name=body["name"])
    return 201, shown_pool(new_pool(store, body))


def new_pool(store: Store, body: Row) -> Row:
    pool = store.insert("work_pools", body)
    queue = new_queue(store, pool, {"name": "default", "description": "The work pool's default queue."})
    pool["default_queue_id"] = queue["id"]
    return pool


@ROUTES.serve("PATCH /work_pools/{name}")
def patch_pool(store: Store, body: Row, name: str) -> Answer:
    """Takes a template with dangling references, which ``POST`` does not."""
    pool = store.find("work_pools", name)
    if body.get("is_paused", False) is None:
        raise RefusedError(409, INTEGRITY)
    return store.update(pool, body)


def check_template(store: Store, template: Row) -> None:
    for spec in ((template.get("variables") or {}).get("properties") or {}).values():
        default = spec.get("default") if isinstance(spec, dict) else None
        target = default.get("$ref") if isinstance(default, dict) else None
        wanted = target.get("block_document_id") if isinstance(target, dict) else None
        if wanted is not None and wanted not in store.tables["block_documents"]:
            raise RefusedError(404, "Block not found.")


def _check_placeholders(template: Row) -> None:
    used = set(re.findall(r"\{\{\s*([\w.\-]+)\s*\}\}", json.dumps(template.get("job_configuration") or {})))
    if used - set((template.get("variables") or {}).get("properties") or ()):
        raise invalid(("value_error", ["base_job_template"]))


@ROUTES.serve("POST /work_pools/{pool}/queues")
def post_queue(store: Store, body: Row, pool: str) -> Answer:
    found = store.find("work_pools", pool)
    detail = "A work queue with this name already exists in work pool {work_pool_name!r}."
    store.refuse_twice("work_queues", detail, name=body["name"], work_pool_id=found["id"])
    return 201, shown_queue(store, new_queue(store, found, body))


def new_queue(store: Store, pool: Row, body: Row) -> Row:
    """Without a priority the first free one; with one, the others make room."""
    taken = {row["priority"] for row in store.rows("work_queues", work_pool_id=pool["id"])}
    free = next(number for number in range(1, len(taken) + 2) if number not in taken)
    fields = filled(FIELDS["POST /work_pools/{pool}/queues"], body)
    priority = body.get("priority")
    links = {"work_pool_id": pool["id"], "last_polled": None, "status": "NOT_READY"}
    queue = store.insert("work_queues", {**fields, **links, "priority": priority or free})
    if priority:
        _make_room(store, queue)
    return queue


def _make_room(store: Store, queue: Row) -> None:
    rows = [row for row in store.rows("work_queues", work_pool_id=queue["work_pool_id"]) if row is not queue]
    rows.sort(key=lambda row: row["priority"])
    place = next((n for n, row in enumerate(rows) if row["priority"] >= queue["priority"]), len(rows))
    last = 0
    for row in [*rows[:place], queue, *rows[place:]]:
        row["priority"] = last = row["priority"] if row["priority"] > last else last + 1


@ROUTES.serve("PATCH /work_pools/{pool}/queues/{name}")
def patch_pool_queue(store: Store, body: Row, pool: str, name: str) -> Answer:
    found = store.find("work_pools", pool)
    if not store.rows("work_queues", name=name, work_pool_id=found["id"]):
        raise RefusedError(404, f"Work pool queue '{pool}/{name}' not found.")
    return _change_queue(store, store.find("work_queues", name, work_pool_id=found["id"]), body)


@ROUTES.serve("PATCH /work_queues/{id}")
def patch_queue(store: Store, body: Row, id: str) -> Answer:  # noqa: A002 - named after the route
    if id not in store.tables["work_queues"]:
        raise RefusedError(404, f"Work Queue {id} not found")
    return _change_queue(store, store.tables["work_queues"][id], body)


def _change_queue(store: Store, queue: Row, body: Row) -> Answer:
    if body.get("name", queue["name"]) != queue["name"]:
        store.refuse_twice("work_queues", name=body["name"], work_pool_id=queue["work_pool_id"])
    if "is_paused" in body:
        body["status"] = "PAUSED" if body["is_paused"] else "NOT_READY"
    return store.update(queue, body)


@ROUTES.serve("POST /work_pools/{pool}/queues/filter")
def filter_queues(store: Store, body: Row, pool: str) -> Answer:
    queues = store.rows("work_queues", work_pool_id=store.find("work_pools", pool)["id"])
    ordered = sorted(queues, key=lambda row: row["priority"])
    return 200, [shown_queue(store, row) for row in store.page(body, ordered)]
