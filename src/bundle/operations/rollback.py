"""Takes an import back: deletes what it made and restores what it changed.

Rules:

1. Only what the receipt says this import made is deleted, in reverse order.
2. What was edited since is kept, unless forced; so is what something else at
   the destination refers to, since deleting it would take that along or break it.
3. What is kept keeps what it needs.
4. What was updated gets back what it had, at the places that were written;
   before anything is deleted, since it may refer to what the import made.
5. A destination that refuses the credentials (401) or does not answer ends it.
6. Secrets that were supplied are live secrets by now; they are left alone.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Literal

import msgspec

from bundle.apply.outcomes import reason_of, refuses_credentials
from bundle.apply.sender import Sender
from bundle.environment.describe import Environment, describe
from bundle.environment.read import OnEvent, take
from bundle.errors import ServerError, Unreachable, UsageError
from bundle.kinds import KINDS
from bundle.kinds.base import Kind, Made, Raw
from bundle.model import Api, Body, Event, Json, Key, Placed, Pointer, Record, Reference
from bundle.operations.receipt import Change, Receipt, needs
from bundle.plan import merge
from bundle.plan.actions import REASONS, Action, Secrets
from bundle.plan.capabilities import ANY_FIELDS, Fields, Offered, read_version
from bundle.plan.compare import compare
from bundle.plan.differences import between, is_within
from bundle.plan.live_secrets import reveal
from bundle.plan.matching import match
from bundle.plan.switches import as_switched
from bundle.record.pointers import resolve, split, stands
from bundle.record.references import NIL_ID, put_back

ROLLBACK_REASONS: Mapping[str, str] = {
    "deleted": "the import had made it; it has been deleted",
    "gone": "it is not at the destination any more",
    "edited": "it was edited since the import, and is kept",
    "restored": "the import had changed it; it has been given back what it had",
    "as-before": "it is already as it was before the import",
    "lost": "something that it referred to before the import is gone; it is left as it is",
    "still-needed": "something else at the destination refers to it, and it is kept",
    "secret-kept": "a secret that the import filled in is live, and is kept",
    "rejected": "the destination refused to delete it, or to change it back",
    **{code: REASONS[code] for code in ("denied", "unreachable", "not-tried")},
}


class Undone(msgspec.Struct, frozen=True):
    """What became of one resource; ``needed_by`` names what still refers to it."""

    key: Key
    kind: str
    state: Literal["succeeded", "skipped", "failed"]
    reason: str
    detail: str = ""
    needed_by: tuple[Key, ...] = ()
    action: Literal["delete", "restore"] = "delete"


class _Writer:
    """Writes to the destination, one after the other, until there is a reason to write nothing more."""

    def __init__(self, sender: Sender, stop: asyncio.Event, *, dry_run: bool) -> None:
        self._sender = sender
        self._stop = stop
        self._dry_run = dry_run
        self._has_ended = False

    async def delete(self, record: Record, identifier: str) -> Undone:
        """Delete what the import made."""
        made = Made(identifier, self._sender.raw(identifier) or {})
        undone = Undone(record.key, record.kind, "succeeded", "deleted")
        return await self._done(undone, lambda: KINDS[record.kind].delete(self._sender, made))

    async def restore(self, undone: Undone, change: merge.Change) -> Undone:
        """Give back what the import changed."""
        kind = KINDS[undone.kind]
        return await self._done(undone, lambda: kind.update(self._sender, change.made, change.body, change.names))

    async def _done(self, undone: Undone, write: Callable[[], Awaitable[None]]) -> Undone:
        if self._dry_run:
            return undone
        if self._stop.is_set() or self._has_ended:
            return msgspec.structs.replace(undone, state="failed", reason="not-tried")
        try:
            await write()
        except ServerError as error:
            self._has_ended |= refuses_credentials(error) or isinstance(error, Unreachable)
            return msgspec.structs.replace(undone, state="failed", reason=reason_of(error), detail=error.message)
        return undone


async def roll_back(
    receipt: Receipt,
    api: Api,
    *,
    force: bool = False,
    dry_run: bool = False,
    on_event: OnEvent = lambda _: None,
    stop: asyncio.Event | None = None,
) -> tuple[Undone, ...]:
    """Take back the import of ``receipt``.

    Args:
        receipt: of the import.
        api: the destination that the import went to.
        force: delete, and change back, also what was edited since.
        dry_run: only say what would be done.
        on_event: told of each deletion.
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
    destination = describe(await take(api, deep=False, on_event=on_event), everything=True)
    sender = Sender(api, Fields(version=await read_version(api)), destination.rows, set())
    writer = _Writer(sender, stop or asyncio.Event(), dry_run=dry_run)
    restored, destination = await _restore(receipt, api, destination, writer, force=force)
    found = _found(receipt, destination)
    results = _kept(receipt, destination, found, force=force)
    refused: dict[Key, set[Key]] = defaultdict(set)  # by what they need: those that could not be deleted
    for record in (placed.record for placed in reversed(receipt.to_make)):
        if record.key not in results:
            holders = tuple(sorted(refused[record.key]))
            results[record.key] = (
                _needed(record, holders) if holders else await writer.delete(record, found[record.key])
            )
            on_event(Event("rollback", record.kind, len(results), len(receipt.to_make)))
        if results[record.key].state == "failed":
            for reference in record.references:
                refused[reference.target].add(record.key)
    return (*(results[placed.record.key] for placed in receipt.to_make), *restored)


