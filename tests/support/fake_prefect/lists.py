"""What is the same for every kind: lists, counts, one row, and its deletion."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from support.fake_prefect.block_documents import shown_document
from support.fake_prefect.block_schemas import shown_schema
from support.fake_prefect.deployments import shown_deployment
from support.fake_prefect.limits import shown_limit
from support.fake_prefect.pools import shown_pool, shown_queue
from support.fake_prefect.routes import Routes
from support.fake_prefect.store import LIMITS, TABLES, Answer, Json, RefusedError, Row, Store

ROUTES = Routes()


def shown(store: Store, table: str, row: Row, *, secrets: bool = False) -> Row:
    """A row as the server answers it."""
    special: Mapping[str, Callable[[Row], Row]] = {
        "deployments": partial(shown_deployment, store),
        "work_pools": shown_pool,
        "work_queues": partial(shown_queue, store),
        "block_schemas": partial(shown_schema, store),
        "block_documents": partial(shown_document, store, secrets=secrets),
        LIMITS: shown_limit,
    }
    return special.get(table, dict)(row)


def _selected(store: Store, table: str, body: Row) -> list[Row]:
    criteria = dict(body.get(table) or {})
    if table == "block_documents":
        criteria.setdefault("is_anonymous", {"eq_": False})
    return [row for row in store.tables[table].values() if _meets(row, criteria)]


def _meets(row: Row, criteria: Mapping[str, Json]) -> bool:
    """Whether a row meets a filter; of its words only those that xfer and its tests use."""
    wanted = {name: each for name, each in criteria.items() if isinstance(each, dict) and name in row}
    return all(row[name] in each["any_"] for name, each in wanted.items() if each.get("any_") is not None) and all(
        row[name] == each["eq_"] for name, each in wanted.items() if each.get("eq_") is not None
    )


@ROUTES.serve("POST /{table}/filter")
def filter_rows(store: Store, body: Row, table: str) -> Answer:
    if table not in store.kinds:
        raise RefusedError(404, "Not Found")
    rows = _selected(store, table, body)
    field, _, direction = (body.get("sort") or store.kinds[table].order).rpartition("_")
    keys: Mapping[str, Callable[[Row], Json]] = {
        "BLOCK_TYPE_AND_NAME": lambda row: (store.tables["block_types"][row["block_type_id"]]["name"], row["name"]),
        "NAME": lambda row: row["name"],
    }
    rows.sort(key=keys.get(field, lambda row: row[field.lower()]), reverse=direction == "DESC")
    reveals = body.get("include_secrets") is True
    return 200, [shown(store, table, row, secrets=reveals) for row in store.page(body, rows)]


@ROUTES.serve("POST /{table}/count")
def count_rows(store: Store, body: Row, table: str) -> Answer:
    if table not in store.kinds or not store.kinds[table].counted:
        raise RefusedError(404, "Not Found")
    return 200, len(_selected(store, table, body))


def get_row(table: str, store: Store, _body: Json, name: str = "", include_secrets: str = "", **ids: str) -> Answer:
    row = store.find(table, ids.get("id", name))
    return 200, shown(store, table, row, secrets=include_secrets == "true")


def delete_row(table: str, store: Store, _body: Json, name: str = "", **ids: str) -> Answer:
    row = store.find(table, ids.get("id", name))
    if row.get("is_protected"):
        raise RefusedError(403, "protected block types cannot be deleted.")
    if table == "deployments":
        store.drop(LIMITS, row["concurrency_limit_id"])
    store.drop(table, row["id"])
    return 204, None


_BY_NAME = {
    "work_pools": "/work_pools/{name}",
    "flows": "/flows/name/{name}",
    "variables": "/variables/name/{name}",
    LIMITS: "/v2/concurrency_limits/{name}",
}
for _table in TABLES:
    ROUTES.serve(f"GET /{_table}/{{id}}")(partial(get_row, _table))
    if _table not in {"work_pools", "work_queues", LIMITS}:
        ROUTES.serve(f"DELETE /{_table}/{{id}}")(partial(delete_row, _table))
for _table, _path in _BY_NAME.items():
    ROUTES.serve(f"GET {_path}")(partial(get_row, _table))
    if _table != "flows":
        ROUTES.serve(f"DELETE {_path}")(partial(delete_row, _table))
