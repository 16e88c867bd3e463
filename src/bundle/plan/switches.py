"""What runs by itself: what an inert import makes of it, and how much of it there is. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from bundle.environment.describe import Environment
from bundle.kinds import KINDS
from bundle.model import Key, Record
from bundle.plan.intended import Intended, switched_off
from bundle.plan.matching import is_begun


def at_rest(records: Sequence[Intended], pairs: Mapping[Key, Key], destination: Environment) -> tuple[Intended, ...]:
    """What an inert import intends: what is created is off, what the destination has is on where it is on there."""
    return as_switched([switched_off(each) for each in records], pairs, destination)


def as_switched(
    records: Sequence[Intended], pairs: Mapping[Key, Key], destination: Environment
) -> tuple[Intended, ...]:
    """The same, each on or off as the destination's is; what is not there, or not finished there, as it was."""

    def one(record: Intended) -> Intended:
        found, kind = destination.records.get(pairs.get(record.key, "")), KINDS[record.kind]
        if found is None or not kind.activity or is_begun(record, found, destination):
            return record
        return record.with_body(kind.switched(record.body, kind.switches(found.body)))

    return tuple(map(one, records))


def firing_schedules(records: Iterable[Record]) -> int:
    """How many schedules of some records start runs."""
    return sum(len(list(KINDS[record.kind].firing(record.body))) for record in records)
