"""Takes an import back: deletes what it made and restores what it changed.

Rules:

1. Only what the receipt says this import made is deleted, in reverse order.
2. What was edited since is kept, unless forced; so is what something else at
   the destination refers to, since deleting it would take that along or break it.
3. What is kept keeps what it needs.
4. Secrets that were filled in are live secrets by now; they are left alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec

from bundle.destination import Fields, Sender
from bundle.environment import Environment, describe
from bundle.errors import ServerError, UsageError
from bundle.kinds import KINDS
from bundle.kinds.base import Made
from bundle.model import Api, Event, Key, Placed
from bundle.plan import Secrets, compare, match
from bundle.receipt import Receipt, needs
from bundle.snapshot import OnEvent, take

ROLLBACK_REASONS: Mapping[str, str] = {
    "deleted": "the import had made it; it has been deleted",
    "gone": "it is not at the destination any more",
    "edited": "it was edited since the import, and is kept",
    "still-needed": "something else at the destination refers to it, and it is kept",
    "secret-kept": "a secret that the import filled in is live, and is kept",
    "rejected": "the destination refused to delete it",
}


class Undone(msgspec.Struct, frozen=True):
    """What became of one resource; ``needed_by`` names what still refers to it."""

    key: Key
    kind: str
    state: Literal["succeeded", "skipped", "failed"]
    reason: str
    detail: str = ""
    needed_by: tuple[Key, ...] = ()


async def roll_back(
    receipt: Receipt, api: Api, *, force: bool = False, dry_run: bool = False, on_event: OnEvent = lambda _: None
) -> tuple[Undone, ...]:
    """Take back the import of ``receipt``.

    Args:
        receipt: of the import.
        api: the destination that the import went to.
        force: delete also what was edited since.
        dry_run: only say what would be done.
        on_event: told of each deletion.

    Raises:
        UsageError: the receipt is of another destination.
        ServerError: the destination cannot be read.
    """
    if receipt.head.destination != api.url:
        raise UsageError(
            f"the receipt is of an import into {receipt.head.destination}, not into {api.url}",
            hint="name the profile of that destination with --to",
        )
    destination = describe(await take(api, deep=False, on_event=on_event), everything=True)
    found = _found(receipt, destination)
    results = _kept(receipt, destination, found, force=force)
    sender = Sender(api, Fields(lambda _method, _path: None, tag_limits_are_global=True), destination.rows, set())
    for placed in reversed(receipt.to_make):
        key = placed.record.key
        if key not in results:
            results[key] = await _delete(placed, found[key], sender, dry_run=dry_run)
            on_event(Event("rollback", placed.record.kind, len(results), len(receipt.to_make)))
    changed = (Undone(each.change.key, each.change.kind, "skipped", "secret-kept") for each in receipt.changes)
    return (*(results[placed.record.key] for placed in receipt.to_make), *changed)


def _found(receipt: Receipt, destination: Environment) -> dict[Key, str]:
    """The ids of what was made and is still there; what a killed run made last is found by its content."""
    pairs = match([placed.record for placed in receipt.to_make], destination)
    there = {key: destination.ids[found] for key, found in pairs.items()}
    known = {key: identifier for key, identifier in receipt.made.items() if identifier in destination.rows}
    return {key: identifier for key, identifier in there.items() if key not in receipt.made} | known


def _kept(receipt: Receipt, destination: Environment, found: Mapping[Key, str], *, force: bool) -> dict[Key, Undone]:
    """What is not deleted, and why."""
    kept: dict[Key, Undone] = {}
    plan = compare(receipt.to_make, destination, is_cloud=False, secrets=Secrets())
    differs = {action.key for action in plan.actions if action.reason == "exists-differs"}
    for placed in receipt.to_make:
        record = placed.record
        if record.key not in found:
            kept[record.key] = Undone(record.key, record.kind, "skipped", "gone")
        elif record.key in differs and not force:
            kept[record.key] = Undone(record.key, record.kind, "failed", "edited")
    return kept | _still_needed(receipt, destination, found, kept)


def _still_needed(
    receipt: Receipt, destination: Environment, found: Mapping[Key, str], kept: Mapping[Key, Undone]
) -> dict[Key, Undone]:
    """What resources that stay refer to; kept resources keep what they need, so this goes on until nothing is added."""
    keys = destination.keys
    ours = {keys[identifier]: key for key, identifier in found.items() if key not in kept}
    kinds = {placed.record.key: placed.record.kind for placed in receipt.to_make}
    referrers = needs(destination)
    needed: dict[Key, Undone] = {}
    while held := {there: outside for there in ours if (outside := _outside(there, ours, referrers))}:
        for there, outside in held.items():
            key = ours.pop(there)
            needed[key] = Undone(key, kinds[key], "failed", "still-needed", needed_by=outside)
    return needed


def _outside(there: Key, ours: Mapping[Key, Key], referrers: Mapping[Key, frozenset[Key]]) -> tuple[Key, ...]:
    """Who refers to a resource and is not to be deleted along with it."""
    return tuple(sorted(each for each in referrers.get(there, ()) if each not in ours and not _goes_along(each, there)))


def _goes_along(referrer: Key, target: Key) -> bool:
    """A pool's default queue, which nobody made, goes with its pool."""
    return referrer.startswith("work-queue:") and target == "work-pool:" + referrer.split(":", 1)[1].rpartition("/")[0]


async def _delete(placed: Placed, identifier: str, sender: Sender, *, dry_run: bool) -> Undone:
    record = placed.record
    if not dry_run:
        try:
            await KINDS[record.kind].delete(sender, Made(identifier, sender.raw(identifier) or {}))
        except ServerError as error:
            return Undone(record.key, record.kind, "failed", "rejected", error.message)
    return Undone(record.key, record.kind, "succeeded", "deleted")
