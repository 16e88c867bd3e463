"""Block schemas."""

from __future__ import annotations

from typing import Any

from support.one_kind import ID, OTHER, Rows, Sent, created, kind

SCHEMA = kind("block-schema")
TYPE = {"id": OTHER, "slug": "my-type"}


def row(fields: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"id": ID, "fields": fields, "block_type_id": OTHER, "checksum": "sha256:abc", "capabilities": [], **more}


def test_it_is_named_by_type_and_content() -> None:
    """Marks of secrets do not count in the name, properties do."""
    look = Rows(TYPE)
    plain = SCHEMA.natural_name(row({"properties": {"a": {}}}), look)
    marked = SCHEMA.natural_name(row({"properties": {"a": {}}, "secret_fields": ["a"]}), look)
    other = SCHEMA.natural_name(row({"properties": {}}), look)
    assert plain.startswith("my-type@")
    assert (plain == marked, plain == other) == (True, False)


def test_the_checksum_does_not_travel() -> None:
    """It is the server's; capabilities get an order."""
    assert SCHEMA.portable(row({}, capabilities=["b", "a"]), Rows(TYPE)) == {
        "fields": {},
        "block_type_id": OTHER,
        "capabilities": ["a", "b"],
    }


def test_references_to_other_schemas_become_ids() -> None:
    """Where the API has a checksum, the body has the id of that schema, and its checksum there when it is created."""
    child = {**row({}), "id": OTHER, "block_type_id": "t", "checksum": "sha256:child"}
    look = Rows(child, {"id": "t", "slug": "child"}, of="block-schema")
    reference = {"block_type_slug": "child", "block_schema_checksum": "sha256:child"}
    body = SCHEMA.portable(row({"block_schema_references": {"x": reference}}), look)
    assert body["fields"]["block_schema_references"]["x"]["block_schema_checksum"] == OTHER
    there = {"id": OTHER, "checksum": "sha256:theirs"}
    ((_, _, sent),) = created("block-schema", body, Sent(there))
    assert sent["fields"]["block_schema_references"]["x"]["block_schema_checksum"] == "sha256:theirs"


def test_nothing_in_it_is_changed() -> None:
    """There is no request that changes a schema."""
    can = [SCHEMA.can_change(place, is_removal=False, raw={}, at=Sent()) for place in ("/fields", "/version")]
    assert can == [False, False]


def test_the_order_of_a_union_is_that_of_its_property() -> None:
    """The server answers the schemas of a union in any order, but its checksum depends on it."""
    one, other = ({"block_type_slug": each, "block_schema_checksum": each} for each in ("a", "b"))
    fields = {
        "properties": {"x": {"anyOf": [{"$ref": "#/definitions/B"}, {"$ref": "#/definitions/A"}]}},
        "definitions": {"A": {"block_type_slug": "a"}, "B": {"block_type_slug": "b"}},
        "block_schema_references": {"x": [one, other]},
    }
    body = SCHEMA.portable(row(fields), Rows(TYPE))
    assert body["fields"]["block_schema_references"]["x"] == [other, one]


def test_those_of_built_in_types_come_only_where_needed() -> None:
    """Every server registers its own, so of two versions nothing in them is compared."""
    look = Rows({"id": OTHER, "slug": "secret"})
    assert SCHEMA.optional(row({}), look) == "built-in"
    assert SCHEMA.optional(row({}), Rows(TYPE)) is None
    assert SCHEMA.comparable({"fields": {"block_type_slug": "secret", "title": "x"}}) == {}
