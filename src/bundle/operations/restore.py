"""Gives back what an import changed: at the places that it wrote, and only where nobody has edited them since."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal

import msgspec

from bundle.environment.describe import Environment
from bundle.environment.reveal import reveal
from bundle.kinds import KINDS
from bundle.kinds.base import Kind
from bundle.kinds.protocols import Made
from bundle.model import Api, Body, Json, Key, Pointer, Record, Reference
from bundle.operations.receipt import PreImage, Receipt
from bundle.operations.undo import Undone, Writer
from bundle.plan.capabilities import ANY_FIELDS, Offered
from bundle.plan.differences import between, is_within
from bundle.plan.merge import Merged, bring_over, merged, regions_of
from bundle.record.pointers import exists, resolve, split
from bundle.record.references import NIL_ID, put_back

_STATES: Mapping[str, Literal["succeeded", "skipped", "failed"]] = {
    "gone": "skipped",
    "secret-kept": "skipped",
    "as-before": "skipped",
    "lost": "failed",
    "unreadable": "failed",
    "edited": "failed",
    "restored": "succeeded",
}


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
        reason, back = _way_back(each, records.get(key), _There(receipt, destination, revealed), force=force)
        undone = Undone(each.change.key, each.change.kind, _STATES[reason], reason, action="restore")
        if back is not None:
            undone = await writer.restore(undone, back)
            if undone.state == "succeeded":
                records[key] = _with_references(records[key], each)
        results.append(undone)
    return results, msgspec.structs.replace(destination, records=records)


class _There(msgspec.Struct, frozen=True):
    """The destination as it is, and what the receipt says of ids."""

    receipt: Receipt
    environment: Environment
    revealed: Mapping[str, Body]

    def id_of(self, key: Key, then: Mapping[Key, str]) -> str | None:
        """The id that a key had, or else has now; None where nothing like it is there."""
        known = (then.get(key), self.receipt.made.get(key), self.environment.ids.get(key))
        return next((each for each in known if each in self.environment.rows), None)

    def body(self, record: Record, then: Mapping[Key, str]) -> Body:
        """A record's body with ids."""
        ids = {each.target: self.id_of(each.target, then) for each in record.references}
        return put_back(record.body, record.references, lambda each: ids[each.target] or NIL_ID)

    def differs(self, change: PreImage, now: Body, then: Body, place: Pointer) -> bool:
        """Whether a place is not what it was then, but for what nobody can have changed."""
        kind, raw = KINDS[change.change.kind], self.environment.rows[change.id]
        offered = Offered(ANY_FIELDS, self.environment.rows)
        found = between(_value(kind.comparable(then), place), _value(kind.comparable(now), place), tuple(split(place)))
        return any(kind.can_change(each.pointer, is_removal=each.bundle is None, raw=raw, at=offered) for each in found)


def _way_back(change: PreImage, now: Record | None, there: _There, *, force: bool) -> tuple[str, Merged | None]:
    """Why a resource that the import changed is to become what, and what is to be written for it."""
    kind = KINDS[change.change.kind]
    if now is None:
        return "unreadable" if there.environment.unseen.may_be(kind.name, None) else "gone", None
    if change.became is None:
        return "secret-kept", None
    places = _open_places(kind, change)
    needed = [each.target for each in _references(change.change, places) if each.form != "name"]
    if any(there.id_of(each, change.ids) is None for each in needed):
        return "lost", None
    before, became = there.body(change.change, change.ids), there.body(change.became, change.became_ids)
    current = put_back(now.body, now.references, lambda each: there.environment.ids[each.target])
    changed = [place for place in places if there.differs(change, current, before, place)]
    if not changed:
        return "as-before" if places else "secret-kept", None
    left = bring_over(before, kind.wanted(became, before), places)
    if not force and any(there.differs(change, current, left, place) for place in changed):
        return "edited", None
    hidden = () if change.id in there.revealed else tuple(each.pointer for each in now.secrets)
    made = Made(change.id, there.environment.rows[change.id], hidden)
    live = there.revealed.get(change.id, current)
    return "restored", merged(kind, made, live, before, changed, gone=became)


def _open_places(kind: Kind, change: PreImage) -> tuple[Pointer, ...]:
    """The places that were written, but for those with secrets, of which the receipt knows nothing."""
    secrets = [each.pointer for record in (change.change, change.became) if record for each in record.secrets]
    places = regions_of(kind, change.places)
    return tuple(place for place in places if not any(is_within(each, place) for each in secrets))


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
