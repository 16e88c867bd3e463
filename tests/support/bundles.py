"""Small bundles out of records made by hand, and the published ones."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import jsonschema
import msgspec
import referencing

from bundle.container import schema
from bundle.container.writer import write_bundle
from bundle.model import Count, Header, Manifest, Placed, Reference, Secret
from bundle.record.canonical import make_record

ROOT = Path(__file__).parents[2]


GOLDEN = ROOT / "fixtures" / "golden" / "format-1.0.pxb"


GOLDEN_EXTERNAL = ROOT / "fixtures" / "golden" / "format-1.1.pxb"


GOLDEN_LEAN = ROOT / "fixtures" / "golden" / "format-1.3.pxb"
"""The first one of keys and digests only."""

GOLDEN_ORDERED = ROOT / "fixtures" / "golden" / "format-1.2.pxb"


Json = dict[str, Any]


def flow(name: str, wave: int = 0, **body: Any) -> Placed:
    """A flow as a record."""
    return Placed(wave, make_record(f"flow:{name}", {"name": name, **body}, [], []))


def refer(
    target: str, pointer: str = "/flow", form: Literal["name", "uuid", "hex"] = "uuid", offset: int = 0
) -> Placed:
    """A deployment that refers to something."""
    body = {"flow": "", "text": "abc", "number": 1}
    return Placed(1, make_record("deployment:d", body, [Reference(pointer, target, form, offset)], []))


SECRET = Placed(1, make_record("variable:v", {"value": None}, [], [Secret("/value", "v", "string")]))


SAMPLE = (flow("a"), flow("b"), refer("flow:a"), SECRET)


def header_for(records: Sequence[Placed]) -> Header:
    """A header whose census fits."""
    kinds = [placed.record.kind for placed in records]
    return Header(census={kind: Count(kinds.count(kind), kinds.count(kind), 0) for kind in kinds})


def bundle_bytes(*records: Placed, header: Header | None = None) -> bytes:
    """The bundle of some records."""
    output = io.BytesIO()
    write_bundle(header or header_for(records), records, output)
    return output.getvalue()


def nested(depth: int) -> Json:
    """An object of so many levels."""
    value: Json = {}
    for _ in range(depth):
        value = {"x": value}
    return value


def validator(name: str) -> jsonschema.Draft202012Validator:
    """A published schema; an empty registry, so nothing is fetched from anywhere."""
    return jsonschema.Draft202012Validator(msgspec.json.decode(schema.load(name)), registry=referencing.Registry())


def header_of(manifest: Manifest) -> Header:
    """The header that a bundle was written with."""
    known = {name: getattr(manifest, name) for name in Header.__struct_fields__}
    return Header(**{name: value for name, value in known.items() if value is not msgspec.UNSET})
