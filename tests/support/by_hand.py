"""Records and environments made by hand, for tests of what is planned. The id of a resource is its key in capitals."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from bundle.environment.describe import Environment
from bundle.model import Body, Key, Placed, Pointer, Record, Reference, Secret
from bundle.plan.intended import Intended, intend
from bundle.record.canonical import make_record


def record(key: Key, body: Body, *references: Reference, secrets: Iterable[Pointer] = ()) -> Record:
    """A record; the slot of a secret is the key and the place of it."""
    slots = [Secret(place, f"{key}#{place}", "string") for place in secrets]
    return make_record(key, body, references, slots)


def intended(*records: Record) -> tuple[Intended, ...]:
    """The same as they are to be at a destination, each in a wave of its own."""
    return intend(Placed(wave, each) for wave, each in enumerate(records))


def there(*records: Record, rows: Mapping[Key, Body] | None = None) -> Environment:
    """A destination that has these; ``rows`` are what the server says of some besides the body."""
    return Environment(
        records={each.key: each for each in records},
        ids={each.key: each.key.upper() for each in records},
        rows={
            each.key.upper(): {**each.body, "id": each.key.upper(), **(rows or {}).get(each.key, {})}
            for each in records
        },
        census={},
    )
