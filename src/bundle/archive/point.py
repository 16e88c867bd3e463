"""The point: what one snapshot was, in under a kilobyte, and the names of all objects in a store.

::

    xfer-store.json                                 what makes a place a store
    prod/2026/11/25T020000Z-b97bcb993e78.pxb        a bundle
    prod/2026/11/25T020000Z-b97bcb993e78.json       its point
    prod/claims/20261125T020000Z-b97bcb993e78.json  a writer is about to name the bundle of an earlier point
    prod/notes/20261125T020000Z-b97bcb993e78/…json  what was found out later: pins, checks, drills
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Literal

import msgspec

from bundle.errors import UsageError

VERSION = "1.0"
MARK = "xfer-store.json"
MOST_BYTES = 64 * 1024
MOST_BUNDLE_BYTES = 1024 * 1024 * 1024
"""A snapshot is held in memory while it is stored or checked."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_ID = re.compile(r"(\d{4})(\d\d)(\d\dT\d{6}Z-[0-9a-f]{12})", re.ASCII)
_PLACE = re.compile(
    r"(?P<name>[^/]+)/(?P<year>\d{4})/(?P<month>\d\d)/(?P<rest>\d\dT\d{6}Z-[0-9a-f]{12})\.(?P<end>.+)", re.ASCII
)

NoteKind = Literal["pin", "unpin", "check", "drill"]


class Point(msgspec.Struct, frozen=True, kw_only=True):
    """One snapshot.

    ``created`` is when its writer began, by the writer's own clock; what counts is the store's time. ``sha256`` and
    ``size`` (bytes) are those of the bundle's file. ``resources`` counts its records, ``census`` those of each kind.
    ``same_as`` is the id of the point whose bundle it shares. ``incomplete`` says what is lacking: nothing, if it is a
    whole environment.
    """

    version: str = VERSION
    id: str
    name: str
    created: str
    content_digest: str
    sha256: str
    size: int
    resources: int
    census: dict[str, int] = {}
    source: str = ""
    xfer: str = ""
    incomplete: tuple[str, ...] = ()
    same_as: str | None = None

    @property
    def bundle_id(self) -> str:
        """The id that the bundle's object has."""
        return self.same_as or self.id


class Note(msgspec.Struct, frozen=True, kw_only=True):
    """What became known of a snapshot later: ``ok`` of a check or drill, ``text`` the reason of a pin or a failure."""

    version: str = VERSION
    point: str
    kind: NoteKind
    ok: bool = True
    text: str = ""
    xfer: str = ""


class Place(msgspec.Struct, frozen=True):
    """What an object's name says: the snapshot ``id`` of an environment ``name``, and its ``end`` (``pxb``)."""

    name: str
    id: str
    end: str


def check_name(name: str) -> str:
    """The name of an environment in a store, which is part of object names.

    Raises:
        UsageError: it has other characters than letters, digits, ``.``, ``_`` and ``-``, or too many.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"{name!r} cannot be a name in a store",
            hint="use 1 to 64 letters, digits, dots, dashes and underscores: --name prod",
        )
    return name


def new_id(now: datetime, token: str) -> str:
    """The id of a snapshot: when it began, and 12 random hexadecimal digits, so that no two are equal."""
    return f"{now.astimezone(UTC):%Y%m%dT%H%M%SZ}-{token}"


def object_name(name: str, id_: str, end: str) -> str:
    """``prod/2026/11/25T020000Z-b97bcb993e78.pxb`` of an id; ValueError if it is none."""
    found = _ID.fullmatch(id_)
    if found is None:
        raise ValueError(f"{id_!r} is not the id of a snapshot")
    year, month, rest = found.groups()
    return f"{name}/{year}/{month}/{rest}.{end}"


def place_of(name: str) -> Place | None:
    """The inverse of ``object_name``; None for other objects."""
    found = _PLACE.fullmatch(name)
    if found is None:
        return None
    return Place(found["name"], f"{found['year']}{found['month']}{found['rest']}", found["end"])


def claim_name(name: str, id_: str) -> str:
    """The object by which a writer says that it is about to name an earlier bundle."""
    return f"{claims_prefix(name)}{id_}.json"


def claims_prefix(name: str) -> str:
    """Where the claims on an environment's bundles are."""
    return f"{name}/claims/"


def notes_prefix(name: str, id_: str = "") -> str:
    """Where the notes of an environment, or of one snapshot, are."""
    return f"{name}/notes/{id_ + '/' if id_ else ''}"


def decode(data: bytes, place: Place) -> Point:
    """The point in an object.

    Raises:
        ValueError: it is none, or that of another place.
    """
    point = msgspec.json.decode(data, type=Point)
    if point.id != place.id or point.name != place.name:
        raise ValueError("it says that it is another point")
    object_name(point.name, point.bundle_id, "pxb")
    return point


def encode(value: Point | Note) -> bytes:
    """An object's content: JSON with sorted members."""
    return msgspec.json.encode(value, order="sorted") + b"\n"
