"""Flows, variables, saved searches, the result storage, and the server itself."""

from __future__ import annotations

import re

from support.fake_prefect.routes import Routes
from support.fake_prefect.store import Answer, Json, RefusedError, Row, Store, invalid

ROUTES = Routes()


@ROUTES.serve("GET /health")
def health(_store: Store, _body: Json) -> Answer:
    return 200, True


@ROUTES.serve("GET /admin/version")
def version(store: Store, _body: Json) -> Answer:
    return 200, store.version


@ROUTES.serve("GET /csrf-token")
def csrf_token(_store: Store, _body: Json, **_client: str) -> Answer:
    raise RefusedError(422, "CSRF protection is disabled.")


@ROUTES.serve("POST /flows/")
def post_flow(store: Store, body: Row) -> Answer:
    """Get or create: what is there is answered unchanged."""
    for row in store.rows("flows", name=body["name"]):
        return 200, row
    return 201, store.insert("flows", body)


@ROUTES.serve("PATCH /flows/{id}")
def patch_flow(store: Store, body: Row, id: str) -> Answer:  # noqa: A002 - named after the route
    return store.update(store.find("flows", id), body)


@ROUTES.serve("POST /variables/")
def post_variable(store: Store, body: Row) -> Answer:
    if not re.fullmatch("[a-z0-9_-]+", body["name"]):
        raise invalid(("value_error", ["name"]))
    store.refuse_twice("variables", f"A variable with the name '{body['name']}' already exists.", name=body["name"])
    return 201, store.insert("variables", body)


@ROUTES.serve("PATCH /variables/{id}", "PATCH /variables/name/{name}")
def patch_variable(store: Store, body: Row, name: str = "", **ids: str) -> Answer:
    return store.update(store.find("variables", ids.get("id", name)), body)


@ROUTES.serve("PUT /saved_searches/")
def put_search(store: Store, body: Row) -> Answer:
    for row in store.rows("saved_searches", name=body["name"]):
        store.update(row, body)
        return 200, row
    return 201, store.insert("saved_searches", body)


@ROUTES.serve("GET /admin/storage")
def get_storage(store: Store, _body: Json) -> Answer:
    return 200, {"default_result_storage_block_id": store.result_storage}


@ROUTES.serve("PUT /admin/storage")
def put_storage(store: Store, body: Row) -> Answer:
    wanted = body["default_result_storage_block_id"]
    document = store.tables["block_documents"].get(wanted)
    if document is None:
        raise RefusedError(404, f"Block document {wanted} not found.")
    if "write-path" not in store.tables["block_schemas"][document["block_schema_id"]]["capabilities"]:
        raise RefusedError(422, f"Block document {wanted} cannot be used for result storage.")
    store.result_storage = wanted
    return get_storage(store, None)


@ROUTES.serve("DELETE /admin/storage")
def delete_storage(store: Store, _body: Json) -> Answer:
    store.result_storage = None
    return 204, None
