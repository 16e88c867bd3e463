"""Stores and addresses as the command line names them, the clock, and the zone in which dates are read."""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import Any, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import click

from bundle.archive import objects
from bundle.archive.address import Address, parse
from bundle.archive.directories import DirectoryStore
from bundle.archive.point import MOST_BUNDLE_BYTES, MOST_BYTES, Point
from bundle.archive.store import Entry, Store
from bundle.archive.timeline import Damaged, Listing, bundle_of, check_store, choose, look, timeline
from bundle.errors import UsageError

VARIABLE = "XFER_STORE"
ZONE_VARIABLE = "XFER_TIMEZONE"

F = TypeVar("F", bound=Callable[..., Any])


def timezone(function: F) -> F:
    """``--timezone``, in which days begin and end."""
    return click.option(
        "--timezone", "zone", metavar="ZONE", callback=_zone, help="Zone of dates and periods; UTC unless set."
    )(function)


def _zone(_context: click.Context, _parameter: click.Parameter, value: str | None) -> tzinfo:
    return zone_of(value)


def zone_of(name: str | None) -> tzinfo:
    """The zone with a name (``Europe/Berlin``), that of ``XFER_TIMEZONE``, or UTC.

    Raises:
        UsageError: there is no such zone.
    """
    name = name or os.environ.get(ZONE_VARIABLE) or "UTC"
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise UsageError(f"there is no time zone {name!r}", hint="like UTC or Europe/Berlin") from error


def now() -> datetime:
    """The present by this machine's clock."""
    return datetime.now(UTC)


def find_store(url: str | None) -> Store:
    """The store with a URL or path, or the one that ``XFER_STORE`` names.

    Raises:
        UsageError: none is named, or it cannot be used.
    """
    url = url or os.environ.get(VARIABLE)
    if not url:
        raise UsageError("no store is named", hint=f"name a directory or bucket, or set {VARIABLE}")
    scheme, separator, _ = url.partition("://")
    if separator and scheme in objects.SCHEMES:
        return objects.connect(url)
    if separator and scheme != "file":
        raise UsageError(f"{url}: not a kind of store that is known", hint="a directory, s3://…, gs://… or az://…")
    return DirectoryStore(Path(url.removeprefix("file://")).absolute())


def open_store(url: str | None) -> Store:
    """The same, after a look whether it is a store of ours."""
    store = find_store(url)
    check_store(store)
    return store


def where(text: str | None) -> tuple[Store, str | None]:
    """The store, and the environment if one is named: ``STORE``, ``STORE//NAME``, or nothing for ``XFER_STORE``."""
    if text and "//" in text.replace("://", ":", 1):
        address = parse(text)
        return open_store(address.store), address.name
    return open_store(text), None


def snapshot(address: Address, zone: tzinfo) -> tuple[Store, Point]:
    """The snapshot that an address means, with its store."""
    store = open_store(address.store)
    chosen = choose(timeline(store, look(store, address.name)), address, zone)
    return store, chosen.point


@contextlib.contextmanager
def fetched(text: str) -> Iterator[Path]:
    """The bundle at an address with its signatures, exactly as they were written, in a directory of its own.

    Raises:
        UsageError: the address names nothing.
        Damaged: the bundle is not there, or not what was written.
        StoreError: the store cannot be read.
    """
    store, point = snapshot(parse(text), zone_of(None))
    listing = look(store, point.name)
    entry = _found(store, listing, point)
    with tempfile.TemporaryDirectory(prefix="xfer-") as directory:
        file = Path(directory, entry.name.rpartition("/")[2])
        file.write_bytes(_content(store, entry, point))
        for name, (_, beside) in listing.places.items():
            if name.startswith(f"{entry.name}.") and name.endswith(".sig"):
                file.with_name(name.rpartition("/")[2]).write_bytes(store.read(beside.name, MOST_BYTES))
        yield file


def content(store: Store, point: Point) -> bytes:
    """The bundle's file that a point names; raises as ``fetched``."""
    return _content(store, _found(store, look(store, point.name), point), point)


def _found(store: Store, listing: Listing, point: Point) -> Entry:
    entry = bundle_of(listing, point)
    if entry is None:
        raise Damaged(f"{store.url}: the bundle of {point.id} is missing", hint="take the snapshot before or after it")
    return entry


def _content(store: Store, entry: Entry, point: Point) -> bytes:
    data = store.read(entry.name, min(point.size, MOST_BUNDLE_BYTES))
    if hashlib.sha256(data).hexdigest() != point.sha256:
        raise Damaged(f"{store.url}: {entry.name} is not what was written", hint="take the snapshot before or after it")
    return data
