"""Compares a bundle with a destination and says what is to be done. Pure.

Every record of the bundle gets exactly one action, with a reason from the
closed list ``REASONS``. Resources that only the destination has are not
looked at.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Literal

import msgspec

from bundle.canonical import encode, join, replace_all, resolve, split, stands
from bundle.destination import ANY_FIELDS, Fields, Offered
from bundle.environment import Environment, identity
from bundle.fit import UNFITTED, Fit
from bundle.kinds import KINDS
from bundle.kinds.base import Kind
from bundle.model import Body, Json, Key, Placed, Pointer, Record
from bundle.references import NIL_ID, put_back
from bundle.secrets import still_marked
from bundle.tiers import ANY_TIER, LARGEST_REQUEST_BYTES, Tier
from bundle.update import regions_of

REASONS: Mapping[str, str] = {
    "created": "it was missing and has been made",
    "created-without-secret": "it has been made; a marker stands where a secret was not supplied",
    "completed": "another run had begun it; it is now whole",
    "secret-filled": "a supplied secret took the place of the marker that an earlier run had left",
    "exists-same": "the destination has it, with the same content",
    "exists-differs": "the destination has it, with other content, which was left alone",
    "updated": "it had other content, and has been given that of the bundle",
    "updated-partly": "it has been given the content of the bundle, but for places that cannot be changed",
    "unchangeable": "it differs only in places that cannot be changed, and was left alone",
    "exists-now": "somebody else made it while the import ran; it was left alone",
    "not-selected": "the selection leaves it out",
    "push-pool": "push work pools exist only on Prefect Cloud",
    "managed-pool": "managed work pools are never transferred",
    "cloud-only": "it uses an action or trigger that only Prefect Cloud offers",
    "not-offered": "the destination does not offer this kind of resource",
    "not-held": "the destination's version cannot hold it",
    "tier-limit": "the Prefect Cloud plan of the destination does not allow it: choose a higher one, or make room",
    "too-large": "it is larger than a request to Prefect Cloud may be",
    "secret-missing": "a secret of it was not supplied, and such resources are to be skipped",
    "waits-for": "something that it needs is not at the destination",
    "rejected": "the destination refused it",
    "denied": "the destination does not permit it with these credentials",
    "unreachable": "the destination did not answer",
    "not-tried": "the run ended before its turn",
}

_ONE_EACH = 2

Verb = Literal["create", "complete", "fill", "update", "skip", "unsupported", "blocked"]
OnConflict = Literal["skip", "update", "fail"]


class Conflicts(msgspec.Struct, frozen=True):
    """What to do where the destination has a resource with other content, and for which kinds something else."""

    usual: OnConflict = "skip"
    by_kind: Mapping[str, OnConflict] = {}

    def policy(self, kind: str) -> OnConflict:
        """What holds for a kind."""
        return self.by_kind.get(kind, self.usual)

    @property
    def may_update(self) -> bool:
        """Whether any kind is to be updated."""
        return "update" in {self.usual, *self.by_kind.values()}

    def without_refusals(self) -> Conflicts:
        """The same, but for what differs being left alone where it would end the import."""
        eased = {kind: "skip" if policy == "fail" else policy for kind, policy in self.by_kind.items()}
        return Conflicts("skip" if self.usual == "fail" else self.usual, eased)


SKIP = Conflicts()


class Difference(msgspec.Struct, frozen=True):
    """One place where bundle and destination differ; None where one side has nothing.

    ``is_secret``: a supplied secret is not the live one; neither is held here.
    """

    pointer: Pointer
    bundle: Json
    destination: Json
    is_secret: bool = False


class Action(msgspec.Struct, frozen=True):
    """What is to be done with one record.

    ``id`` is the destination's, where it has the resource; ``waits_for`` names
    what a blocked record needs; ``unchangeable`` are those of the differences
    that an update leaves; ``detail`` says more than the reason; ``dropped``
    names places that the destination's version cannot hold, and that are
    neither sent nor compared.
    """

    key: Key
    kind: str
    verb: Verb
    reason: str
    id: str | None = None
    differences: tuple[Difference, ...] = ()
    waits_for: tuple[Key, ...] = ()
    missing_secrets: tuple[str, ...] = ()
    unchangeable: tuple[Pointer, ...] = ()
    detail: str = ""
    dropped: tuple[Pointer, ...] = ()

    @property
    def places(self) -> tuple[Pointer, ...]:
        """The places that an update writes."""
        return tuple(each.pointer for each in self.differences if each.pointer not in self.unchangeable)


class Plan(msgspec.Struct, frozen=True):
    """One action a record, in the order of the bundle.

    ``external`` has the destination's ids of what the bundle refers to and does not hold.
    """

    actions: tuple[Action, ...]
    external: dict[Key, str] = {}


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


def made_up_name(record: Record) -> str | None:
    """The name under which a resource is made that has none of its own."""
    return _kind(record).made_up_name(record.body, mark(record))


def is_marked_first(record: Record) -> bool:
    """Whether a resource is made in another form first, with its mark."""
    return _kind(record).pending(record.body, mark(record)) != record.body


# Matching


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
        if not _kind(record).unique_names:
            matched.pop(record.key, None)
            if record.key not in by_made_up_name:
                ours[identity(record.key, _kind(record))].append(record)
    taken = set(by_made_up_name.values())
    for record in destination.records.values():
        if not _kind(record).unique_names and record.key not in taken:
            theirs[identity(record.key, _kind(record))].append(record)
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

    take(lambda record, found: is_begun(record, found, destination))
    if len(ours) + len(theirs) > _ONE_EACH:
        for form in (_by_identity, _off_by_identity) if _kind(ours[0]).activity else (_by_identity,):
            take(partial(_agree, {each.key: form(each) for each in ours}, {each.key: form(each) for each in theirs}))
    take(lambda _record, _found: True)
    return pairs


def _agree(ours: Mapping[Key, bytes], theirs: Mapping[Key, bytes], record: Record, found: Record) -> bool:
    return ours[record.key] == theirs[found.key]


def is_begun(record: Record, found: Record, destination: Environment) -> bool:
    """Whether an earlier run made what was found for a record, and did not finish it."""
    raw = destination.rows[destination.ids[found.key]]
    return _kind(record).is_pending(raw, record.body, mark(record), lambda _: False)


def switched_off(record: Record) -> Record:
    """The record, still known by its digest, with everything in its body switched off."""
    kind = _kind(record)
    off = dict.fromkeys(kind.switches(record.body), False)
    return msgspec.structs.replace(record, body=kind.switched(record.body, off)) if off else record


def are_equal(record: Record, found: Record) -> bool:
    """Whether two records describe the same, as far as their references can be told by name."""
    return _by_identity(record) == _by_identity(found)


def _by_identity(record: Record) -> bytes:
    return encode(_comparable(record, lambda key: identity(key, KINDS[key.partition(":")[0]]), ()))


def _off_by_identity(record: Record) -> bytes:
    return _by_identity(switched_off(record))


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
    return kind.comparable(put_back(body, references, lambda each: f"\x00{rename(each.target)}\x00"))


# Planning


def compare(
    records: Sequence[Placed],
    destination: Environment,
    *,
    is_cloud: bool,
    secrets: Secrets,
    is_deep: bool = False,
    is_two_way: bool = False,
    chosen: frozenset[Key] | None = None,
    external: Iterable[Key] = (),
    conflicts: Conflicts = SKIP,
    fields: Fields = ANY_FIELDS,
    tier: Tier = ANY_TIER,
    fitted: Fit = UNFITTED,
) -> Plan:
    """Plan what to do so that the destination holds the bundle.

    Args:
        records: the bundle's records in wave order.
        destination: all that the destination has.
        is_cloud: whether the destination is a Prefect Cloud workspace.
        secrets: what was supplied, and what existing resources really hold.
        is_deep: the destination was read deeply, so fields only then known count.
        is_two_way: what a resource keeps that only the destination has (``Kind.wanted``) is a difference, too.
        chosen: the keys of the records to act on; None for all.
        external: keys that the records refer to, and that only the destination can have.
        conflicts: which of those with other content are to be updated.
        fields: what the destination's version takes.
        tier: what the plan of a Cloud workspace allows.
        fitted: what the destination's version cannot hold, and is not in the records.

    Returns:
        One action for each record; nothing has been written anywhere.
    """
    plain = [placed.record for placed in records]
    outside = _outside(external, destination)
    pairs = match(plain, destination) | outside
    ids = {key: destination.ids[found] for key, found in pairs.items()}
    begun = _begun(plain, ids, destination)
    pairs = _continued(plain, pairs, begun, destination)
    offered = Offered(fields, destination.rows)
    actions: dict[Key, Action] = {}
    for record in plain:
        if chosen is not None and record.key not in chosen:
            actions[record.key] = Action(record.key, record.kind, "skip", "not-selected", ids.get(record.key))
        elif record.key in pairs:
            found = destination.records[pairs[record.key]]
            plainly = tuple(differences_of(record, found, pairs, is_deep=is_deep, is_two_way=is_two_way))
            differences = (*plainly, *_secret_differences(record, ids[record.key], plainly, secrets))
            action = _existing(record, ids[record.key], differences, begun, secrets)
            is_updated = conflicts.policy(record.kind) == "update"
            actions[record.key] = (
                _updated(action, record, found, differences, secrets, offered) if is_updated else action
            )
        else:
            actions[record.key] = _missing(record, fitted, is_cloud=is_cloud, secrets=secrets, tier=tier)
    missing = [key for key in external if key not in outside]
    whole = _with_dropped(_block(plain, actions, missing, tier, destination), fitted)
    return Plan(tuple(whole), {key: ids[key] for key in outside})


def _with_dropped(actions: Iterable[Action], fitted: Fit) -> Iterator[Action]:
    for action in actions:
        places = () if action.reason == "not-selected" else fitted.dropped.get(action.key, ())
        yield msgspec.structs.replace(action, dropped=places) if places else action


def _outside(external: Iterable[Key], destination: Environment) -> dict[Key, Key]:
    """The destination's keys of what the bundle does not hold: the same one, or the only one of that name."""
    by_name: dict[Key, list[Key]] = defaultdict(list)
    for key, record in destination.records.items():
        by_name[identity(key, _kind(record))].append(key)
    found: dict[Key, Key] = {}
    for key in external:
        kind = KINDS.get(key.partition(":")[0])
        alike = by_name.get(identity(key, kind), []) if kind else []
        if key in destination.records or len(alike) == 1:
            found[key] = key if key in destination.records else alike[0]
    return found


