"""What runs by itself: what an inert import makes of it, and how much of it there is. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from bundle.environment.describe import Environment
from bundle.kinds import KINDS
from bundle.model import Bundle, Placed, Record
from bundle.plan.matching import is_begun, match, switched_off


def at_rest(bundle: Bundle, destination: Environment) -> Bundle:
    """The bundle as an inert import wants it.

    What is to be made is off. What the destination has is on where it is on
    there. The digests stay, since by them an import knows what an earlier one
    left unfinished.
    """
    off = tuple(Placed(placed.wave, switched_off(placed.record)) for placed in bundle.records)
    return msgspec.structs.replace(bundle, records=as_switched(off, destination))


def as_switched(records: Sequence[Placed], destination: Environment) -> tuple[Placed, ...]:
    """The records, each on or off as the destination's is; what is not there, or not finished there, as it was."""
    pairs = match([placed.record for placed in records], destination)

    def one(record: Record) -> Record:
        found, kind = destination.records.get(pairs.get(record.key, "")), KINDS[record.kind]
        if found is None or not kind.activity or is_begun(record, found, destination):
            return record
        return msgspec.structs.replace(record, body=kind.switched(record.body, kind.switches(found.body)))

    return tuple(Placed(placed.wave, one(placed.record)) for placed in records)


def firing_schedules(records: Iterable[Record]) -> int:
    """How many schedules of some records start runs."""
    return sum(len(list(KINDS[record.kind].firing(record.body))) for record in records)
