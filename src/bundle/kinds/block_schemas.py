"""Block schemas: the shape of a block type's documents.

The server's checksum does not survive every round trip, so a schema is known
by a hash of our own: over its fields without ``secret_fields`` and without the
definitions of nested blocks, each of which is a schema of its own. The
checksums under ``block_schema_references`` are references: where the API has a
checksum, the body has the id of that schema.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar

import msgspec

from bundle.kinds.base import Kind
from bundle.kinds.block_types import BUILT_IN
from bundle.kinds.fields import Field
from bundle.kinds.protocols import Destination, Look, Made, Raw, made_of
from bundle.model import Body, Json, JsonType, Pointer
from bundle.record.canonical import encode, sha256_hex
from bundle.record.pointers import replace_all
from bundle.record.secret_defaults import secret_values

_REFERENCES = "block_schema_references"
_CHECKSUM = "block_schema_checksum"
_HASH_DIGITS = 12


class _Child(msgspec.Struct):
    block_type_slug: str
    block_schema_checksum: str


class _Fields(msgspec.Struct):
    """A JSON Schema as block schemas have it; what is no object in ``definitions`` is passed over."""

    block_type_slug: str | None = None
    block_schema_references: dict[str, _Child | list[_Child]] | None = None
    definitions: dict[str, _Fields | list[Any] | str | float | bool | None] | None = None
    properties: dict[str, Any] | None = None
    secret_fields: list[str] | None = None


class BlockSchema(Kind):
    name = "block-schema"
    path = "/block_schemas"
    parent_field = "block_type_id"
    name_field = None
    fields: ClassVar = {
        "fields": Field(_Fields, required=True, needed=True, fixed=True),
        "block_type_id": Field(str, required=True, fixed=True),
        "capabilities": Field(list[str], default=[], fixed=True),
        "version": Field(fixed=True),
        "checksum": Field(str, travels=False),
        "block_type": Field(dict[str, Any], travels=False),
    }
    unique_names = False
    newest_counts = True
    route_is_required = True
    holds_values = False

    def natural_name(self, raw: Raw, look: Look) -> str:
        body = _with_checksums(_reduced(raw["fields"]), lambda slug, checksum: _child_name(look, slug, checksum))
        return f"{look.name(raw['block_type_id'])}@{sha256_hex(encode(body))[:_HASH_DIGITS]}"

    def bound_name(self, body: Body, parent: str) -> str:
        """As ``natural_name``; in place of each child's checksum is the name of that schema already."""
        fields = _reduced(body["fields"])
        return f"{parent}@{sha256_hex(encode(fields))[:_HASH_DIGITS]}"

    def comes_along(self, body: Body) -> bool:
        return True

    def optional(self, raw: Raw, look: Look) -> str | None:
        block_type = look.raw(raw["block_type_id"]) or {}
        return "built-in" if block_type.get("slug") in BUILT_IN else None

    def portable(self, raw: Raw, look: Look) -> Body:
        body = super().portable(raw, look)
        fields = _with_checksums(_unions_in_order(body["fields"]), lambda slug, sum_: _child_id(look, slug, sum_))
        return self.trim(body | {"fields": fields, "capabilities": sorted(body.get("capabilities") or ())})

    def comparable(self, body: Body) -> Body:
        """Of a built-in type each version registers its own; what makes a schema another one is in its name."""
        return {} if body["fields"].get("block_type_slug") in BUILT_IN else body

    def secret_places(self, raw: Raw, body: Body, look: Look) -> Mapping[Pointer, JsonType]:
        """Defaults and examples of what the schema calls secret; those of built-in types are in every server."""
        if look.name(raw["block_type_id"]) in BUILT_IN:
            return {}
        return {f"/fields{place}": kind for place, kind in secret_values(body["fields"]).items()}

    def is_built_in(self, name: str) -> bool:
        return name.partition("@")[0] in BUILT_IN

    def is_own(self, raw: Raw) -> bool:
        return (raw.get("block_type") or {}).get("slug") not in BUILT_IN

    async def create(self, to: Destination, body: Body) -> Made:
        """``POST /block_schemas/`` answers 200 where the schema is there already."""

        def checksum(_slug: str, identifier: str) -> str:
            return str((to.raw(identifier) or {}).get("checksum", identifier))

        raw = await to.post("/block_schemas/", body | {"fields": _with_checksums(body["fields"], checksum)})
        return made_of(raw)


