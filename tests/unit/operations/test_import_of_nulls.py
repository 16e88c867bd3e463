"""A body may have null wherever a field may be left out: that ends no import."""

from __future__ import annotations

import msgspec

from bundle.kinds import KINDS
from bundle.model import Placed
from bundle.record.canonical import make_record
from support.fake_prefect import FakePrefect
from support.moving import import_into
from support.seeded import seeded


def _with_nulls(placed: Placed) -> Placed:
    record, kind = placed.record, KINDS[placed.record.kind]
    needed = {name for name, field in kind.fields.items() if field.needed or field.required}
    body = {**dict.fromkeys(sorted(kind.travelling - needed)), **record.body}
    return Placed(placed.wave, make_record(record.key, body, record.references, record.secrets))


def test_null_in_every_optional_field_ends_no_import() -> None:
    """Each record ends in a state, whatever optional field of its kind is null."""
    bundle = seeded()
    records = tuple(_with_nulls(placed) for placed in bundle.records)

    imported = import_into(FakePrefect(seed=1), msgspec.structs.replace(bundle, records=records))

    assert len(imported.outcomes) == len(records)
    assert any(placed.record.body.get("code_example", 1) is None for placed in records)
