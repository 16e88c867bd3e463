"""The use case of sealing: the values that a source holds in the slots of one bundle, in memory only."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec

from bundle.environment.describe import describe
from bundle.environment.lookup import Lookup
from bundle.environment.read import OnEvent, ignore, read_rows
from bundle.environment.reveal import revealed_rows
from bundle.kinds import KINDS
from bundle.model import Api, Body, Bundle, Json, Key, Record, Secret, kind_of
from bundle.record.pointers import resolve, walk
from bundle.record.secret_schema import MASK
from bundle.record.secrets import marker


class SlotValues(msgspec.Struct, frozen=True):
    """The values by slot, and the slots for which the source shows none."""

    values: dict[str, Json]
    missing: tuple[str, ...]


async def read_slots(bundle: Bundle, api: Api, *, on_event: OnEvent = ignore) -> SlotValues:
    """What a source holds in exactly the slots of a bundle.

    Raises:
        ServerError: the source cannot be reached or refuses.
    """
    bodies = await _bodies([placed.record for placed in bundle.records if placed.record.secrets], api, on_event)
    found = {slot: value for slot, value in _values(bundle, bodies) if value is not None}
    return SlotValues(found, tuple(each.slot for each in bundle.manifest.secrets if each.slot not in found))


async def _bodies(wanted: list[Record], api: Api, on_event: OnEvent) -> dict[Key, Body]:
    """The bodies with their secrets, of those resources that the source has and shows."""
    reading = await read_rows(api, deep=True, on_event=on_event)
    there, look = describe(reading), Lookup(reading.rows, KINDS)
    ids = {record.key: there.ids[record.key] for record in wanted if record.key in there.ids}
    shown = await revealed_rows(api, ids, there)
    # What has no listing of its own for secrets shows them in the ordinary one.
    plain = {key: each for key, each in ids.items() if KINDS[kind_of(key)].revealing(()) is None}
    bodies = {key: KINDS[kind_of(key)].portable(there.rows[each], look) for key, each in plain.items()}
    return bodies | {key: shown[each] for key, each in ids.items() if each in shown}


def _values(bundle: Bundle, bodies: Mapping[Key, Body]) -> Iterator[tuple[str, Json]]:
    for placed in bundle.records:
        body = bodies.get(placed.record.key)
        if body is not None:
            yield from ((secret.slot, _value(body, secret)) for secret in placed.record.secrets)


def _value(body: Body, secret: Secret) -> Json:
    """The value in a slot; None where there is none, only a mask, or our own marker for a missing one."""
    try:
        value = resolve(body, secret.pointer)
    except LookupError:
        return None
    is_masked = any(part == MASK for _, part in walk(value))
    return None if is_masked or value == marker(secret) else value
