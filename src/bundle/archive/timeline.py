"""The snapshots of one environment in order of the store's time, and which of them an address means."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, tzinfo

import msgspec

from bundle.archive import point as points
from bundle.archive.address import LATEST, Address, end_of
from bundle.archive.point import Note, Place, Point
from bundle.archive.store import Entry, Missing, Store, StoreError
from bundle.errors import BundleRejected, UsageError

POINT = "json"
BUNDLES = ("pxb", "pxb.age")


class Damaged(BundleRejected):
    """A point or note in a store is not what it should be."""


class Kept(msgspec.Struct, frozen=True):
    """A point with the store's ``time``, and the notes on it, oldest first."""

    point: Point
    time: datetime
    notes: tuple[tuple[datetime, Note], ...] = ()

    def last(self, *kinds: str) -> tuple[datetime, Note] | None:
        """The newest note of some kinds."""
        return next((each for each in reversed(self.notes) if each[1].kind in kinds), None)

    @property
    def pinned(self) -> Note | None:
        """The pin, unless it was taken away since."""
        found = self.last("pin", "unpin")
        return found[1] if found and found[1].kind == "pin" else None


class Listing(msgspec.Struct, frozen=True):
    """All objects of one environment: the places of its snapshots by object name, and the others."""

    places: Mapping[str, tuple[Place, Entry]]
    others: tuple[Entry, ...]

    def ends(self, id_: str) -> frozenset[str]:
        """What a snapshot has, such as ``pxb``, ``json``, ``pxb.sig``."""
        return frozenset(place.end for place, _ in self.places.values() if place.id == id_)


def look(store: Store, name: str) -> Listing:
    """The objects of an environment.

    Raises:
        StoreError: the store cannot be read.
    """
    places: dict[str, tuple[Place, Entry]] = {}
    others = []
    for entry in store.list(f"{name}/"):
        place = points.place_of(entry.name)
        if place is None:
            others.append(entry)
        else:
            places[entry.name] = place, entry
    return Listing(places, tuple(others))


def names(store: Store) -> list[str]:
    """The environments that a store has snapshots of.

    Raises:
        StoreError: the store cannot be read.
    """
    found = (points.place_of(entry.name) for entry in store.list(""))
    return sorted({place.name for place in found if place is not None and place.end == POINT})


def timeline(store: Store, listing: Listing) -> list[Kept]:
    """The snapshots, oldest first; what another removes meanwhile is left out.

    Raises:
        Damaged: a point or note is not what it should be.
        StoreError: the store cannot be read.
    """
    notes = _notes(store, listing.others)
    found = []
    for object_name, (place, entry) in listing.places.items():
        if place.end == POINT:
            try:
                point = _decode(store, object_name, place)
            except Missing:
                continue
            found.append(Kept(point, entry.time, tuple(notes.get(point.id, ()))))
    return sorted(found, key=lambda each: (each.time, each.point.id))


def as_kept(listing: Listing, point: Point) -> list[Kept]:
    """A point that was just written with the store's time, without reading it; none if it is gone again."""
    found = listing.places.get(points.object_name(point.name, point.id, POINT))
    return [] if found is None else [Kept(point, found[1].time)]


def choose(kept: Sequence[Kept], address: Address, zone: tzinfo) -> Kept:
    """The snapshot that an address means: the latest, the newest up to a day or instant, or the one with an id.

    Raises:
        UsageError: there is none, or more than one with an id that begins so.
    """
    end = end_of(address.when, zone)
    if address.when == LATEST or end is not None:
        found = [each for each in kept if end is None or each.time <= end][-1:]
    else:
        found = [each for each in kept if _has_id(each.point.id, address.when)]
    if len(found) == 1:
        return found[0]
    if found:
        ids = ", ".join(each.point.id for each in found[:5])
        raise UsageError(f"{address}: {len(found)} snapshots have such an id: {ids}", hint="give more of the id")
    what = "no snapshots" if not kept else "no such snapshot"
    oldest = f"; the oldest is of {kept[0].time.astimezone(zone):%Y-%m-%d %H:%M}" if kept else ""
    raise UsageError(
        f"{address}: {what}{oldest}", hint=f"`xfer archive list {address.store or 'STORE'}` shows what there is"
    )


def bundle_of(listing: Listing, point: Point) -> Entry | None:
    """The object that holds a snapshot's bundle; None where it is missing."""
    for end in BUNDLES:
        found = listing.places.get(points.object_name(point.name, point.bundle_id, end))
        if found is not None:
            return found[1]
    return None


def _has_id(id_: str, start: str) -> bool:
    return id_.startswith(start) or id_.partition("-")[2].startswith(start)


def _decode(store: Store, object_name: str, place: Place) -> Point:
    try:
        return points.decode(store.read(object_name, points.MOST_BYTES), place)
    except (ValueError, RecursionError) as error:
        raise Damaged(
            f"{store.url}: {object_name} is damaged", hint="`xfer archive check` names all that is"
        ) from error


def _notes(store: Store, others: Iterable[Entry]) -> Mapping[str, list[tuple[datetime, Note]]]:
    found: dict[str, list[tuple[datetime, Note]]] = {}
    for entry in sorted(others, key=lambda each: (each.time, each.name)):
        _, _, rest = entry.name.partition("/")
        if not rest.startswith("notes/"):
            continue
        try:
            note = msgspec.json.decode(store.read(entry.name, points.MOST_BYTES), type=Note)
        except Missing:
            continue
        except (ValueError, RecursionError) as error:
            raise Damaged(f"{store.url}: {entry.name} is damaged", hint="look at it, and remove it") from error
        found.setdefault(note.point, []).append((entry.time, note))
    return found


def check_store(store: Store) -> None:
    """Refuse a place that is no store of ours.

    Raises:
        UsageError: it was not made one.
        StoreError: it cannot be read.
    """
    try:
        mark = msgspec.json.decode(store.read(points.MARK, points.MOST_BYTES))
    except Missing as error:
        raise UsageError(
            f"{store.url}: not a store of snapshots", hint=f"make it one with `xfer archive init {store.url}`"
        ) from error
    except ValueError as error:
        raise Damaged(f"{store.url}: {points.MARK} is damaged", hint="restore it from a copy") from error
    if not isinstance(mark, dict) or str(mark.get("version", "")).partition(".")[0] != "1":
        raise StoreError(f"{store.url}: made by a newer xfer", hint="use a newer xfer with this store")
