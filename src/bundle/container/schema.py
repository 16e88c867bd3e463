"""The published JSON Schemas, generated from the structs of ``bundle.model``.

The structs say names and types; ``_CONSTRAINTS`` adds what a type cannot say. Objects are left
open, so that a bundle of a newer minor version is valid. ``python -m bundle.container.schema``
writes the files; a test compares them.
"""

from __future__ import annotations

import importlib.resources
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from bundle.model import Manifest, Record

if TYPE_CHECKING:
    import jsonschema

MANIFEST = "manifest-1.schema.json"
RECORD = "record-1.schema.json"

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_KEY = {"pattern": r"^[a-z][a-z-]*:[\s\S]"}
_KIND = {"pattern": "^[a-z][a-z-]*$"}
_POINTER = {"pattern": "^(/([^~/]|~[01])*)*$"}
_SHA256 = {"pattern": "^[0-9a-f]{64}$", "maxLength": 64}
_VERSION = {"pattern": r"^[1-9][0-9]{0,5}\.(0|[1-9][0-9]{0,5})$"}
_NATURAL = {"minimum": 0}
_POSITIVE = {"minimum": 1}

_CONSTRAINTS: Mapping[str, Mapping[str, Mapping[str, Any]]] = {
    "Record": {"key": _KEY, "digest": _SHA256},
    "Reference": {"pointer": _POINTER, "target": _KEY, "offset": _NATURAL},
    "Secret": {"pointer": _POINTER, "slot": {"minLength": 1}},
    "Manifest": {"format": _VERSION, "content_digest": _SHA256, "census": {"propertyNames": _KIND}},
    "Requirement": {"version": _VERSION},
    "Count": {"seen": _NATURAL, "exported": _NATURAL, "left_out": _NATURAL},
    "Member": {
        "name": {"pattern": r"^resources/[0-9]{3,}-[a-z][a-z-]*-[0-9]{4,}\.ndjson$", "maxLength": 99},
        "kind": _KIND,
        "wave": _NATURAL,
        "count": _POSITIVE,
        "size": _POSITIVE,
        "sha256": _SHA256,
    },
    "Wave": {"wave": _NATURAL, "count": _POSITIVE},
    "SecretSlot": {
        "slot": {"minLength": 1},
        "resource": _KEY,
        "pointer": _POINTER,
        "type": {"enum": ["string", "number", "boolean", "array", "object"]},
    },
    "Finding": {"code": {"minLength": 1}, "pointer": _POINTER},
    "LeftOut": {"kind": _KIND, "reason": {"minLength": 1}, "count": _NATURAL},
}


def generate() -> dict[str, bytes]:
    """The schema files by name."""
    return {
        MANIFEST: _rendered(Manifest, "urn:xfer:schema:manifest-1", "xfer bundle, format 1: manifest.json"),
        RECORD: _rendered(Record, "urn:xfer:schema:record-1", "xfer bundle, format 1: one line of a member"),
    }


def validator(name: str) -> jsonschema.Draft202012Validator:
    """A validator for one of the published schemas; it fetches nothing, from nowhere."""
    # Both take a tenth of a second to import, and only reading a bundle needs them.
    import jsonschema  # noqa: PLC0415
    import referencing  # noqa: PLC0415

    return jsonschema.Draft202012Validator(msgspec.json.decode(load(name)), registry=referencing.Registry())


def load(name: str) -> bytes:
    """A published schema file, from the installed package or from the checkout."""
    installed = importlib.resources.files("bundle").joinpath("schemas", name)
    if installed.is_file():
        return installed.read_bytes()
    return Path(__file__).parents[3].joinpath("schemas", name).read_bytes()


def _rendered(struct: type[msgspec.Struct], identity: str, title: str) -> bytes:
    (top,), definitions = msgspec.json.schema_components([struct], ref_template="#/$defs/{name}")
    for name, definition in definitions.items():
        _constrain(definition["properties"], _CONSTRAINTS.get(name, {}))
    body = definitions.pop(str(top["$ref"]).rpartition("/")[2])
    schema = {"$schema": _DIALECT, "$id": identity} | body | {"title": title, "$defs": definitions}
    return msgspec.json.format(msgspec.json.encode(schema, order="deterministic"), indent=2) + b"\n"


def _constrain(properties: dict[str, dict[str, Any]], constraints: Mapping[str, Mapping[str, Any]]) -> None:
    for name, constraint in constraints.items():
        properties[name].update(constraint)


def publish(directory: Path) -> None:
    """Write the schema files into a directory."""
    for name, content in generate().items():
        directory.joinpath(name).write_bytes(content)


if __name__ == "__main__":
    publish(Path(sys.argv[1]))