def _children(look: Look, slug: str, checksum: str) -> list[Raw]:
    rows = look.index("block-schema", "checksum").get(checksum, [])
    own = [row for row in rows if look.name(row["block_type_id"]) == slug]
    return sorted(own, key=lambda row: str(row.get("version")))


def _child_id(look: Look, slug: str, checksum: str) -> str:
    return next((str(row["id"]) for row in _children(look, slug, checksum)), checksum)


def _child_name(look: Look, slug: str, checksum: str) -> str:
    return next((str(look.name(row["id"])) for row in _children(look, slug, checksum)), checksum)


def _with_checksums(fields: Body, value_of: Callable[[str, str], str]) -> Body:
    """The fields with each child's checksum, also inside definitions, replaced by ``value_of(slug, checksum)``."""

    def one(reference: Body) -> Body:
        return reference | {_CHECKSUM: value_of(reference["block_type_slug"], reference[_CHECKSUM])}

    def each(value: Json) -> Json:
        return [one(item) for item in value] if isinstance(value, list) else one(value)

    result = dict(fields)
    if fields.get(_REFERENCES):
        result[_REFERENCES] = {name: each(value) for name, value in fields[_REFERENCES].items()}
    if isinstance(fields.get("definitions"), dict):
        result["definitions"] = {
            name: _with_checksums(item, value_of) if isinstance(item, dict) else item
            for name, item in fields["definitions"].items()
        }
    return result


def _unions_in_order(fields: Body) -> Body:
    """The fields with each union's references in the order of the property that lists them.

    The server answers them in any order, but its checksum depends on it.
    """
    definitions = fields.get("definitions") or {}
    ordered = _with_ordered_unions(fields, definitions)
    if definitions:
        ordered["definitions"] = {
            name: _with_ordered_unions(item, definitions) if isinstance(item, dict) else item
            for name, item in definitions.items()
        }
    return ordered


def _with_ordered_unions(fields: Body, definitions: Body) -> Body:
    properties = fields.get("properties") or {}
    references = {
        name: _ordered(value, properties.get(name), definitions) if isinstance(value, list) else value
        for name, value in (fields.get(_REFERENCES) or {}).items()
    }
    return fields | ({_REFERENCES: references} if _REFERENCES in fields else {})


def _ordered(references: list[Body], spec: Json, definitions: Body) -> list[Body]:
    slugs = [(definitions.get(name) or {}).get("block_type_slug") for name in _definition_names(spec)]
    position = {slug: place for place, slug in reversed(list(enumerate(slugs)))}
    return sorted(
        references, key=lambda each: (position.get(each["block_type_slug"], len(slugs)), each["block_type_slug"])
    )


def _definition_names(value: Json) -> Iterable[str]:
    if isinstance(value, dict):
        for name, item in value.items():
            if name == "$ref" and isinstance(item, str):
                yield item.removeprefix("#/definitions/")
            else:
                yield from _definition_names(item)
    elif isinstance(value, list):
        for item in value:
            yield from _definition_names(item)


def _reduced(fields: Body) -> Body:
    """What makes this schema another one: no secret marks or values, no definitions but its own."""
    bare = replace_all(fields, dict.fromkeys(secret_values(fields)))
    ordered: Body = _without_secret_marks(_unions_in_order(bare))
    definitions = ordered.pop("definitions", None) or {}
    own: dict[str, Json] = {}
    queue = list(_definition_names(ordered))
    while queue:
        name = queue.pop()
        item = definitions.get(name)
        if name not in own and isinstance(item, dict) and "block_type_slug" not in item:
            own[name] = item
            queue += _definition_names(item)
    return {**ordered, "definitions": own} if own else ordered


def _without_secret_marks(value: Json) -> Json:
    if isinstance(value, dict):
        return {name: _without_secret_marks(item) for name, item in value.items() if name != "secret_fields"}
    return [_without_secret_marks(item) for item in value] if isinstance(value, list) else value


KIND = BlockSchema()
