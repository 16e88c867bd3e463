"""What of a bundle a destination can hold. Pure.

Each release of Prefect knows other fields. What a destination has no place for
is taken out of the records before anything is planned, so that plan, import and
comparison all speak of the same, and named, so that it is reported before any
write. A resource that loses no field but is of a shape that the destination
does not know at all is refused as a whole.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from bundle.kinds import KINDS
from bundle.model import Key, Placed, Pointer, Record
from bundle.plan.capabilities import Fields, Offered
from bundle.record.pointers import without
from bundle.server.openapi import Accepted


class Fit(msgspec.Struct, frozen=True):
    """Records as a destination can hold them.

    ``dropped`` are the places taken out of each, or for which it is refused;
    ``refused`` are reason codes (``plan.REASONS``).
    """

    records: tuple[Placed, ...] = ()
    dropped: Mapping[Key, tuple[Pointer, ...]] = {}
    refused: Mapping[Key, str] = {}


UNFITTED = Fit()
"""Of a destination that holds everything."""


def fit(records: Sequence[Placed], fields: Fields) -> Fit:
    """Take out of each record what a destination that takes ``fields`` has no place for.

    The digest stays that of the whole record: it is what the record is known by, not a checksum of the rest.
    """
    kept: list[Placed] = []
    dropped: dict[Key, tuple[Pointer, ...]] = {}
    refused: dict[Key, str] = {}
    for placed in records:
        record, places, reason = _fitted(placed.record, fields)
        kept.append(Placed(placed.wave, record))
        if places:
            dropped[record.key] = places
        if reason:
            refused[record.key] = reason
    return Fit(tuple(kept), dropped, refused)


def _fitted(record: Record, fields: Fields) -> tuple[Record, tuple[Pointer, ...], str | None]:
    kind = KINDS[record.kind]
    method, path = kind.route(Offered(fields, {}))
    if fields.lacks(method, path):
        return record, (), "not-offered"
    verdict = fields.judge(method, path, {name: item for name, item in record.body.items() if name not in kind.unsent})
    refused = (*verdict.refused, *kind.too_new(record.body, fields.version or ()))
    if refused:
        return record, refused, "not-held"
    forgotten = () if fields.accepted is None else (f"/{name}" for name in sorted(kind.forgotten & record.body.keys()))
    places = tuple(sorted((*verdict.unknown, *forgotten)))
    return _without(record, places), places, None


def misfits(before: Record, after: Record, accepted: Accepted) -> tuple[Pointer, ...]:
    """Places of a changed record that a destination does not take, and that were not like that before the change.

    Types and bounds count: what a person wrote can be held against what the destination's document says.
    """
    if before.body == after.body:
        return ()
    old = _refused(before, accepted)
    return tuple(place for place in _refused(after, accepted) if place not in old)


def _refused(record: Record, accepted: Accepted) -> tuple[Pointer, ...]:
    kind = KINDS[record.kind]
    method, path = kind.route(Offered(Fields(accepted), {}))
    body = {name: item for name, item in record.body.items() if name not in kind.unsent}
    return accepted.judge(method, path, body, is_strict=True).refused


def _without(record: Record, places: tuple[Pointer, ...]) -> Record:
    if not places:
        return record
    return msgspec.structs.replace(
        record,
        body=KINDS[record.kind].trim(without(record.body, places)),
        references=tuple(each for each in record.references if not _is_in(each.pointer, places)),
        secrets=tuple(each for each in record.secrets if not _is_in(each.pointer, places)),
    )


def _is_in(pointer: Pointer, places: tuple[Pointer, ...]) -> bool:
    return any(pointer == place or pointer.startswith(f"{place}/") for place in places)
