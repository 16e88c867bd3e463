"""Compares a bundle with a destination and says what is to be done. Pure.

Every record of the bundle gets exactly one action, with a reason from the
closed list ``REASONS``. Resources that only the destination has are not
looked at.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Literal

import msgspec

from bundle.canonical import encode, join, replace_all, stands
from bundle.environment import Environment, identity
from bundle.kinds import KINDS
from bundle.kinds.base import Kind
from bundle.model import Body, Json, Key, Placed, Pointer, Record
from bundle.references import put_back
from bundle.secrets import still_marked

REASONS: Mapping[str, str] = {
    "created": "it was missing and has been made",
    "created-without-secret": "it has been made; a marker stands where a secret was not supplied",
    "completed": "an earlier run had begun it; it is now whole",
    "secret-filled": "a supplied secret took the place of the marker that an earlier run had left",
    "exists-same": "the destination has it, with the same content",
    "exists-differs": "the destination has it, with other content, which was left alone",
    "exists-now": "somebody else made it while the import ran; it was left alone",
    "push-pool": "push work pools exist only on Prefect Cloud",
    "managed-pool": "managed work pools are never transferred",
    "not-offered": "the destination does not offer this kind of resource",
    "tier-limit": "the destination's plan allows no more of these",
    "secret-missing": "a secret of it was not supplied, and such resources are to be skipped",
    "waits-for": "something that it needs is not at the destination",
    "rejected": "the destination refused it",
    "denied": "the destination does not permit it with these credentials",
    "unreachable": "the destination did not answer",
    "not-tried": "the run ended before its turn",
}

_ONE_EACH = 2

Verb = Literal["create", "complete", "fill", "skip", "unsupported", "blocked"]


class Difference(msgspec.Struct, frozen=True):
    """One place where bundle and destination differ; None where one side has nothing."""

    pointer: Pointer
    bundle: Json
    destination: Json


class Action(msgspec.Struct, frozen=True):
    """What is to be done with one record.

    ``id`` is the destination's, where it has the resource; ``waits_for`` names
    what a blocked record needs.
    """

    key: Key
    kind: str
    verb: Verb
    reason: str
    id: str | None = None
    differences: tuple[Difference, ...] = ()
    waits_for: tuple[Key, ...] = ()
    missing_secrets: tuple[str, ...] = ()


class Plan(msgspec.Struct, frozen=True):
    """One action a record, in the order of the bundle."""

    actions: tuple[Action, ...]


class Secrets(msgspec.Struct, frozen=True):
    """Supplied secret values by slot, what to do without, and what existing blocks really hold."""

    supplied: Mapping[str, Json] = {}
    missing: Literal["placeholder", "skip", "fail"] = "placeholder"
    revealed: Mapping[str, Body] = {}
    """Real bodies by id of existing resources that the bundle has slots for, as far as the destination shows them."""

    def marked(self, record: Record, identifier: str) -> tuple[str, ...]:
        """The slots in which an existing resource still holds our marker, as far as that was revealed."""
        body = self.revealed.get(identifier)
        return () if body is None else tuple(each.slot for each in record.secrets if still_marked(body, each))

    def lacking(self, record: Record) -> tuple[str, ...]:
        """The slots of a record that nobody supplied."""
        return tuple(each.slot for each in record.secrets if each.slot not in self.supplied)


def mark(record: Record) -> str:
    """The mark that an unfinished resource carries. It holds the record's digest, so no record can contain its own."""
    return f"xfer:pending:{record.digest[:16]}"


# Matching


def match(records: Sequence[Record], destination: Environment) -> dict[Key, Key]:
    """Which of the destination's keys each of the bundle's keys stands for.

    Kinds without unique names are paired inside one name: first what an
    earlier run began, then what is equal, then the rest in order. So an edited
    twin is recognised, and never made a second time.
    """
    matched = {record.key: record.key for record in records if record.key in destination.records}
    ours: dict[Key, list[Record]] = defaultdict(list)
    theirs: dict[Key, list[Record]] = defaultdict(list)
    for record in records:
        if not _kind(record).unique_names:
            ours[identity(record.key, _kind(record))].append(record)
            matched.pop(record.key, None)
    for record in destination.records.values():
        if not _kind(record).unique_names:
            theirs[identity(record.key, _kind(record))].append(record)
    for name, group in ours.items():
        matched |= _pair(group, theirs.get(name, []), destination)
    return matched


def _kind(record: Record) -> Kind:
    return KINDS[record.kind]


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

    plain = {each.key: _by_identity(each) for each in theirs} if len(ours) + len(theirs) > _ONE_EACH else {}
    take(lambda record, found: _began(record, found, destination))
    if plain:
        wanted = {each.key: _by_identity(each) for each in ours}
        take(lambda record, found: wanted[record.key] == plain[found.key])
    take(lambda _record, _found: True)
    return pairs


def _began(record: Record, found: Record, destination: Environment) -> bool:
    raw = destination.rows[destination.ids[found.key]]
    return _kind(record).is_pending(raw, record.body, mark(record), lambda _: False)


def _by_identity(record: Record) -> bytes:
    return encode(_comparable(record, lambda key: identity(key, KINDS[key.partition(":")[0]]), ()))


