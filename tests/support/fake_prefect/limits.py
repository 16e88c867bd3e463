"""Global concurrency limits, and the limits of tags, which are global limits with a name of their own."""

from __future__ import annotations

from support.fake_prefect.bodies import FIELDS, filled
from support.fake_prefect.routes import Routes
from support.fake_prefect.store import LIMITS, Answer, Json, RefusedError, Row, Store, invalid

ROUTES = Routes()


def shown_limit(row: Row) -> Row:
    """A limit as the server answers it."""
    return {key: value for key, value in row.items() if key != "denied_slots"}


@ROUTES.serve("POST /v2/concurrency_limits/filter")
def filter_limits(store: Store, body: Row) -> Answer:
    rows = sorted(store.tables[LIMITS].values(), key=lambda row: row["name"])
    return 200, [shown_limit(row) for row in store.page(body, rows)]


@ROUTES.serve("POST /concurrency_limits/filter")
def filter_tag_limits(store: Store, body: Row) -> Answer:
    """Takes a page of all limits and keeps those of tags: too few, as on a server."""
    store.page(body, [])
    limit, offset = body.get("limit", store.default_limit), body.get("offset") or 0
    first = sorted(store.tables[LIMITS].values(), key=lambda row: row["name"])[: limit + offset]
    return 200, [_as_tag_limit(row) for row in first if row["name"].startswith("tag:")][offset : offset + limit]


@ROUTES.serve("POST /v2/concurrency_limits/")
def post_limit(store: Store, body: Row) -> Answer:
    if body["limit"] < 0:
        raise invalid(("greater_than_equal", ["limit"]))
    store.refuse_twice(LIMITS, name=body["name"])
    return 201, {**store.insert(LIMITS, body), "avg_slot_occupancy_seconds": 2.0}


@ROUTES.serve("PATCH /v2/concurrency_limits/{id_or_name}")
def patch_limit(store: Store, body: Row, id_or_name: str) -> Answer:
    return store.update(store.find(LIMITS, id_or_name), body)


@ROUTES.serve("POST /concurrency_limits/")
def post_tag_limit(store: Store, body: Row) -> Answer:
    """An upsert of a global limit named after the tag."""
    name, limit = f"tag:{body['tag']}", body["concurrency_limit"]
    for row in store.rows(LIMITS, name=name):
        store.update(row, {"limit": limit})
        return 200, _as_tag_limit(row)
    return 201, _as_tag_limit(new_limit(store, name, limit))


def new_limit(store: Store, name: str, limit: int) -> Row:
    return store.insert(LIMITS, filled(FIELDS["POST /v2/concurrency_limits/"], {"name": name, "limit": limit}))


@ROUTES.serve("GET /concurrency_limits/tag/{tag}")
def get_tag_limit(store: Store, _body: Json, tag: str) -> Answer:
    for row in store.rows(LIMITS, name=f"tag:{tag}"):
        return 200, _as_tag_limit(row)
    raise RefusedError(404, "Concurrency limit not found")


def _as_tag_limit(row: Row) -> Row:
    kept = {key: row[key] for key in ("id", "created", "updated")}
    return {**kept, "tag": row["name"].removeprefix("tag:"), "concurrency_limit": row["limit"], "active_slots": []}
