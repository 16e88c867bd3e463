"""Block types and block schemas."""

from __future__ import annotations

import hashlib
import html
import json
import re
from collections.abc import Mapping

from support.fake_prefect.bodies import FIELDS, filled
from support.fake_prefect.routes import Routes
from support.fake_prefect.store import Answer, Json, RefusedError, Row, Store

BUILT_IN: Mapping[str, tuple[str, Row, list[str], list[str]]] = {
    "secret": ("Secret", {"value": {"title": "Value", "format": "password"}}, ["value"], []),
    "webhook": ("Webhook", {"url": {"type": "string"}, "headers": {"type": "object"}}, ["url", "headers.*"], []),
    "local-file-system": ("Local File System", {"basepath": {"type": "string"}}, [], ["read-path", "write-path"]),
    "remote-file-system": ("Remote File System", {"settings": {"type": "object"}}, [], ["read-path", "write-path"]),
    "slack-webhook": ("Slack Webhook", {"url": {"type": "string"}}, ["url"], ["notify"]),
    "custom-webhook": ("Custom Webhook", {"secrets": {"type": "object"}}, ["secrets.*"], ["notify"]),
    "aws-credentials": ("AWS Credentials", {"aws_secret_access_key": {}}, ["aws_secret_access_key"], []),
    "github-credentials": ("GitHub Credentials", {"token": {"type": "string"}}, ["token"], []),
    "docker-registry-credentials": ("Docker Registry Credentials", {"password": {}}, ["password"], []),
    "s3-bucket": ("S3 Bucket", {"bucket_name": {"type": "string"}, "credentials": {}}, [], ["write-path"]),
}
_PROTECTED = frozenset({"secret", "webhook", "local-file-system"})
ROUTES = Routes()


def add_built_in(store: Store) -> None:
    """The block types and schemas that every server has."""
    for slug, (name, properties, secret_fields, capabilities) in BUILT_IN.items():
        _add_built_in(store, slug, name, properties, secret_fields, capabilities)


def _add_built_in(
    store: Store, slug: str, name: str, properties: Row, secret_fields: list[str], capabilities: Json
) -> None:
    row = _new_type(store, {"name": name, "slug": slug}, is_protected=slug in _PROTECTED)
    fields = {"title": name, "type": "object", "block_type_slug": slug, "properties": properties}
    fields |= {"secret_fields": secret_fields, "block_schema_references": {}}
    _new_schema(store, row, fields, capabilities, store.version)


def _new_type(store: Store, body: Row, *, is_protected: bool = False) -> Row:
    fields = filled(FIELDS["POST /block_types/"], body)
    return store.insert("block_types", fields | {"is_protected": is_protected})


@ROUTES.serve("POST /block_types/")
def post_type(store: Store, body: Row) -> Answer:
    """Escapes two texts, which ``PATCH`` does not."""
    if body["name"].lower().startswith("prefect"):
        raise RefusedError(403, "Block type names beginning with 'Prefect' are reserved.")
    store.refuse_twice("block_types", f'Block type with name "{body["name"]}" already exists', slug=body["slug"])
    for field in ("description", "code_example"):
        if body[field]:
            body[field] = html.escape(body[field], quote=False)
    return 201, _new_type(store, body)


@ROUTES.serve("PATCH /block_types/{id}")
def patch_type(store: Store, body: Row, id: str) -> Answer:  # noqa: A002 - named after the route
    return store.update(store.find("block_types", id), body)


@ROUTES.serve("GET /block_types/slug/{slug}")
def get_type(store: Store, _body: Json, slug: str) -> Answer:
    for row in store.rows("block_types", slug=slug):
        return 200, row
    raise RefusedError(404, "Block type not found")


@ROUTES.serve("POST /block_schemas/")
def post_schema(store: Store, body: Row) -> Answer:
    type_id = body["block_type_id"]
    if type_id not in store.tables["block_types"]:
        raise RefusedError(404, f"Block type {type_id} not found.")
    before = len(store.tables["block_schemas"])
    kind = store.tables["block_types"][type_id]
    row = _new_schema(store, kind, body["fields"], body["capabilities"], body["version"])
    return 201 if len(store.tables["block_schemas"]) > before else 200, shown_schema(store, row)