def _comparable(
    record: Record, rename: Callable[[Key], Key], blank: Iterable[Pointer], *, is_deep: bool = False
) -> Body:
    """The body with keys in place of ids, and nothing in secret places."""
    kind = _kind(record)
    hidden = frozenset() if is_deep else kind.deep_fields
    references = [each for each in record.references if each.pointer.split("/")[1] not in hidden]
    body = {name: value for name, value in record.body.items() if name not in hidden}
    secret = [each.pointer for each in record.secrets]
    body = replace_all(body, {place: None for place in (*secret, *blank) if stands(body, place)})
    return put_back(kind.comparable(body), references, lambda each: f"\x00{rename(each.target)}\x00")


# Planning


def compare(
    records: Sequence[Placed], destination: Environment, *, is_cloud: bool, secrets: Secrets, is_deep: bool = False
) -> Plan:
    """Plan what to do so that the destination holds the bundle.

    Args:
        records: the bundle's records in wave order.
        destination: all that the destination has.
        is_cloud: whether the destination is a Prefect Cloud workspace.
        secrets: what was supplied, and what existing resources really hold.
        is_deep: the destination was read deeply, so fields only then known count.

    Returns:
        One action for each record; nothing has been written anywhere.
    """
    plain = [placed.record for placed in records]
    pairs = match(plain, destination)
    ids = {key: destination.ids[found] for key, found in pairs.items()}
    begun = _begun(plain, ids, destination)
    actions: dict[Key, Action] = {}
    for record in plain:
        if record.key in pairs:
            differences = tuple(differences_of(record, destination.records[pairs[record.key]], pairs, is_deep=is_deep))
            actions[record.key] = _existing(record, ids[record.key], differences, begun, secrets)
        else:
            actions[record.key] = _missing(record, is_cloud=is_cloud, secrets=secrets)
    return Plan(tuple(_block(plain, actions)))


def _begun(records: Iterable[Record], ids: Mapping[Key, str], destination: Environment) -> frozenset[str]:
    """Ids of resources that an earlier run made and did not finish."""
    begun: set[str] = set()
    for record in records:
        raw = destination.rows.get(ids.get(record.key, ""))
        if raw is not None and _kind(record).is_pending(raw, record.body, mark(record), begun.__contains__):
            begun.add(ids[record.key])
    return frozenset(begun)


def _existing(
    record: Record, identifier: str, differences: tuple[Difference, ...], begun: frozenset[str], secrets: Secrets
) -> Action:
    action = Action(record.key, record.kind, "skip", "exists-same", identifier)
    if identifier in begun and differences:
        return msgspec.structs.replace(action, verb="complete", reason="completed")
    marked = secrets.marked(record, identifier)
    if any(slot in secrets.supplied for slot in marked):
        return msgspec.structs.replace(action, verb="fill", reason="secret-filled")
    if differences:
        action = msgspec.structs.replace(action, reason="exists-differs", differences=differences)
    return msgspec.structs.replace(action, missing_secrets=marked)


def _missing(record: Record, *, is_cloud: bool, secrets: Secrets) -> Action:
    action = Action(record.key, record.kind, "create", "created")
    unfit = _kind(record).unfit(record.body, is_cloud=is_cloud)
    if unfit:
        return msgspec.structs.replace(action, verb="unsupported", reason=unfit)
    lacking = secrets.lacking(record)
    if lacking and secrets.missing == "skip":
        return msgspec.structs.replace(action, verb="unsupported", reason="secret-missing", missing_secrets=lacking)
    if lacking:
        return msgspec.structs.replace(action, reason="created-without-secret", missing_secrets=lacking)
    return action


def _block(records: Iterable[Record], actions: Mapping[Key, Action]) -> Iterator[Action]:
    """The actions, with those blocked that need something which will not be there."""
    absent = {key for key, action in actions.items() if action.verb == "unsupported"}
    for record in records:
        action = actions[record.key]
        waits_for = tuple(sorted({each.target for each in record.references if each.target in absent}))
        if action.verb == "create" and waits_for:
            absent.add(record.key)
            action = msgspec.structs.replace(action, verb="blocked", reason="waits-for", waits_for=waits_for)
        yield action


def differences_of(record: Record, found: Record, pairs: Mapping[Key, Key], *, is_deep: bool) -> Iterator[Difference]:
    ours = _comparable(
        record, lambda key: pairs.get(key, key), [each.pointer for each in found.secrets], is_deep=is_deep
    )
    theirs = _comparable(found, lambda key: key, [each.pointer for each in record.secrets], is_deep=is_deep)
    if encode(ours) != encode(theirs):
        yield from _between(ours, theirs, ())


def _between(ours: Json, theirs: Json, path: tuple[str, ...]) -> Iterator[Difference]:
    if isinstance(ours, dict) and isinstance(theirs, dict):
        for name in sorted({*ours, *theirs}):
            yield from _between(ours.get(name), theirs.get(name), (*path, name))
    elif isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        for position, (one, other) in enumerate(zip(ours, theirs, strict=True)):
            yield from _between(one, other, (*path, str(position)))
    elif ours != theirs or type(ours) is not type(theirs):
        yield Difference(join(*path), _shown(ours), _shown(theirs))


def _shown(value: Json) -> Json:
    """A value with the marks around keys taken off."""
    if isinstance(value, str):
        return value.replace("\x00", "")
    if isinstance(value, dict):
        return {_shown(name): _shown(item) for name, item in value.items()}
    return [_shown(item) for item in value] if isinstance(value, list) else value