def _begun(records: Iterable[Record], ids: Mapping[Key, str], destination: Environment) -> frozenset[str]:
    """Ids of resources that an earlier run made and did not finish."""
    begun: set[str] = set()
    for record in records:
        raw = destination.rows.get(ids.get(record.key, ""))
        if raw is not None and _kind(record).is_pending(raw, record.body, mark(record), begun.__contains__):
            begun.add(ids[record.key])
    return frozenset(begun)


def _continued(
    records: Iterable[Record], pairs: Mapping[Key, Key], begun: frozenset[str], destination: Environment
) -> dict[Key, Key]:
    """The pairs without those in which something else was begun under the record's name."""
    kept: dict[Key, Key] = {}
    for record in records:
        found = destination.records.get(pairs.get(record.key, ""))
        is_begun = found is not None and destination.ids[found.key] in begun
        if found is not None and (not is_begun or _kind(record).continues(record.body, found.body)):
            kept[record.key] = found.key
    return kept


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


def _missing(record: Record, fitted: Fit, *, is_cloud: bool, secrets: Secrets, tier: Tier) -> Action:
    action = Action(record.key, record.kind, "create", "created")
    unfit = _kind(record).unfit(record.body, is_cloud=is_cloud) or fitted.refused.get(record.key)
    if unfit:
        return msgspec.structs.replace(action, verb="unsupported", reason=unfit)
    if limit := tier.refusal(record.kind, record.body):
        return msgspec.structs.replace(action, verb="unsupported", reason="tier-limit", detail=limit)
    if is_cloud and (size := _size(record)) > LARGEST_REQUEST_BYTES:
        return msgspec.structs.replace(action, verb="unsupported", reason="too-large", detail=f"{size} bytes")
    lacking = secrets.lacking(record)
    if lacking and secrets.missing == "skip":
        return msgspec.structs.replace(action, verb="unsupported", reason="secret-missing", missing_secrets=lacking)
    if lacking:
        return msgspec.structs.replace(action, reason="created-without-secret", missing_secrets=lacking)
    return action


