"""Takes an import back: deletes what it made and restores what it changed.

Rules:

1. Only what the receipt says this import made is deleted, in reverse order.
2. What was edited since is kept, unless forced; a new name is an edit, too. So is
   what something else at the destination refers to, or what has flow runs, since
   deleting it would take that along or break it.
3. What is kept keeps what it needs.
4. What was updated gets back what it had, at the places that were written;
   before anything is deleted, since it may refer to what the import made.
5. A destination that refuses the credentials (401) or does not answer ends it.
6. Secrets that were supplied are live secrets by now; they are left alone. What was
   created with secrets goes only if nobody can have set one since (``hand_set``).
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Mapping

from bundle.apply.sender import Sender
from bundle.environment.describe import Environment
from bundle.environment.keys import natural_key
from bundle.environment.read import OnEvent, ignore
from bundle.environment.snapshot import read_destination
from bundle.errors import UsageError
from bundle.kinds import KINDS
from bundle.model import Api, Event, Key, Placed, kind_of
from bundle.operations.flow_runs import flow_runs_of
from bundle.operations.hand_set import hand_set
from bundle.operations.receipt import Receipt
from bundle.operations.restore import restore
from bundle.operations.undo import Undone, Writer
from bundle.plan.actions import Action
from bundle.plan.capabilities import ANY_FIELDS, Fields, Offered, read_version
from bundle.plan.compare import Present, View, compare
from bundle.plan.intended import Intended, intend
from bundle.plan.matching import match
from bundle.plan.switches import as_switched


async def roll_back(
    receipt: Receipt,
    api: Api,
    *,
    force: bool = False,
    dry_run: bool = False,
    on_event: OnEvent = ignore,
    stop: asyncio.Event | None = None,
) -> tuple[Undone, ...]:
    """Take back the import of ``receipt``.

    Args:
        receipt: of the import.
        api: the destination that the import went to.
        force: delete, and change back, also what was edited since.
        dry_run: only say what would be done.
        on_event: called after each deletion.
        stop: once set, nothing new is begun.

    Raises:
        UsageError: the receipt is of another destination.
        ServerError: the destination cannot be read.
    """
    if receipt.head.destination != api.url:
        raise UsageError(
            f"the receipt is of an import into {receipt.head.destination}, not into {api.url}",
            hint="name the profile of that destination with --to",
        )
    destination = await read_destination(api, on_event=on_event)
    sender = Sender(api, Fields(version=await read_version(api)), destination.rows, set())
    writer = Writer(sender, stop or asyncio.Event(), dry_run=dry_run)
    restored, destination = await restore(receipt, api, destination, writer, force=force)
    found = _found(receipt, destination)
    edited = {} if force else await _edited(receipt, api, destination, found)
    kept = _kept(receipt, destination, found, edited, await flow_runs_of(found, api))
    ended = await _delete(receipt, found, kept, writer, on_event)
    return (*(ended[record.key] for record in receipt.to_make), *restored)


async def _delete(
    receipt: Receipt, found: Mapping[Key, str], kept: Mapping[Key, Undone], writer: Writer, on_event: OnEvent
) -> dict[Key, Undone]:
    """How each resource ends, of which all that are not kept are deleted, last made first."""
    ended = dict(kept)
    holders: dict[Key, set[Key]] = defaultdict(set)  # by what they need: those that could not be deleted
    for record in reversed(receipt.to_make):
        if record.key not in ended:
            needed_by = tuple(sorted(holders[record.key]))
            ended[record.key] = (
                _needed(record, needed_by) if needed_by else await writer.delete(record, found[record.key])
            )
            on_event(Event("rollback", record.kind, len(ended), len(receipt.to_make)))
        if ended[record.key].state == "failed":
            for reference in record.references:
                holders[reference.target].add(record.key)
    return ended


def _needed(record: Intended, holders: tuple[Key, ...]) -> Undone:
    return Undone(record.key, record.kind, "failed", "still-needed", needed_by=holders)


# Deleting


def _found(receipt: Receipt, destination: Environment) -> dict[Key, str]:
    """The ids of what was made and is still there; what a killed run made last is found by its content."""
    pairs = match(receipt.to_make, destination)
    there = {key: destination.ids[found] for key, found in pairs.items()}
    keys = destination.keys
    known = {
        key: identifier
        for key, identifier in receipt.made.items()
        if identifier in keys and kind_of(keys[identifier]) == kind_of(key)
    }
    return {key: identifier for key, identifier in there.items() if key not in receipt.made} | known


def _kept(
    receipt: Receipt,
    destination: Environment,
    found: Mapping[Key, str],
    edited: Mapping[Key, str],
    runs: Mapping[Key, int],
) -> dict[Key, Undone]:
    """What is not deleted, and why; ``edited`` has what was, with a detail, ``runs`` the numbers of flow runs."""
    kept: dict[Key, Undone] = {}
    for record in receipt.to_make:
        if record.key not in found:
            kept[record.key] = _not_found(record, destination)
        elif record.key in edited:
            kept[record.key] = Undone(record.key, record.kind, "failed", "edited", edited[record.key])
        elif record.key in runs:
            detail = f"flow runs: {runs[record.key]}"
            kept[record.key] = Undone(record.key, record.kind, "failed", "still-needed", detail)
    kept = _of_unseen_use(receipt, destination, found) | kept
    return kept | _still_needed(receipt, destination, found, kept)


def _not_found(record: Intended, destination: Environment) -> Undone:
    """What is gone, or only hidden."""
    if destination.unseen.may_be(record.kind, None):
        return Undone(record.key, record.kind, "failed", "unreadable")
    return Undone(record.key, record.kind, "skipped", "gone")


def _of_unseen_use(receipt: Receipt, destination: Environment, found: Mapping[Key, str]) -> dict[Key, Undone]:
    """What may be needed by something that cannot be read."""
    return {
        record.key: Undone(record.key, record.kind, "failed", "unreadable")
        for record in receipt.to_make
        if record.key in found and destination.unseen.may_need(found[record.key])
    }


async def _edited(receipt: Receipt, api: Api, destination: Environment, found: Mapping[Key, str]) -> dict[Key, str]:
    """What has another name, other content or perhaps other secrets by now; for another name the new one is given."""
    # What was changed is compared along, since what was created may refer to it by a name that others share.
    changed = intend(Placed(0, each.became) for each in receipt.changes if each.became is not None)
    records = (*receipt.to_make, *changed)
    keys = destination.keys
    pairs = match(records, destination) | {key: keys[identifier] for key, identifier in found.items()}
    external = {each.target for record in records for each in record.references} - {record.key for record in records}
    plan = compare(
        # What was only switched on or off since was not edited.
        as_switched(records, pairs, destination),
        pairs,
        Present(destination),
        external=sorted(external),
        view=View(is_two_way=True),
    )
    offered = Offered(ANY_FIELDS, destination.rows)
    secret = dict.fromkeys(await hand_set(receipt, api, destination, found), "a secret in it may have been changed")
    edited = secret | {action.key: "" for action in plan.actions if _was_edited(action, offered)}
    renamed = {key: pairs[key] for key in found if natural_key(pairs[key]) != natural_key(key)}
    return edited | {key: f"now {new}" for key, new in renamed.items()}


def _was_edited(action: Action, offered: Offered) -> bool:
    """Whether something differs that can be changed at all: a deployment got labels from its flow by itself."""
    kind, raw = KINDS[action.kind], offered.rows.get(str(action.id), {})
    return action.reason == "exists-differs" and any(
        kind.can_change(each.pointer, is_removal=each.bundle is None, raw=raw, at=offered)
        for each in action.differences
    )


def _still_needed(
    receipt: Receipt, destination: Environment, found: Mapping[Key, str], kept: Mapping[Key, Undone]
) -> dict[Key, Undone]:
    """What resources that stay refer to; kept resources keep what they need, so this goes on until nothing is added."""
    keys = destination.keys
    ours = {keys[identifier]: key for key, identifier in found.items() if key not in kept}
    records = {record.key: record for record in receipt.to_make}
    who = _referrers(destination)
    needed: dict[Key, Undone] = {}
    while held := {there: outside for there in ours if (outside := _outside(there, ours, who, destination))}:
        for there, outside in held.items():
            key = ours.pop(there)
            needed[key] = _needed(records[key], outside)
    return needed


def _outside(
    there: Key, ours: Mapping[Key, Key], who: Mapping[Key, frozenset[Key]], destination: Environment
) -> tuple[Key, ...]:
    """Who refers to a resource and is not to be deleted along with it."""
    return tuple(
        sorted(each for each in who.get(there, ()) if each not in ours and not _goes_with(each, there, destination))
    )


def _goes_with(referrer: Key, target: Key, destination: Environment) -> bool:
    """Whether a resource that nobody created goes with what it refers to."""
    record = destination.records[referrer]
    place = KINDS[record.kind].goes_with(record.body)
    return any(each.pointer == place and each.target == target for each in record.references)


def _referrers(environment: Environment) -> dict[Key, frozenset[Key]]:
    """Who refers to each key of an environment."""
    found: dict[Key, set[Key]] = {}
    for key, record in environment.records.items():
        for reference in record.references:
            if reference.target != key:
                found.setdefault(reference.target, set()).add(key)
    return {key: frozenset(each) for key, each in found.items()}
