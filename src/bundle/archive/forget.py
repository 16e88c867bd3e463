"""Remove what retention does not keep: points first, then another look, then bundles that no point names.

Killed anywhere it leaves bundles without a point, which the next run removes when they are a day old.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta, tzinfo

import msgspec

from bundle.archive import point as points
from bundle.archive.retention import CAUSES, Decision, Policy, Snapshot, decide
from bundle.archive.snapshot import Claim
from bundle.archive.store import Entry, Missing, Store
from bundle.archive.timeline import Kept, Listing, look, timeline

GRACE = timedelta(days=1)
"""How long a writer may take from its first look to its point."""


class Forgotten(msgspec.Struct, frozen=True):
    """What was decided of each snapshot, and the objects without a point that were removed (``orphans``)."""

    name: str
    kept: tuple[Kept, ...]
    decisions: tuple[Decision, ...]
    orphans: tuple[str, ...] = ()

    @property
    def has_causes(self) -> bool:
        """Whether something stays that no rule keeps, for a cause that somebody should look at."""
        return any(each.is_kept and each.reasons and set(each.reasons) <= CAUSES for each in self.decisions)


def forget(store: Store, name: str, policy: Policy, *, now: datetime, zone: tzinfo, dry_run: bool) -> Forgotten:
    """Apply a policy to one environment's snapshots.

    Raises:
        Damaged: a point cannot be read: then nothing is removed.
        StoreError: the store refuses, or is away.
    """
    listing = look(store, name)
    kept = timeline(store, listing)
    decisions = decide([_seen(each) for each in kept], policy, now=now, zone=zone)
    gone = [each.id for each in decisions if not each.is_kept]
    if dry_run:
        return Forgotten(name, tuple(kept), tuple(decisions))
    for id_ in gone:
        store.delete(points.object_name(name, id_, "json"))
    orphans = _sweep(store, name, set(gone), now)
    for id_ in gone:
        for entry in listing.others:
            if entry.name.startswith(points.notes_prefix(name, id_)):
                store.delete(entry.name)
    return Forgotten(name, tuple(kept), tuple(decisions), orphans)


def _seen(each: Kept) -> Snapshot:
    point = each.point
    return Snapshot(point.id, each.time, point.resources, not point.incomplete, each.pinned is not None)


def _sweep(store: Store, name: str, gone: set[str], now: datetime) -> tuple[str, ...]:
    """Remove bundles that nothing names: those of points just removed at once, others when they are a day old."""
    # Claims before points: a writer's claim goes when its point is there, and a listing is no single moment.
    claims = list(store.list(points.claims_prefix(name)))
    claimed = _claimed(store, claims, now)
    listing = look(store, name)
    named = {each.point.bundle_id for each in timeline(store, listing)} | set(claimed)
    orphans = []
    for object_name in objects_without_point(listing, named):
        place, entry = listing.places[object_name]
        is_ours = place.id in gone
        if is_ours or now - entry.time > GRACE:
            store.delete(object_name)
            if not is_ours:
                orphans.append(object_name)
    for claim in claims:
        if now - claim.time > GRACE:
            store.delete(claim.name)
    return tuple(orphans)


def objects_without_point(listing: Listing, named: Iterable[str]) -> list[str]:
    """The objects of snapshots whose id no point and no claim names; bundles last, since the others are theirs."""
    kept = set(named)
    found = [
        (place.end == "pxb", object_name)
        for object_name, (place, _) in listing.places.items()
        if place.end != "json" and place.id not in kept
    ]
    return [object_name for _, object_name in sorted(found)]


def _claimed(store: Store, claims: Sequence[Entry], now: datetime) -> list[str]:
    found = []
    for entry in claims:
        if now - entry.time <= GRACE:
            with contextlib.suppress(Missing):
                found.append(msgspec.json.decode(store.read(entry.name, points.MOST_BYTES), type=Claim).bundle_id)
    return found