def _size(record: Record) -> int:
    """The bytes that it takes to send a record with all its ids."""
    return len(encode(record.body)) + len(NIL_ID) * len(record.references)


def _block(
    records: Iterable[Record],
    actions: Mapping[Key, Action],
    missing: Iterable[Key],
    tier: Tier,
    destination: Environment,
) -> Iterator[Action]:
    """The actions, with those blocked that need something which will not be there, and those that find no room."""
    absent = {key for key, action in actions.items() if _stays_away(action)} | set(missing)
    room = tier.room(record.kind for record in destination.records.values())
    for record in records:
        action = actions[record.key]
        waits_for = tuple(sorted({each.target for each in record.references if each.target in absent}))
        if action.verb == "create" and waits_for:
            absent.add(record.key)
            action = msgspec.structs.replace(action, verb="blocked", reason="waits-for", waits_for=waits_for)
        elif action.verb == "create" and record.kind in room:
            room[record.kind] -= 1
            if room[record.kind] < 0:
                absent.add(record.key)
                limit = tier.fullness(record.kind)
                action = msgspec.structs.replace(action, verb="unsupported", reason="tier-limit", detail=limit)
        elif action.verb == "update" and (waits_for := tuple(sorted(absent & needs(record, action)))):
            action = msgspec.structs.replace(action, verb="blocked", reason="waits-for", waits_for=waits_for)
        yield action


