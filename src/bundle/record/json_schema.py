"""JSON Schemas of structs, as they are published: one dialect, one way to write the files. Pure."""

from __future__ import annotations

from typing import Any

import msgspec

_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def parts_of(struct: type[msgspec.Struct]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The schema of a struct, and those of the structs inside it, which it refers to as ``#/$defs/NAME``."""
    (top,), definitions = msgspec.json.schema_components([struct], ref_template="#/$defs/{name}")
    return definitions.pop(str(top["$ref"]).rpartition("/")[2]), definitions


def rendered(identity: str, title: str, body: dict[str, Any], definitions: dict[str, Any]) -> bytes:
    """The file of a schema: members sorted, indented."""
    schema = {"$schema": _DIALECT, "$id": identity, **body, "title": title, "$defs": definitions}
    text = msgspec.json.encode({name: value for name, value in schema.items() if value}, order="deterministic")
    return msgspec.json.format(text, indent=2) + b"\n"