def _needed(record: Record, holders: tuple[Key, ...]) -> Undone:
    return Undone(record.key, record.kind, "failed", "still-needed", needed_by=holders)


# Giving back


async def _restore(
    receipt: Receipt, api: Api, destination: Environment, writer: _Writer, *, force: bool
) -> tuple[list[Undone], Environment]:
    """Give back what was changed; returns what became of each, and the environment as it is then."""
    keys = destination.keys
    there = [keys[each.id] for each in receipt.changes if each.became and each.id in keys]
    revealed = await reveal([key for key in there if destination.records[key].secrets], api, destination)
    results: list[Undone] = []
    records = dict(destination.records)
    for each in receipt.changes:
        key = keys.get(each.id, "")
        undone, change = _way_back(each, receipt, destination, records.get(key), revealed, force=force)
        if change is not None:
            undone = await writer.restore(undone, change)
        if change is not None and undone.state == "succeeded":
            records[key] = _with_references(records[key], each)
        results.append(undone)
    return results, msgspec.structs.replace(destination, records=records)


def _way_back(
    change: Change,
    receipt: Receipt,
    destination: Environment,
    now: Record | None,
    revealed: Mapping[str, Body],
    *,
    force: bool,
) -> tuple[Undone, merge.Change | None]:
    """What is to become of a resource that the import changed, and what is to be written for it."""
    kind = KINDS[change.change.kind]
    undone = Undone(change.change.key, kind.name, "skipped", "secret-kept", action="restore")
    if now is None:
        return msgspec.structs.replace(undone, reason="gone"), None
    if change.became is None:
        return undone, None

    def full(record: Record, then: Mapping[Key, str]) -> Body:
        ids = {each.target: _id_of(each.target, then, receipt, destination) for each in record.references}
        return put_back(record.body, record.references, lambda each: ids[each.target] or NIL_ID)

    places = _open_places(kind, change)
    needed = [each.target for each in _references(change.change, places) if each.form != "name"]
    if any(_id_of(each, change.ids, receipt, destination) is None for each in needed):
        return msgspec.structs.replace(undone, state="failed", reason="lost"), None
    before, became = full(change.change, change.ids), full(change.became, change.became_ids)
    after = merge.bring_over(before, kind.wanted(became, before), places)
    current = put_back(now.body, now.references, lambda each: destination.ids[each.target])
    raw, offered = destination.rows[change.id], Offered(ANY_FIELDS, destination.rows)
    moved = [place for place in places if _has_moved(kind, current, before, place, raw, offered)]
    if not moved:
        return msgspec.structs.replace(undone, reason="as-before" if places else "secret-kept"), None
    if not force and any(_has_moved(kind, current, after, place, raw, offered) for place in moved):
        return msgspec.structs.replace(undone, state="failed", reason="edited"), None
    hidden = tuple(each.pointer for each in now.secrets) if change.id not in revealed else ()
    made = Made(change.id, raw, hidden)
    live = revealed.get(change.id, current)
    back = merge.change_to(kind, made, live, before, moved, gone=became)
    return msgspec.structs.replace(undone, state="succeeded", reason="restored"), back