def _stays_away(action: Action) -> bool:
    return action.verb == "unsupported" or (action.reason == "not-selected" and action.id is None)


def needs(record: Record, action: Action) -> frozenset[Key]:
    """What must be there for an action: all that a record refers to, or what stands where an update writes."""
    if action.verb != "update":
        return frozenset(each.target for each in record.references)
    places = regions_of(_kind(record), [_unmarked(place) for place in action.places])
    return frozenset(
        each.target
        for each in record.references
        if any(is_within(each.pointer, place) or is_within(place, each.pointer) for place in places)
    )


# Updating


def _secret_differences(
    record: Record, identifier: str, differences: Sequence[Difference], secrets: Secrets
) -> Iterator[Difference]:
    """The slots whose supplied value is not the live one, as far as that is known."""
    live = secrets.revealed.get(identifier)
    for each in record.secrets if live is not None else ():
        is_told = any(is_within(each.pointer, other.pointer) for other in differences)
        if each.slot in secrets.supplied and not is_told:
            held = resolve(live, each.pointer) if stands(live, each.pointer) else None
            if encode(held) != encode(secrets.supplied[each.slot]):
                yield Difference(each.pointer, None, None, is_secret=True)


def _updated(
    action: Action,
    record: Record,
    found: Record,
    differences: tuple[Difference, ...],
    secrets: Secrets,
    offered: Offered,
) -> Action:
    """The action where the policy is to update: what differs is written, as far as it can be."""
    if action.verb not in {"skip", "fill"} or not differences:
        return action
    raw = offered.rows[str(action.id)]
    fixed = tuple(
        each.pointer
        for each in differences
        if _is_held(each, record, found, secrets, is_shown=not found.secrets or str(action.id) in secrets.revealed)
        or not _kind(record).can_change(each.pointer, is_removal=each.bundle is None, raw=raw, at=offered)
    )
    changed = msgspec.structs.replace(action, differences=differences, unchangeable=fixed)
    if len(fixed) == len(differences):
        return msgspec.structs.replace(changed, reason="unchangeable")
    lacking = tuple(slot for slot in secrets.marked(record, str(action.id)) if slot not in secrets.supplied)
    reason = "updated-partly" if fixed else "updated"
    return msgspec.structs.replace(changed, verb="update", reason=reason, missing_secrets=lacking)


