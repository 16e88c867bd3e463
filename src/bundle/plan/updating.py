"""What an update of an existing resource writes, and what it leaves, lest a live secret is lost. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from bundle.kinds import KINDS
from bundle.model import Record
from bundle.plan.actions import Action, Difference
from bundle.plan.capabilities import Offered
from bundle.plan.differences import is_within
from bundle.plan.intended import Intended
from bundle.plan.secret_values import SecretValues
from bundle.record.canonical import encode
from bundle.record.pointers import exists, join, resolve, split


def secret_differences(
    record: Intended, identifier: str, differences: Sequence[Difference], secrets: SecretValues
) -> Iterator[Difference]:
    """The slots whose supplied value is not the live one, as far as that is known."""
    live = secrets.revealed.get(identifier)
    for each in record.secrets if live is not None else ():
        is_named = any(is_within(each.pointer, other.pointer) for other in differences)
        if each.slot in secrets.supplied and not is_named:
            held = resolve(live, each.pointer) if exists(live, each.pointer) else None
            if encode(held) != encode(secrets.supplied[each.slot]):
                yield Difference(each.pointer, None, None, is_secret=True)


def updated(
    action: Action,
    record: Intended,
    found: Record,
    differences: tuple[Difference, ...],
    secrets: SecretValues,
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


def _is_held(difference: Difference, record: Intended, found: Record, secrets: SecretValues, *, is_shown: bool) -> bool:
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
