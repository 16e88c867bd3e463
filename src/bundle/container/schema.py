"""The published JSON Schemas, and the strict types behind them.

The structs of ``bundle.model`` say names and types; ``_CONSTRAINTS`` adds what a type cannot say.
Both together make strict types, and from these come the schemas as well as the check of a
manifest: so they agree, and the check costs next to nothing however long the manifest is. Objects are
left open, so that a bundle of a newer minor version is valid. ``python -m bundle.container.schema
DIRECTORY`` writes the files; a test compares them.
"""

from __future__ import annotations

import functools
import importlib.resources
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

import msgspec
from msgspec import Meta

from bundle.model import Count, Manifest, Record
from bundle.record.json_schema import parts_of, rendered

MANIFEST = "manifest-1.schema.json"
RECORD = "record-1.schema.json"

_TITLE = "xfer bundle, format 1: {}"
_KEY = Annotated[str, Meta(pattern=r"^[a-z][a-z-]*:[\s\S]")]
# Python's "$" also matches before a last newline, that of JSON Schema does not; "$(?!\n)" means the end to both.
_KIND = Annotated[str, Meta(pattern=r"^[a-z][a-z-]*$(?!\n)")]
_NAME = Annotated[str, Meta(pattern=r"^resources/[0-9]{3,}-[a-z][a-z-]*-[0-9]{4,}\.ndjson$", max_length=99)]
# No group is repeated: Python keeps 180 bytes for each round of one, and a pointer may be as long as a manifest.
_POINTER = Annotated[str, Meta(pattern=r"^(?![\s\S]*~(?![01]))(/|(?![\s\S]))")]
_SHA256 = Annotated[str, Meta(pattern="^[0-9a-f]{64}$", max_length=64)]
_VERSION = Annotated[str, Meta(pattern=r"^[1-9][0-9]{0,5}\.(0|[1-9][0-9]{0,5})$(?!\n)")]
_TEXT = Annotated[str, Meta(min_length=1)]
_NATURAL = Annotated[int, Meta(ge=0)]
_POSITIVE = Annotated[int, Meta(ge=1)]

# Of a field: a type that stands in for the one in the model.
_CONSTRAINTS: Mapping[str, Mapping[str, Any]] = {
    "Record": {"key": _KEY, "digest": _SHA256},
    "Reference": {"pointer": _POINTER, "target": _KEY, "offset": _NATURAL},
    "Secret": {"pointer": _POINTER, "slot": _TEXT},
    "Manifest": {
        "format": _VERSION,
        "content_digest": _SHA256,
        "census": dict[_KIND, Count],
        "external": tuple[_KEY, ...] | msgspec.UnsetType,
    },
    "Requirement": {"version": _VERSION},
    "Count": {"seen": _NATURAL, "exported": _NATURAL, "left_out": _NATURAL},
    "Member": {
        "name": _NAME,
        "kind": _KIND,
        "wave": _NATURAL,
        "count": _POSITIVE,
        "size": _POSITIVE,
        "sha256": _SHA256,
    },
    "Wave": {"wave": _NATURAL, "count": _POSITIVE},
    "SecretSlot": {
        "slot": _TEXT,
        "resource": _KEY,
        "pointer": _POINTER,
        "type": Literal["string", "number", "boolean", "array", "object"],
    },
    "Finding": {"code": _TEXT, "pointer": _POINTER},
    "LeftOut": {"kind": _KIND, "reason": _TEXT, "count": _NATURAL},
}


@functools.cache
def strict(struct: type[msgspec.Struct]) -> type[msgspec.Struct]:
    """A twin of a struct that takes only what the published schema takes."""
    constraints = _CONSTRAINTS.get(struct.__name__, {})
    fields: list[Any] = []
    for field in msgspec.structs.fields(struct):
        kind = _strict_type(constraints.get(field.name, field.type))
        is_there = field.required or not (struct.__struct_config__.omit_defaults or field.default is msgspec.UNSET)
        fields.append((field.name, kind) if is_there else (field.name, kind, field.default))
    return msgspec.defstruct(struct.__name__, fields, namespace={"__doc__": struct.__doc__}, kw_only=True)


def generate() -> dict[str, bytes]:
    """The schema files by name."""
    return {
        MANIFEST: rendered("urn:xfer:schema:manifest-1", _TITLE.format("manifest.json"), *parts_of(strict(Manifest))),
        RECORD: rendered("urn:xfer:schema:record-1", _TITLE.format("one line of a member"), *parts_of(strict(Record))),
    }


def load(name: str) -> bytes:
    """A published schema file, from the installed package or from the checkout."""
    installed = importlib.resources.files("bundle").joinpath("schemas", name)
    if installed.is_file():
        return installed.read_bytes()
    return Path(__file__).parents[3].joinpath("schemas", name).read_bytes()


def publish(directory: Path) -> None:
    """Write the schema files into a directory."""
    for name, content in generate().items():
        directory.joinpath(name).write_bytes(content)


def _strict_type(kind: Any) -> Any:
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return strict(kind)
    origin = get_origin(kind)
    if origin in {tuple, dict}:
        return origin[tuple(_strict_type(part) for part in get_args(kind))]
    return kind


if __name__ == "__main__":
    publish(Path(sys.argv[1]))
