"""The published reference of kinds: a JSON Schema for the body of each, and a page for people.

Both come from the tables of fields, and a schema takes exactly what ``misfit_of_body`` takes: objects are left
open, since a field that xfer does not know travels as well. ``python -m bundle.environment.body_schemas ROOT`` writes
``schemas/kind-*.schema.json`` and ``docs/kinds.md``; a test compares them.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from bundle.kinds import KINDS
from bundle.kinds.base import Kind
from bundle.kinds.fields import Field
from bundle.record.json_schema import parts_of, rendered

PAGE = "kinds.md"
_HEAD = """# Kinds and their fields

Made from the program's own tables, and part of [the format](format.md): what the `body` of a record holds, kind by
kind. A JSON Schema of each is `schemas/kind-<kind>-1.schema.json`.

A body leaves out a field that is null or has its default, unless the field is always there. Fields that are not
listed travel as they are, and are reported (`unknown-field`). The server's own fields (ids, times, who changed what)
never do. An id of another resource is cut out, wherever it stands, and is a reference; a null may be the place of a
secret.

In the tables: *always* is in every body (the schemas insist only on what nothing can be planned without); *name* gives
the key; *once* cannot be changed after the resource was created; *switch* decides whether it runs by itself, with the
value that means on; *unordered* is a list whose order means nothing.
"""


def properties_of(kind: Kind) -> dict[str, Any]:
    """The schema of each field of the bodies of a kind."""
    known = parts_of(kind.body_shape)[0]["properties"]
    return {
        name: _without_default(known.get(name, {})) | _default_of(kind.fields[name]) for name in sorted(kind.travelling)
    }


def generate() -> dict[str, bytes]:
    """The schema files by name."""
    return {f"kind-{name}-1.schema.json": _file(kind) for name, kind in KINDS.items()}


def page() -> str:
    """The page for people, in Markdown."""
    return "\n".join([_HEAD, *(_section(kind) for kind in KINDS.values())])


def publish(root: Path) -> None:
    """Write all into a checkout."""
    for name, content in generate().items():
        (root / "schemas" / name).write_bytes(content)
    (root / "docs" / PAGE).write_text(page())


def _section(kind: Kind) -> str:
    known = properties_of(kind)
    rows = "\n".join(f"| `{name}` | {_type(spec)} | {', '.join(_facts(kind, name))} |" for name, spec in known.items())
    where = f"Listed at `{kind.path}`{', by Prefect Cloud alone' if kind.cloud_only else ''}."
    return f"## {kind.name}\n\n{where}\n\n| field | holds | what is known of it |\n|---|---|---|\n{rows}\n"


def _type(spec: dict[str, Any]) -> str:
    found = [each.get("type", "object") for each in spec.get("anyOf", [spec] if {"type", "$ref"} & spec.keys() else [])]
    return " or ".join(each for each in found if each != "null") or "any value"


def _facts(kind: Kind, name: str) -> Iterator[str]:
    field = kind.fields[name]
    if name == kind.name_field:
        yield "name"
    if field.required:
        yield "always"
    if name == kind.parent_field:
        yield "id of the one that it belongs to"
    if field.default is not msgspec.UNSET:
        yield f"default `{msgspec.json.encode(field.default).decode()}`"
    if field.fixed:
        yield "once"
    if field.on is not msgspec.UNSET:
        yield f"switch, on is `{msgspec.json.encode(field.on).decode()}`"
    if field.unordered:
        yield "unordered"
    if field.deep:
        yield "read by an export only"
    if not field.kept:
        yield "kept by Prefect Cloud only"


def _default_of(field: Field) -> dict[str, Any]:
    return {} if field.default is msgspec.UNSET else {"default": field.default}


def _without_default(spec: dict[str, Any]) -> dict[str, Any]:
    return {word: value for word, value in spec.items() if word != "default"}


def _file(kind: Kind) -> bytes:
    shape, definitions = parts_of(kind.body_shape)
    body = {"type": "object", "properties": properties_of(kind), "required": shape["required"]}
    text = rendered(f"urn:xfer:schema:kind-{kind.name}-1", f"body of a {kind.name}", body, definitions).decode()
    # Types that nobody else uses are called with an underscore.
    for name in definitions:
        text = re.sub(rf'(?<=["/]){name}(?=")', name.lstrip("_"), text)
    return text.encode()


if __name__ == "__main__":
    publish(Path(sys.argv[1]))