def _id_of(key: Key, then: Mapping[Key, str], receipt: Receipt, destination: Environment) -> str | None:
    """The id that a key stood for, or else stands for now; None where nothing like it is there."""
    known = (then.get(key), receipt.made.get(key), destination.ids.get(key))
    return next((each for each in known if each in destination.rows), None)


def _open_places(kind: Kind, change: Change) -> tuple[Pointer, ...]:
    """The places that were written, but for those with secrets, of which the receipt knows nothing."""
    secrets = [each.pointer for record in (change.change, change.became) if record for each in record.secrets]
    places = merge.regions_of(kind, change.places)
    return tuple(place for place in places if not any(is_within(each, place) for each in secrets))


def _has_moved(kind: Kind, now: Body, then: Body, place: Pointer, raw: Raw, offered: Offered) -> bool:
    """Whether a place is not what it was then, but for what nobody can have changed."""
    found = between(_value(kind.comparable(then), place), _value(kind.comparable(now), place), tuple(split(place)))
    return any(kind.can_change(each.pointer, is_removal=each.bundle is None, raw=raw, at=offered) for each in found)


def _value(body: Body, place: Pointer) -> Json:
    return resolve(body, place) if stands(body, place) else None


def _references(record: Record, places: Iterable[Pointer]) -> list[Reference]:
    """The references of a record that stand in some places, or around them."""
    within = [each for place in places for each in record.references if is_within(each.pointer, place)]
    return [each for each in record.references if each in within]


def _with_references(now: Record, change: Change) -> Record:
    """A record that refers to what it referred to before the import, at the places that were given back."""
    places = merge.regions_of(KINDS[now.kind], change.places)
    kept = [each for each in now.references if not any(is_within(each.pointer, place) for place in places)]
    return msgspec.structs.replace(now, references=(*kept, *_references(change.change, places)))


# Deleting


def _found(receipt: Receipt, destination: Environment) -> dict[Key, str]:
    """The ids of what was made and is still there; what a killed run made last is found by its content."""
    pairs = match([placed.record for placed in receipt.to_make], destination)
    there = {key: destination.ids[found] for key, found in pairs.items()}
    known = {key: identifier for key, identifier in receipt.made.items() if identifier in destination.rows}
    return {key: identifier for key, identifier in there.items() if key not in receipt.made} | known


def _kept(receipt: Receipt, destination: Environment, found: Mapping[Key, str], *, force: bool) -> dict[Key, Undone]:
    """What is not deleted, and why."""
    kept: dict[Key, Undone] = {}
    # What was changed is compared along, since what was made may refer to it by a name that others share.
    changed = [Placed(0, each.became) for each in receipt.changes if each.became is not None]
    # What was only switched on or off since was not edited.
    records = as_switched([*receipt.to_make, *changed], destination)
    known = {placed.record.key for placed in records}
    external = {each.target for placed in records for each in placed.record.references} - known
    plan = compare(records, destination, is_cloud=False, secrets=Secrets(), is_two_way=True, external=sorted(external))
    offered = Offered(ANY_FIELDS, destination.rows)
    differs = {action.key for action in plan.actions if _was_edited(action, offered)}
    for placed in receipt.to_make:
        record = placed.record
        if record.key not in found:
            kept[record.key] = Undone(record.key, record.kind, "skipped", "gone")
        elif record.key in differs and not force:
            kept[record.key] = Undone(record.key, record.kind, "failed", "edited")
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
    records = {placed.record.key: placed.record for placed in receipt.to_make}
    referrers = needs(destination)
    needed: dict[Key, Undone] = {}
    while held := {there: outside for there in ours if (outside := _outside(there, ours, referrers))}:
        for there, outside in held.items():
            key = ours.pop(there)
            needed[key] = _needed(records[key], outside)
    return needed


def _outside(there: Key, ours: Mapping[Key, Key], referrers: Mapping[Key, frozenset[Key]]) -> tuple[Key, ...]:
    """Who refers to a resource and is not to be deleted along with it."""
    return tuple(sorted(each for each in referrers.get(there, ()) if each not in ours and not _goes_along(each, there)))


def _goes_along(referrer: Key, target: Key) -> bool:
    """A pool's default queue, which nobody made, goes with its pool."""
    return referrer.startswith("work-queue:") and target == "work-pool:" + referrer.split(":", 1)[1].rpartition("/")[0]
