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
6. Secrets that were supplied are live secrets by now; they are left alone.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Mapping

import msgspec

from bundle.apply.sender import Sender
from bundle.environment.describe import Environment
from bundle.environment.keys import natural_key
from bundle.environment.read import OnEvent, ignore
from bundle.environment.snapshot import read_destination
from bundle.errors import UsageError
from bundle.kinds import KINDS
from bundle.model import Api, Event, Key, Placed, kind_of
from bundle.operations.flow_runs import flow_runs_of
from bundle.operations.receipt import Receipt, referrers
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
    results = _kept(receipt, destination, found, await flow_runs_of(found, api), force=force)
    refused: dict[Key, set[Key]] = defaultdict(set)  # by what they need: those that could not be deleted
    for record in reversed(receipt.to_make):
        if record.key not in results:
            holders = tuple(sorted(refused[record.key]))
            results[record.key] = (
                _needed(record, holders) if holders else await writer.delete(record, found[record.key])
            )
            on_event(Event("rollback", record.kind, len(results), len(receipt.to_make)))
        if results[record.key].state == "failed":
            for reference in record.references:
                refused[reference.target].add(record.key)
    return (*(results[record.key] for record in receipt.to_make), *restored)


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
    receipt: Receipt, destination: Environment, found: Mapping[Key, str], runs: Mapping[Key, int], *, force: bool
) -> dict[Key, Undone]:
    """What is not deleted, and why."""
    kept: dict[Key, Undone] = {}
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
    differs = {action.key for action in plan.actions if _was_edited(action, offered)}
    for record in receipt.to_make:
        undone = Undone(record.key, record.kind, "failed", "edited")
        if record.key not in found:
            kept[record.key] = msgspec.structs.replace(undone, state="skipped", reason="gone")
            continue
        is_renamed = natural_key(pairs[record.key]) != natural_key(record.key)
        if not force and (is_renamed or record.key in differs):
            kept[record.key] = msgspec.structs.replace(undone, detail=f"now {pairs[record.key]}" if is_renamed else "")
        elif record.key in runs:
            detail = f"flow runs: {runs[record.key]}"
            kept[record.key] = msgspec.structs.replace(undone, reason="still-needed", detail=detail)
    return kept | _still_needed(receipt, destination, found, kept)


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
    who = referrers(destination)
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
