"""Stores and addresses as the command line names them, the clock, and the zone in which dates are read."""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import Any, NamedTuple, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import click

from bundle.archive import objects
from bundle.archive.address import Address, parse
from bundle.archive.directories import DirectoryStore
from bundle.archive.point import MOST_BUNDLE_BYTES, MOST_BYTES, Point
from bundle.archive.store import Entry, Store
from bundle.archive.timeline import Damaged, Listing, bundle_of, check_store, choose, look, names, timeline
from bundle.errors import UsageError

VARIABLE = "XFER_STORE"
ZONE_VARIABLE = "XFER_TIMEZONE"

_ANOTHER = "take the snapshot before or after it"

F = TypeVar("F", bound=Callable[..., Any])


argument = click.argument("store", metavar="[STORE[//NAME]]", required=False)
address = click.argument("address", metavar="STORE//NAME@WHEN")


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


def where(text: str | None) -> tuple[Store, list[str]]:
    """The store and its environments, or the one that is named: ``STORE``, ``STORE//NAME``; nothing: ``XFER_STORE``."""
    if text and "//" in text.replace("://", ":", 1):
        address = parse(text)
        return open_store(address.store), [address.name]
    store = open_store(text)
    return store, names(store)


class Found(NamedTuple):
    """A snapshot where it was found: ``listing`` has the objects of its environment."""

    store: Store
    listing: Listing
    point: Point

    def content(self) -> bytes:
        """The bundle's file, exactly as it was written.

        Raises:
            Damaged: it is not there, or not what was written.
            StoreError: the store cannot be read.
        """
        entry = self.entry()
        data = self.store.read(entry.name, min(self.point.size, MOST_BUNDLE_BYTES))
        if hashlib.sha256(data).hexdigest() != self.point.sha256:
            raise Damaged(f"{self.store.url}: {entry.name} is not what was written", hint=_ANOTHER)
        return data

    def entry(self) -> Entry:
        """The object with the bundle; raises as ``content``."""
        entry = bundle_of(self.listing, self.point)
        if entry is None:
            raise Damaged(f"{self.store.url}: the bundle of {self.point.id} is missing", hint=_ANOTHER)
        return entry


def find(address: Address, zone: tzinfo) -> Found:
    """The snapshot that an address means.

    Raises:
        UsageError: the address names nothing.
        StoreError: the store cannot be read.
    """
    store = open_store(address.store)
    listing = look(store, address.name)
    return Found(store, listing, choose(timeline(store, listing), address, zone).point)


@contextlib.contextmanager
def fetched(text: str) -> Iterator[Path]:
    """The bundle at an address with its signatures, in a directory of its own; raises as ``find`` and ``content``."""
    found = find(parse(text), zone_of(None))
    bundle = found.entry().name
    with tempfile.TemporaryDirectory(prefix="xfer-") as directory:
        file = Path(directory, _last(bundle))
        file.write_bytes(found.content())
        for name in found.listing.places:
            if name.startswith(f"{bundle}.") and name.endswith(".sig"):
                file.with_name(_last(name)).write_bytes(found.store.read(name, MOST_BYTES))
        yield file


def _last(name: str) -> str:
    return name.rpartition("/")[2]
