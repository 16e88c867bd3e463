"""Block documents: nested by reference, and their secrets hidden as far as Prefect hides them."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator, Mapping

from support.fake_prefect.block_schemas import shown_schema
from support.fake_prefect.routes import Routes
from support.fake_prefect.store import INTEGRITY, Answer, Json, RefusedError, Row, Store, invalid

_MASK = "*" * 8
ROUTES = Routes()


def shown_document(store: Store, row: Row, *, secrets: bool = False) -> Row:
    """Nested documents stand in the data; secrets are hidden, as far as Prefect hides them."""
    schema, kind = (store.tables[f"block_{each}s"][row[f"block_{each}_id"]] for each in ("schema", "type"))
    data = copy.deepcopy(row["data"]) if secrets else _obfuscated(row["data"], schema["fields"])
    references: Row = {}
    for field, identifier in row["references"].items():
        child = shown_document(store, store.tables["block_documents"][identifier], secrets=secrets)
        data[field] = child["data"]
        shown = ("id", "name", "block_type", "is_anonymous", "block_document_references")
        references[field] = {"block_document": {name: child[name] for name in shown}}
    own = {key: value for key, value in row.items() if key != "references"}
    links = {"block_type": kind, "block_type_name": kind["name"], "block_document_references": references}
    return {**own, "data": data, "block_schema": shown_schema(store, schema), **links}


@ROUTES.serve("POST /block_documents/")
def post_document(store: Store, body: Row) -> Answer:
    if not body["name"] and not body["is_anonymous"]:
        raise invalid(("value_error", []))
    if body["name"] and not re.fullmatch("[a-z0-9-]+", body["name"]):
        raise invalid(("value_error", ["name"]))
    body["name"] = body["name"] or f"anonymous-{store.new_id()}"
    store.refuse_twice(
        "block_documents", "Block already exists", name=body["name"], block_type_id=body["block_type_id"]
    )
    if body["block_type_id"] not in store.tables["block_types"]:
        raise RefusedError(500, exception_message="Internal Server Error")
    if body["block_schema_id"] not in store.tables["block_schemas"]:
        raise RefusedError(409, INTEGRITY)
    data, references = _separated(store, body.pop("data"))
    return 201, shown_document(store, store.insert("block_documents", {**body, "data": data, "references": references}))


def _separated(store: Store, data: Row, parent: str = "") -> tuple[Row, dict[str, str]]:
    """References, which stand only at the top, apart from the rest."""
    references = {key: each["$ref"] for key, each in data.items() if isinstance(each, dict) and "$ref" in each}
    targets: dict[str, str] = {}
    for key, target in references.items():
        targets[key] = target["block_document_id"]
        if parent and _leads_to(store, targets[key], parent):
            text = "Cannot create block document reference: it would introduce a cycle"
            tail = f"(parent={parent}, reference={targets[key]})."
            raise RefusedError(400, f"{text} into the block_document_reference graph {tail}")
        if targets[key] not in store.tables["block_documents"]:
            raise RefusedError(409, INTEGRITY)
    return {key: each for key, each in data.items() if key not in targets}, targets


def _leads_to(store: Store, start: str, wanted: str) -> bool:
    onward = store.tables["block_documents"].get(start, {}).get("references", {}).values()
    return start == wanted or any(_leads_to(store, each, wanted) for each in onward)


@ROUTES.serve("PATCH /block_documents/{id}")
def patch_document(store: Store, body: Row, id: str) -> Answer:  # noqa: A002 - named after the route
    """References that are not sent again are gone; a mask sent back leaves the secret as it is."""
    row = store.find("block_documents", id)
    merges = body.pop("merge_existing_data")
    changes: Row = {}
    if "data" in body or not merges:
        data = body.get("data") or {}
        plain, targets = _separated(store, data, id)
        schema = store.tables["block_schemas"][row["block_schema_id"]]["fields"]
        plain = _with_masked_kept(plain, row["data"], schema)
        changes = {"data": {**row["data"], **plain} if merges else plain, "references": targets}
        changes["data"] = {key: value for key, value in changes["data"].items() if key not in targets}
        changes |= {"block_schema_id": body["block_schema_id"]} if body.get("block_schema_id") else {}
    return store.update(row, changes)


def _flat(data: Row, *path: str) -> Iterator[tuple[tuple[str, ...], Json]]:
    for key, value in data.items():
        if isinstance(value, dict) and value:
            yield from _flat(value, *path, key)
        else:
            yield (*path, key), value


def _nested(flat: Mapping[tuple[str, ...], Json]) -> Row:
    result: Row = {}
    for path, value in flat.items():
        place = result
        for key in path[:-1]:
            place = place.setdefault(key, {})
        place[path[-1]] = value
    return result


def _is_secret(path: tuple[str, ...], value: Json, schema: Row) -> bool:
    """Whether Prefect hides a value: at exactly this path, or below a wildcard; so objects at a plain path are not."""
    for field in schema.get("secret_fields") or ():
        steps = tuple(field.split("."))
        if steps == path and value is not None:
            return True
        if "*" in steps and steps[: steps.index("*")] == path[: steps.index("*")]:
            return True
    return False


def _obfuscated(data: Row, schema: Row) -> Row:
    return _nested({path: _MASK if _is_secret(path, each, schema) else each for path, each in _flat(data)})


def _with_masked_kept(data: Row, stored: Row, schema: Row) -> Row:
    known = dict(_flat(stored))
    return _nested(
        {
            path: known[path] if each == _MASK and path in known and _is_secret(path, known[path], schema) else each
            for path, each in _flat(data)
        }
    )
