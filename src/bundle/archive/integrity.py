"""Whether a store is whole: every point has its bundle of the right size, and, if read, of the right content.

A subset ``n/t`` is a function of each id, so that ``1/7`` to ``7/7`` read everything, each once.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from datetime import date

import msgspec

from bundle.archive import point as points
from bundle.archive.faults import HARMLESS, Fault
from bundle.archive.forget import objects_without_point
from bundle.archive.point import Point
from bundle.archive.store import Missing, Store
from bundle.archive.timeline import Listing, bundle_of, look, timeline
from bundle.container.reader import verify_bundle
from bundle.errors import BundleRejected, UsageError


class Subset(msgspec.Struct, frozen=True):
    """The ``part``-th of ``parts`` of all bundles, counted from 1."""

    part: int
    parts: int

    def __contains__(self, id_: str) -> bool:
        return int(hashlib.sha256(id_.encode()).hexdigest(), 16) % self.parts == self.part - 1


EVERY = Subset(1, 1)


class Checked(msgspec.Struct, frozen=True):
    """What was looked at, how many bundles were read whole, and what was found."""

    name: str
    points: int
    read: tuple[str, ...]
    faults: tuple[Fault, ...]

    @property
    def is_whole(self) -> bool:
        """Whether nothing is lost."""
        return all(each.code in HARMLESS for each in self.faults)


def subset(text: str, today: date) -> Subset:
    """``n/t``, or ``auto/t``, which takes another part each day, so that all are read in ``t`` days.

    Raises:
        UsageError: it is neither.
    """
    part, _, parts = text.partition("/")
    if parts.isascii() and parts.isdecimal() and 0 < int(parts) <= 1000:  # noqa: PLR2004 - more are no subset
        count = int(parts)
        number = today.toordinal() % count + 1 if part == "auto" else int(part) if part.isdecimal() else 0
        if 0 < number <= count:
            return Subset(number, count)
    raise UsageError(f"{text!r} is not a subset", hint="like 1/7 to 7/7, or auto/7 for another one each day")


def check(store: Store, name: str, read: Subset | None) -> Checked:
    """Check an environment's snapshots; the bundles of a subset are read to their last byte.

    Raises:
        StoreError: the store cannot be read.
    """
    listing = look(store, name)
    good, faults = _points(store, listing)
    by_bundle: dict[str, list[Point]] = {}
    for point in good:
        by_bundle.setdefault(point.bundle_id, []).append(point)
    done = []
    for bundle_id, those in by_bundle.items():
        code = _fault(store, listing, those[0], is_read=read is not None and bundle_id in read)
        if read is not None and bundle_id in read:
            done.append(bundle_id)
        if code:
            object_name = points.object_name(name, bundle_id, "pxb")
            faults.append(Fault(code, object_name, tuple(each.id for each in those)))
    named = {*by_bundle, *(place.id for place, _ in listing.places.values() if place.end == "json")}
    faults += [Fault("orphan", each) for each in objects_without_point(listing, named)]
    return Checked(name, len(good), tuple(done), tuple(faults))


def _points(store: Store, listing: Listing) -> tuple[list[Point], list[Fault]]:
    good: list[Point] = []
    faults = []
    for object_name, (place, _) in sorted(listing.places.items()):
        if place.end != "json":
            continue
        alone = Listing({object_name: listing.places[object_name]}, ())
        try:
            good += [each.point for each in timeline(store, alone)]
        except BundleRejected:
            faults.append(Fault("point-damaged", object_name, (place.id,)))
    return good, faults


def _fault(store: Store, listing: Listing, point: Point, *, is_read: bool) -> str | None:
    entry = bundle_of(listing, point)
    if entry is None:
        return "missing"
    if entry.size != point.size:
        return "size-differs"
    return _content_fault(store, entry.name, point) if is_read else None


def _content_fault(store: Store, object_name: str, point: Point) -> str | None:
    try:
        data = store.read(object_name, min(point.size, points.MOST_BUNDLE_BYTES))
        # Of an encrypted one only the digest can be judged here.
        if object_name.endswith(".pxb"):
            verify_bundle(io.BytesIO(data))
    except Missing:
        return "missing"
    except BundleRejected:
        return "content-differs"
    return None if hashlib.sha256(data).hexdigest() == point.sha256 else "content-differs"


def lost(checked: Checked) -> Iterator[str]:
    """The ids of the snapshots that are lost."""
    for each in checked.faults:
        if each.code not in HARMLESS:
            yield from each.points