def _is_held(difference: Difference, record: Record, found: Record, secrets: Secrets, *, is_shown: bool) -> bool:
    """Whether to write a place would need a secret that nobody supplied, or lose one that is live."""
    if difference.is_secret:
        return False
    tokens = split(difference.pointer)
    if not is_shown:
        region = join(*tokens[:2])
    else:
        region = join(tokens[0]) if tokens[0] in _kind(record).unordered else difference.pointer
    slots = [each for each in record.secrets if is_within(each.pointer, region)]
    held = [each for each in found.secrets if is_within(each.pointer, region)]
    if not is_shown or not slots:
        return bool(slots or held)
    return any(each.slot not in secrets.supplied for each in slots)


def is_within(pointer: Pointer, region: Pointer) -> bool:
    """Whether a place is another one, or lies inside it."""
    return pointer == region or pointer.startswith(f"{region}/")


# Comparing


def differences_of(
    record: Record, found: Record, pairs: Mapping[Key, Key], *, is_deep: bool, is_two_way: bool = False
) -> Iterator[Difference]:
    """Where a record and what the destination has for it differ.

    Keys stand in place of ids on both sides; in pointers, marks stand around them (``localized``).
    What only the destination has and keeps is no difference, unless ``is_two_way``.
    """
    ours = _comparable(
        record, lambda key: pairs.get(key, key), [each.pointer for each in found.secrets], is_deep=is_deep
    )
    theirs = _comparable(found, lambda key: key, [each.pointer for each in record.secrets], is_deep=is_deep)
    if not is_two_way:
        ours = _kind(record).wanted(ours, theirs)
    if encode(ours) != encode(theirs):
        yield from between(ours, theirs)


def between(ours: Json, theirs: Json, path: tuple[str, ...] = ()) -> Iterator[Difference]:
    """The places where two values differ."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        for name in sorted({*ours, *theirs}):
            yield from between(ours.get(name), theirs.get(name), (*path, name))
    elif isinstance(ours, list) and isinstance(theirs, list) and _slugs(ours) == _slugs(theirs):
        for position, (one, other) in enumerate(zip(ours, theirs, strict=True)):
            yield from between(one, other, (*path, str(position)))
    elif ours != theirs or type(ours) is not type(theirs):
        yield Difference(join(*path), _shown(ours), _shown(theirs))


def _slugs(items: Sequence[Json]) -> list[Json]:
    """What tells items of a list apart, so that one schedule is not compared with another."""
    return [item.get("slug") if isinstance(item, dict) else None for item in items]


_MARKED = re.compile("\x00([^\x00]*)\x00")


def localized(place: Pointer, id_of: Callable[[Key], str]) -> Pointer:
    """The place of a difference, with ids in member names in which keys stand."""
    return _MARKED.sub(lambda match: id_of(match[1].replace("~1", "/").replace("~0", "~")), place)


def _unmarked(place: Pointer) -> Pointer:
    return place.replace("\x00", "")


def _shown(value: Json) -> Json:
    """A value with the marks around keys taken off."""
    if isinstance(value, str):
        return value.replace("\x00", "")
    if isinstance(value, dict):
        return {_shown(name): _shown(item) for name, item in value.items()}
    return [_shown(item) for item in value] if isinstance(value, list) else value
