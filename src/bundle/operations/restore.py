"""Gives back what an import changed: at the places that it wrote, and only where nobody has edited them since."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from bundle.environment.describe import Environment
from bundle.environment.reveal import reveal
from bundle.kinds import KINDS
from bundle.kinds.base import Kind
from bundle.kinds.protocols import Made, Raw
from bundle.model import Api, Body, Json, Key, Pointer, Record, Reference
from bundle.operations.receipt import PreImage, Receipt
from bundle.operations.undo import Undone, Writer
from bundle.plan.capabilities import ANY_FIELDS, Offered
from bundle.plan.differences import between, is_within
from bundle.plan.merge import Merged, bring_over, merged, regions_of
from bundle.record.pointers import exists, resolve, split
from bundle.record.references import NIL_ID, put_back


async def restore(
    receipt: Receipt, api: Api, destination: Environment, writer: Writer, *, force: bool
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
    change: PreImage,
    receipt: Receipt,
    destination: Environment,
    now: Record | None,
    revealed: Mapping[str, Body],
    *,
    force: bool,
) -> tuple[Undone, Merged | None]:
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
    after = bring_over(before, kind.wanted(became, before), places)
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
    back = merged(kind, made, live, before, moved, gone=became)
    return msgspec.structs.replace(undone, state="succeeded", reason="restored"), back


def _id_of(key: Key, then: Mapping[Key, str], receipt: Receipt, destination: Environment) -> str | None:
    """The id that a key had, or else has now; None where nothing like it is there."""
    known = (then.get(key), receipt.made.get(key), destination.ids.get(key))
    return next((each for each in known if each in destination.rows), None)


def _open_places(kind: Kind, change: PreImage) -> tuple[Pointer, ...]:
    """The places that were written, but for those with secrets, of which the receipt knows nothing."""
    secrets = [each.pointer for record in (change.change, change.became) if record for each in record.secrets]
    places = regions_of(kind, change.places)
    return tuple(place for place in places if not any(is_within(each, place) for each in secrets))


def _has_moved(kind: Kind, now: Body, then: Body, place: Pointer, raw: Raw, offered: Offered) -> bool:
    """Whether a place is not what it was then, but for what nobody can have changed."""
    found = between(_value(kind.comparable(then), place), _value(kind.comparable(now), place), tuple(split(place)))
    return any(kind.can_change(each.pointer, is_removal=each.bundle is None, raw=raw, at=offered) for each in found)


def _value(body: Body, place: Pointer) -> Json:
    return resolve(body, place) if exists(body, place) else None


def _references(record: Record, places: Iterable[Pointer]) -> list[Reference]:
    """The references of a record in some places, or around them."""
    within = [each for place in places for each in record.references if is_within(each.pointer, place)]
    return [each for each in record.references if each in within]


def _with_references(now: Record, change: PreImage) -> Record:
    """A record that refers to what it referred to before the import, at the places that were given back."""
    places = regions_of(KINDS[now.kind], change.places)
    kept = [each for each in now.references if not any(is_within(each.pointer, place) for place in places)]
    return msgspec.structs.replace(now, references=(*kept, *_references(change.change, places)))
