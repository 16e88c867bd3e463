"""Finds which resource of a destination each record of a bundle stands for. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial

import msgspec

from bundle.environment.describe import Environment, identity
from bundle.kinds import KINDS
from bundle.model import Body, Key, Pointer, Record
from bundle.record.canonical import encode
from bundle.record.pointers import replace_all, stands
from bundle.record.references import put_back

_ONE_EACH = 2


def mark(record: Record) -> str:
    """The mark that an unfinished resource carries. It holds the record's digest, so no record can contain its own."""
    return f"xfer:pending:{record.digest[:16]}"


def made_up_name(record: Record) -> str | None:
    """The name under which a resource is made that has none of its own."""
    return KINDS[record.kind].made_up_name(record.body, mark(record))


def is_marked_first(record: Record) -> bool:
    """Whether a resource is made in another form first, with its mark."""
    return KINDS[record.kind].pending(record.body, mark(record)) != record.body


def match(records: Sequence[Record], destination: Environment) -> dict[Key, Key]:
    """Which of the destination's keys each of the bundle's keys stands for.

    Kinds without unique names are paired inside one name: first what an
    earlier run began, then what is equal, then what is equal but for being
    switched on or off, then the rest in order. So an edited twin is
    recognised, and never made a second time. What has no name is known by the
    one that was made up for it, else by its content.
    """
    matched = {record.key: record.key for record in records if record.key in destination.records}
    by_made_up_name = _by_made_up_name(records, destination)
    ours: dict[Key, list[Record]] = defaultdict(list)
    theirs: dict[Key, list[Record]] = defaultdict(list)
    for record in records:
        if not KINDS[record.kind].unique_names:
            matched.pop(record.key, None)
            if record.key not in by_made_up_name:
                ours[identity(record.key, KINDS[record.kind])].append(record)
    taken = set(by_made_up_name.values())
    for record in destination.records.values():
        if not KINDS[record.kind].unique_names and record.key not in taken:
            theirs[identity(record.key, KINDS[record.kind])].append(record)
    for name, group in ours.items():
        matched |= _pair(group, theirs.get(name, []), destination)
    return matched | by_made_up_name


def _by_made_up_name(records: Sequence[Record], destination: Environment) -> dict[Key, Key]:
    names = {(each.kind, name): each.key for each in records if (name := made_up_name(each)) is not None}
    found = {}
    for record in destination.records.values() if names else ():
        key = names.get((record.kind, str(destination.rows[destination.ids[record.key]].get("name"))))
        if key is not None:
            found[key] = record.key
    return found


def _pair(ours: list[Record], theirs: list[Record], destination: Environment) -> dict[Key, Key]:
    pairs: dict[Key, Key] = {}
    free = {record.key: record for record in theirs}

    def take(is_match: Callable[[Record, Record], bool]) -> None:
        for record in ours:
            if record.key not in pairs:
                found = next((each for each in free.values() if is_match(record, each)), None)
                if found is not None:
                    pairs[record.key] = found.key
                    del free[found.key]

    take(lambda record, found: is_begun(record, found, destination))
    if len(ours) + len(theirs) > _ONE_EACH:
        for form in (_by_identity, _off_by_identity) if KINDS[ours[0].kind].activity else (_by_identity,):
            take(partial(_agree, {each.key: form(each) for each in ours}, {each.key: form(each) for each in theirs}))
    take(lambda _record, _found: True)
    return pairs


def _agree(ours: Mapping[Key, bytes], theirs: Mapping[Key, bytes], record: Record, found: Record) -> bool:
    return ours[record.key] == theirs[found.key]


def is_begun(record: Record, found: Record, destination: Environment) -> bool:
    """Whether an earlier run made what was found for a record, and did not finish it."""
    raw = destination.rows[destination.ids[found.key]]
    return KINDS[record.kind].is_pending(raw, record.body, mark(record), lambda _: False)


def switched_off(record: Record) -> Record:
    """The record, still known by its digest, with everything in its body switched off."""
    kind = KINDS[record.kind]
    off = dict.fromkeys(kind.switches(record.body), False)
    return msgspec.structs.replace(record, body=kind.switched(record.body, off)) if off else record


def are_equal(record: Record, found: Record) -> bool:
    """Whether two records describe the same, as far as their references can be told by name."""
    return _by_identity(record) == _by_identity(found)


def _by_identity(record: Record) -> bytes:
    return encode(comparable(record, lambda key: identity(key, KINDS[key.partition(":")[0]]), ()))


def _off_by_identity(record: Record) -> bytes:
    return _by_identity(switched_off(record))


def comparable(
    record: Record, rename: Callable[[Key], Key], blank: Iterable[Pointer], *, is_deep: bool = False
) -> Body:
    """The body with keys in place of ids, and nothing in secret places."""
    kind = KINDS[record.kind]
    hidden = frozenset() if is_deep else kind.deep_fields
    references = [each for each in record.references if each.pointer.split("/")[1] not in hidden]
    body = {name: value for name, value in record.body.items() if name not in hidden}
    secret = [each.pointer for each in record.secrets]
    body = replace_all(body, {place: None for place in (*secret, *blank) if stands(body, place)})
    return kind.comparable(put_back(body, references, lambda each: f"\x00{rename(each.target)}\x00"))
