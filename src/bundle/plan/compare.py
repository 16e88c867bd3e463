"""Compares a bundle with a destination and says what is to be done. Pure.

Every record of the bundle gets exactly one action, with a reason from the
closed list ``REASONS``. Resources that only the destination has are not
looked at.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec

from bundle.environment.describe import Environment, identity
from bundle.kinds import KINDS
from bundle.model import Key, Placed, Pointer, Record
from bundle.plan.actions import SKIP, Action, Conflicts, Difference, Plan, Secrets
from bundle.plan.capabilities import ANY_FIELDS, Fields, Offered
from bundle.plan.compatibility import UNFITTED, Fit
from bundle.plan.differences import differences_of, is_within
from bundle.plan.matching import mark, match
from bundle.plan.merge import regions_of
from bundle.record.canonical import encode
from bundle.record.pointers import join, resolve, split, stands
from bundle.record.references import NIL_ID
from bundle.server.tiers import ANY_TIER, LARGEST_REQUEST_BYTES, Tier


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
        by_name[identity(key, KINDS[record.kind])].append(key)
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
        if raw is not None and KINDS[record.kind].is_pending(raw, record.body, mark(record), begun.__contains__):
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
        if found is not None and (not is_begun or KINDS[record.kind].continues(record.body, found.body)):
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
    unfit = KINDS[record.kind].unfit(record.body, is_cloud=is_cloud) or fitted.refused.get(record.key)
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
    places = regions_of(KINDS[record.kind], [_unmarked(place) for place in action.places])
    return frozenset(
        each.target
        for each in record.references
        if any(is_within(each.pointer, place) or is_within(place, each.pointer) for place in places)
    )


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
        or not KINDS[record.kind].can_change(each.pointer, is_removal=each.bundle is None, raw=raw, at=offered)
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
        region = join(tokens[0]) if tokens[0] in KINDS[record.kind].unordered else difference.pointer
    slots = [each for each in record.secrets if is_within(each.pointer, region)]
    held = [each for each in found.secrets if is_within(each.pointer, region)]
    if not is_shown or not slots:
        return bool(slots or held)
    return any(each.slot not in secrets.supplied for each in slots)


def _unmarked(place: Pointer) -> Pointer:
    return place.replace("\x00", "")