def _new_schema(store: Store, kind: Row, fields: Row, capabilities: list[str], version: str) -> Row:
    """The schema of this content and version, made if it is not there, its children first."""
    definitions = fields.get("definitions") or {}
    checksum = _checksum(store, fields, definitions)
    for row in store.rows("block_schemas", checksum=checksum, version=version):
        return row
    references = fields.get("block_schema_references") or {}
    children = {
        name: [_child(store, each, definitions)["id"] for each in (value if isinstance(value, list) else [value])]
        for name, value in references.items()
    }
    plain = {key: value for key, value in fields.items() if key not in {"definitions", "block_schema_references"}}
    own = _own_definitions(plain, definitions)
    stored = plain | ({"definitions": own} if own else {})
    links = {"block_type_id": kind["id"], "checksum": checksum, "children": children}
    return store.insert("block_schemas", {"fields": stored, "capabilities": capabilities, "version": version} | links)


def _child(store: Store, reference: Row, definitions: Row) -> Row:
    slug = reference["block_type_slug"]
    kind = next(iter(store.rows("block_types", slug=slug)), None)
    if kind is None:
        text = f"Cannot create block schema because block type '{slug}' was not found."
        raise RefusedError(409, f"{text}Did you forget to register the block type?")
    for row in store.rows("block_schemas", checksum=reference["block_schema_checksum"]):
        return row
    fields = next((each for each in definitions.values() if each.get("block_type_slug") == slug), None)
    if fields is None:
        raise RefusedError(500, exception_message="Internal Server Error")
    return _new_schema(store, kind, {**fields, "definitions": definitions}, [], "non-versioned")


def _checksum(store: Store, fields: Row, definitions: Row) -> str:
    plain = {key: value for key, value in fields.items() if key != "definitions"}
    content = [_without_secret_fields(plain), _own_definitions(plain, definitions)]
    salt = f"{store.seed} " if store.drift else ""
    return f"sha256:{hashlib.sha256((salt + json.dumps(content, sort_keys=True)).encode()).hexdigest()}"


def shown_schema(store: Store, row: Row) -> Row:
    fields = _schema_fields(store, row)
    kept = {key: value for key, value in row.items() if key != "children"}
    return {**kept, "fields": fields, "block_type": store.tables["block_types"][row["block_type_id"]]}


def _schema_fields(store: Store, row: Row) -> Row:
    """The fields with the references to nested blocks, and these as definitions."""
    definitions: Row = dict(row["fields"].get("definitions") or {})
    references: Row = {}
    for name, identifiers in row["children"].items():
        children = [store.tables["block_schemas"][each] for each in identifiers]
        each_ = [
            {
                "block_schema_checksum": child["checksum"],
                "block_type_slug": store.tables["block_types"][child["block_type_id"]]["slug"],
            }
            for child in (reversed(children) if store.drift else children)
        ]
        references[name] = each_[0] if len(each_) == 1 else each_
        for child in children:
            fields = dict(_schema_fields(store, child))
            definitions |= fields.pop("definitions", {})
            definitions[fields["title"]] = fields
    result = {**row["fields"], "block_schema_references": references}
    return result | ({"definitions": definitions} if definitions else {})


def _own_definitions(value: Json, definitions: Row) -> Row:
    """The definitions that a schema needs and that are not blocks."""
    own: Row = {}
    names = re.findall(r'"#/definitions/([^"]+)"', json.dumps(value))
    while names:
        name = names.pop()
        found = definitions.get(name)
        if name not in own and found is not None and "block_type_slug" not in found:
            own[name] = found
            names += re.findall(r'"#/definitions/([^"]+)"', json.dumps(found))
    return own


def _without_secret_fields(value: Json) -> Json:
    if isinstance(value, dict):
        return {key: _without_secret_fields(each) for key, each in value.items() if key != "secret_fields"}
    return [_without_secret_fields(each) for each in value] if isinstance(value, list) else value
