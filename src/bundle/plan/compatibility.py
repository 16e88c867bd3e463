"""What of a bundle a destination can hold. Pure.

Each release of Prefect knows other fields. What a destination has no place for
is taken out of what is intended before anything is planned, so that plan, import and
comparison all speak of the same, and named, so that it is reported before any
write. A resource that loses no field but is of a shape that the destination
does not know at all is refused as a whole.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from bundle.kinds import KINDS
from bundle.model import Pointer, Record
from bundle.plan.capabilities import Fields, Offered
from bundle.plan.differences import is_within
from bundle.plan.intended import Intended
from bundle.record.pointers import without
from bundle.server.openapi import Accepted


def fit(records: Iterable[Intended], fields: Fields) -> tuple[Intended, ...]:
    """What is intended, without what a destination that takes ``fields`` has no place for."""
    return tuple(_fitted(each, fields) for each in records)


def _fitted(record: Intended, fields: Fields) -> Intended:
    kind = KINDS[record.kind]
    method, path = kind.route(Offered(fields, {}))
    if fields.lacks(method, path):
        return msgspec.structs.replace(record, refused="not-offered")
    verdict = fields.judge(method, path, {name: item for name, item in record.body.items() if name not in kind.unsent})
    refused = (*verdict.refused, *kind.too_new(record.body, fields.version or ()))
    if refused:
        return msgspec.structs.replace(record, dropped=refused, refused="not-held")
    forgotten = () if fields.accepted is None else (f"/{name}" for name in sorted(kind.forgotten & record.body.keys()))
    places = tuple(sorted((*verdict.unknown, *forgotten)))
    return _without(record, places) if places else record


def misfits(before: Record, after: Record, accepted: Accepted) -> tuple[Pointer, ...]:
    """Places of a changed record that a destination does not take or know, and that were not like that before.

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
    found = accepted.judge(method, path, body, is_strict=True)
    # What the kind knows at the top may be one that other releases take: it is left out and named there.
    return (*found.refused, *(place for place in found.unknown if place[1:] not in kind.travelling))


def _without(record: Intended, places: tuple[Pointer, ...]) -> Intended:
    return msgspec.structs.replace(
        record,
        body=KINDS[record.kind].trim(without(record.body, places)),
        references=tuple(each for each in record.references if not _is_in(each.pointer, places)),
        secrets=tuple(each for each in record.secrets if not _is_in(each.pointer, places)),
        dropped=places,
    )


def _is_in(pointer: Pointer, places: tuple[Pointer, ...]) -> bool:
    return any(is_within(pointer, place) for place in places)
