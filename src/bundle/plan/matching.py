"""Finds which resource of a destination each record of a bundle corresponds to. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial

import msgspec

from bundle.environment.describe import Environment
from bundle.environment.keys import identity
from bundle.kinds import KINDS
from bundle.model import Key, Record
from bundle.plan.differences import by_name
from bundle.plan.intended import Intended

_ONE_EACH = 2


def match(records: Sequence[Intended], destination: Environment) -> dict[Key, Key]:
    """Which of the destination's keys each of the bundle's keys corresponds to.

    Kinds without unique names are paired inside one name: first what an
    earlier run began, then what is equal, then what is equal but for being
    switched on or off, then the rest in order. So an edited twin is
    recognised, and never created a second time. What has no name is known by the
    one that was made up for it, else by its content.
    """
    matched = {record.key: record.key for record in records if record.key in destination.records}
    by_made_up_name = _by_made_up_name(records, destination)
    ours: dict[Key, list[Intended]] = defaultdict(list)
    theirs: dict[Key, list[Record]] = defaultdict(list)
    for record in records:
        if not KINDS[record.kind].unique_names:
            matched.pop(record.key, None)
            if record.key not in by_made_up_name:
                ours[identity(record.key)].append(record)
    taken = set(by_made_up_name.values())
    for found in destination.records.values():
        if not KINDS[found.kind].unique_names and found.key not in taken:
            theirs[identity(found.key)].append(found)
    for name, group in ours.items():
        matched |= _pair(group, theirs.get(name, []), destination)
    return matched | by_made_up_name


def _by_made_up_name(records: Sequence[Intended], destination: Environment) -> dict[Key, Key]:
    names = {(each.kind, name): each.key for each in records if (name := each.made_up_name) is not None}
    found = {}
    for record in destination.records.values() if names else ():
        key = names.get((record.kind, str(destination.rows[destination.ids[record.key]].get("name"))))
        if key is not None:
            found[key] = record.key
    return found


def _pair(ours: list[Intended], theirs: list[Record], destination: Environment) -> dict[Key, Key]:
    pairs: dict[Key, Key] = {}
    free = {record.key: record for record in theirs}

    def take(is_match: Callable[[Intended, Record], bool]) -> None:
        for record in ours:
            if record.key not in pairs:
                found = next((each for each in free.values() if is_match(record, each)), None)
                if found is not None:
                    pairs[record.key] = found.key
                    del free[found.key]

    take(lambda record, found: is_begun(record, found, destination))
    if len(ours) + len(theirs) > _ONE_EACH:
        equal = {each.key: by_name(each) for each in ours}, {each.key: by_name(each) for each in theirs}
        take(partial(_agree, *equal))
        if KINDS[ours[0].kind].activity:
            off = {each.key: _off(each) for each in ours}, {each.key: _off(each) for each in theirs}
            take(partial(_agree, *off))
    take(lambda _record, _found: True)
    return pairs


def _off(record: Intended | Record) -> bytes:
    """The same as ``by_name``, of a resource with everything switched off."""
    kind = KINDS[record.kind]
    body = kind.switched(record.body, dict.fromkeys(kind.switches(record.body), False))
    return by_name(msgspec.structs.replace(record, body=body))


def _agree(ours: Mapping[Key, bytes], theirs: Mapping[Key, bytes], record: Intended, found: Record) -> bool:
    return ours[record.key] == theirs[found.key]


def is_begun(record: Intended, found: Record, destination: Environment) -> bool:
    """Whether an earlier run made what was found for a record, and did not finish it."""
    raw = destination.rows[destination.ids[found.key]]
    return KINDS[record.kind].is_pending(raw, record.body, record.mark, lambda _: False)


def are_equal(record: Intended, found: Record) -> bool:
    """Whether two describe the same, as far as their references can be compared by name."""
    return by_name(record) == by_name(found)


def begun(records: Iterable[Intended], pairs: Mapping[Key, Key], destination: Environment) -> frozenset[str]:
    """Ids of resources that an earlier run created and did not finish."""
    found: set[str] = set()
    for record in records:
        identifier = destination.ids.get(pairs.get(record.key, ""), "")
        raw = destination.rows.get(identifier)
        if raw is not None and KINDS[record.kind].is_pending(raw, record.body, record.mark, found.__contains__):
            found.add(identifier)
    return frozenset(found)


def continued(
    records: Iterable[Intended], pairs: Mapping[Key, Key], unfinished: frozenset[str], destination: Environment
) -> dict[Key, Key]:
    """The pairs without those in which something else was begun under the record's name."""
    kept: dict[Key, Key] = {}
    for record in records:
        found = destination.records.get(pairs.get(record.key, ""))
        is_unfinished = found is not None and destination.ids[found.key] in unfinished
        if found is not None and (not is_unfinished or KINDS[record.kind].continues(record.body, found.body)):
            kept[record.key] = found.key
    return kept


def match_outside(external: Iterable[Key], destination: Environment) -> dict[Key, Key]:
    """The destination's keys of what the bundle does not hold: the same one, or the only one of that name."""
    by_identity: dict[Key, list[Key]] = defaultdict(list)
    for key in destination.records:
        by_identity[identity(key)].append(key)
    found: dict[Key, Key] = {}
    for key in external:
        alike = by_identity.get(identity(key), [])
        if key in destination.records or len(alike) == 1:
            found[key] = key if key in destination.records else alike[0]
    return found
