"""Compares a bundle with a destination and says what is to be done. Pure.

Every record of the bundle gets exactly one action, with a reason from the
closed list ``REASONS``. Resources that only the destination has are not
looked at.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec

from bundle.environment.describe import Environment
from bundle.kinds import KINDS
from bundle.model import Key
from bundle.plan.actions import Action, Difference, Plan
from bundle.plan.capabilities import ANY_FIELDS, Fields, Offered
from bundle.plan.choices import DEFAULT, Choices
from bundle.plan.differences import differences_of, is_within
from bundle.plan.intended import Intended
from bundle.plan.matching import begun, continued, match_outside
from bundle.plan.merge import regions_of
from bundle.plan.secret_values import NOTHING_SUPPLIED, SecretValues
from bundle.plan.updating import secret_differences, updated
from bundle.record.canonical import encode
from bundle.record.pointers import join
from bundle.record.references import NIL_ID
from bundle.server.tiers import LARGEST_REQUEST_BYTES, Tier


class Present(msgspec.Struct, frozen=True):
    """A destination as it is: all that it has, what its version takes, and what its secrets really are.

    ``is_cloud`` is None where it does not matter what the destination could hold.
    """

    environment: Environment
    is_cloud: bool | None = False
    fields: Fields = ANY_FIELDS
    secrets: SecretValues = NOTHING_SUPPLIED


class View(msgspec.Struct, frozen=True):
    """How closely to compare.

    ``is_deep``: the destination was read deeply, so fields only then known count. ``is_two_way``: what a resource keeps
    that only the destination has (``Kind.wanted``) is a difference, too.
    """

    is_deep: bool = False
    is_two_way: bool = False


def compare(
    records: Sequence[Intended],
    pairs: Mapping[Key, Key],
    present: Present,
    *,
    choices: Choices = DEFAULT,
    chosen: frozenset[Key] | None = None,
    external: Iterable[Key] = (),
    view: View = View(),  # noqa: B008 - frozen
) -> Plan:
    """Plan what to do so that the destination holds what is intended.

    Args:
        records: in wave order.
        pairs: the destination's key of each record that it has (``matching.match``).
        present: the destination.
        choices: what to do about conflicts and missing secrets, and what the plan of a Cloud workspace allows.
        chosen: the keys of the records to act on; None for all.
        external: keys that the records refer to, and that only the destination can have.
        view: how closely to compare.

    Returns:
        One action for each record; nothing has been written anywhere.
    """
    there = present.environment
    outside = match_outside(external, there)
    ids = {key: there.ids[found] for key, found in {**pairs, **outside}.items()}
    unfinished = begun(records, pairs, there)
    open_pairs = continued(records, pairs, unfinished, there) | outside
    actions: dict[Key, Action] = {}
    for record in records:
        if chosen is not None and record.key not in chosen:
            actions[record.key] = Action(record.key, record.kind, "skip", "not-selected", ids.get(record.key))
        elif record.key in open_pairs:
            actions[record.key] = _of_existing(record, open_pairs, unfinished, present, choices, view)
        else:
            actions[record.key] = _of_missing(record, present, choices)
    missing = [key for key in external if key not in outside]
    whole = _with_dropped(_block(records, actions, missing, choices.tier, there), records)
    return Plan(tuple(whole), {key: ids[key] for key in outside})


def _with_dropped(actions: Iterable[Action], records: Iterable[Intended]) -> Iterator[Action]:
    for action, record in zip(actions, records, strict=True):
        is_named = record.dropped and action.reason != "not-selected"
        yield msgspec.structs.replace(action, dropped=record.dropped) if is_named else action


def _of_existing(
    record: Intended,
    pairs: Mapping[Key, Key],
    unfinished: frozenset[str],
    present: Present,
    choices: Choices,
    view: View,
) -> Action:
    found = present.environment.records[pairs[record.key]]
    identifier = present.environment.ids[found.key]
    plain = tuple(differences_of(record, found, pairs, is_deep=view.is_deep, is_two_way=view.is_two_way))
    differences = (*plain, *secret_differences(record, identifier, plain, present.secrets))
    action = _existing(record, identifier, differences, unfinished, present.secrets)
    if choices.conflicts.policy(record.kind) != "update":
        return action
    offered = Offered(present.fields, present.environment.rows)
    return updated(action, record, found, differences, present.secrets, offered)


def _existing(
    record: Intended,
    identifier: str,
    differences: tuple[Difference, ...],
    unfinished: frozenset[str],
    secrets: SecretValues,
) -> Action:
    action = Action(record.key, record.kind, "skip", "exists-same", identifier)
    if identifier in unfinished and differences:
        return msgspec.structs.replace(action, verb="complete", reason="completed")
    marked = secrets.marked(record, identifier)
    if any(slot in secrets.supplied for slot in marked):
        return msgspec.structs.replace(action, verb="fill", reason="secret-filled")
    if differences:
        action = msgspec.structs.replace(action, reason="exists-differs", differences=differences)
    return msgspec.structs.replace(action, missing_secrets=marked)


def _of_missing(record: Intended, present: Present, choices: Choices) -> Action:
    action = Action(record.key, record.kind, "create", "created")
    kind = KINDS[record.kind]
    hidden = "unreadable" if present.environment.unseen.may_be(record.kind, own_name(record)) else None
    unfit = record.refused or hidden
    if present.is_cloud is not None:
        unfit = kind.unfit(record.body, is_cloud=present.is_cloud) or unfit
    if unfit:
        return msgspec.structs.replace(action, verb="unsupported", reason=unfit, detail=_about_name(record))
    if limit := kind.beyond(record.body, choices.tier):
        return msgspec.structs.replace(action, verb="unsupported", reason="tier-limit", detail=limit)
    if present.is_cloud and (size := _size(record)) > LARGEST_REQUEST_BYTES:
        return msgspec.structs.replace(action, verb="unsupported", reason="too-large", detail=f"{size} bytes")
    lacking = present.secrets.lacking(record)
    if lacking and choices.missing_secrets == "skip":
        return msgspec.structs.replace(action, verb="unsupported", reason="secret-missing", missing_secrets=lacking)
    if lacking:
        return msgspec.structs.replace(action, reason="created-without-secret", missing_secrets=lacking)
    return action


def _about_name(record: Intended) -> str:
    """The rule for names, and the way out, where it is the name that a destination does not take."""
    kind = KINDS[record.kind]
    is_name = join(kind.name_field or "") in record.dropped
    return f"{kind.name_rule}; give it another name with --map '{record.key}=NAME'" if is_name else ""


def own_name(record: Intended) -> str | None:
    """What the destination would call it; None where it has no name of its own."""
    name = record.body.get(KINDS[record.kind].name_field or "")
    # An id in a name is another one there.
    is_whole = isinstance(name, str) and not any(
        each.pointer == join(KINDS[record.kind].name_field or "") for each in record.references
    )
    return name if is_whole else None


def _size(record: Intended) -> int:
    """The bytes that it takes to send a record with all its ids."""
    return len(encode(record.body)) + len(NIL_ID) * len(record.references)


def _block(
    records: Sequence[Intended],
    actions: Mapping[Key, Action],
    missing: Iterable[Key],
    tier: Tier,
    destination: Environment,
) -> Iterator[Action]:
    """The actions, with those blocked that need something which will not be there, and those that find no room."""
    actions = {record.key: _like_its_whole(record, actions) for record in records}
    absent = {key for key, action in actions.items() if _stays_away(action)} | set(missing)
    room = _room(tier, destination)
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
                limit = f"the {tier.name} tier allows {KINDS[record.kind].most(tier)} {record.kind}s"
                action = msgspec.structs.replace(action, verb="unsupported", reason="tier-limit", detail=limit)
        elif action.verb == "update" and (waits_for := tuple(sorted(absent & needs(record, action)))):
            action = msgspec.structs.replace(action, verb="blocked", reason="waits-for", waits_for=waits_for)
        yield action


def _like_its_whole(record: Intended, actions: Mapping[Key, Action]) -> Action:
    """The action of a record; where what it is a part of cannot be, neither can it."""
    action, whole = actions[record.key], actions.get(parent_of(record) or "")
    if action.verb == "create" and whole is not None and whole.verb == "unsupported":
        return msgspec.structs.replace(action, verb="unsupported", reason=whole.reason, detail=whole.detail)
    return action


def _room(tier: Tier, destination: Environment) -> dict[str, int]:
    """How many more of each limited kind a tier allows."""
    held = Counter(record.kind for record in destination.records.values())
    limits = {name: kind.most(tier) for name, kind in KINDS.items()}
    return {name: most - held[name] for name, most in limits.items() if most is not None}


def _stays_away(action: Action) -> bool:
    return action.verb == "unsupported" or (action.reason == "not-selected" and action.id is None)


def parent_of(record: Intended) -> Key | None:
    """What a record is a part of, and nothing without; None for what can be by itself."""
    kind = KINDS[record.kind]
    owner = (each.target for each in record.references if each.pointer == f"/{kind.parent_field}")
    return next(owner, None) if kind.is_part else None


def needs(record: Intended, action: Action) -> frozenset[Key]:
    """What must be there for an action: all that a record refers to, or what is where an update writes."""
    if action.verb != "update":
        return frozenset(each.target for each in record.references)
    places = regions_of(KINDS[record.kind], [each.pointer for each in action.to_write])
    return frozenset(
        each.target
        for each in record.references
        if any(is_within(each.pointer, place) or is_within(place, each.pointer) for place in places)
    )
