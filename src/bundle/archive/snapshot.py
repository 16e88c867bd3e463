"""Write a snapshot: the bundle, then its point; or only the point, if nothing has changed.

The bundle of an earlier point may be removed by ``forget`` at any time. So a writer first creates a *claim* on it,
then looks again whether that point still stands. If it does, every ``forget`` that could remove the bundle will look
after the claim was made, and sees it; if it does not, the writer stores a bundle of its own. A claim holds for a day,
so that a writer may be killed anywhere.
"""

from __future__ import annotations

import hashlib

import msgspec

from bundle.archive import point as points
from bundle.archive.point import Point
from bundle.archive.store import Store
from bundle.archive.timeline import Kept, look, timeline


class Claim(msgspec.Struct, frozen=True):
    """A writer is about to name the bundle with an id."""

    bundle_id: str


class Written(msgspec.Struct, frozen=True):
    """The point that was written, and what came before it, if anything did."""

    point: Point
    former: Point | None


def write(store: Store, new: Point, bundle: bytes, beside: dict[str, bytes]) -> Written:
    """Store a snapshot.

    ``beside`` are files beside its bundle by their ending (``pxb.sig``); a bundle is shared only if it has such files
    too. Of ``new``, digest, size and what it shares are filled in here.

    Raises:
        StoreError: the store refuses, or is away; at worst a bundle without a point is left.
    """
    listing = look(store, new.name)
    kept = timeline(store, listing)
    former = kept[-1] if kept else None
    equal = _equal(new, kept)
    point = None
    if equal is not None and {"pxb", *beside} <= listing.ends(equal.point.bundle_id):
        point = _sharing(store, new, equal.point)
    if point is None:
        point = msgspec.structs.replace(new, sha256=hashlib.sha256(bundle).hexdigest(), size=len(bundle))
        for end, data in {**beside, "pxb": bundle}.items():
            store.create(points.object_name(new.name, new.id, end), data)
    store.create(points.object_name(point.name, point.id, "json"), points.encode(point))
    if point.same_as is not None:
        store.delete(points.claim_name(new.name, new.id))
    return Written(point, former.point if former else None)


def _equal(new: Point, kept: list[Kept]) -> Kept | None:
    """The newest snapshot, if it is as whole as the new one and of the same content."""
    if not kept:
        return None
    last = kept[-1]
    is_equal = last.point.content_digest == new.content_digest and last.point.incomplete == new.incomplete
    return last if is_equal else None


def _sharing(store: Store, new: Point, former: Point) -> Point | None:
    """The new point on the former's bundle; None if the former is gone by now."""
    claim = points.claim_name(new.name, new.id)
    store.create(claim, msgspec.json.encode(Claim(former.bundle_id)))
    again = look(store, new.name)
    if points.object_name(former.name, former.id, "json") not in again.places:
        store.delete(claim)
        return None
    return msgspec.structs.replace(new, sha256=former.sha256, size=former.size, same_as=former.bundle_id)
