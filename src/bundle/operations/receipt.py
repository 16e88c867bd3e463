"""The receipt of an import: what it is going to make and change, and what it made.

A file of JSON lines, so that a killed run leaves a receipt that can be used:

    {"xfer_receipt": "1.1", "destination": …, "content_digest": …, "created": …, "signatures": …}
    {"make": {record}, "wave": 3}            one for each resource to be made
    {"change": {record}, "id": …, …}         the pre-image of each to be changed, without secrets
    {"trying": key}                          added before each creation,
    {"made": key, "id": …, "updated": …}     and after it, with the time that the destination gave it

All but the last two are written and synced before the first write to the
destination. A last line that was cut off is passed over. What was never tried
is nobody's business: an equal resource there is somebody else's. Receipts of
version 1.0 have no ``trying``, and may have tried everything.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from bundle.errors import BundleError
from bundle.files import input_errors
from bundle.model import Key, Placed, Pointer, Record
from bundle.plan.intended import Intended, intend
from bundle.trust.verdict import Verdict

VERSION = "1.1"
_WITHOUT_TRYING = "1.0"


class Head(msgspec.Struct, frozen=True):
    """Which import this is the receipt of; ``signatures``: who vouched for the bundle, where that was asked."""

    xfer_receipt: str
    destination: str
    content_digest: str
    created: str
    signatures: Verdict | None = None


class PreImage(msgspec.Struct, frozen=True):
    """A resource that existed, as it was before; ``fields`` are those that the import was to write.

    For an update also ``became``, the record that the places were taken from, and the ids of what either refers to,
    by the keys that each uses.
    """

    change: Record
    id: str
    fields: tuple[str, ...]
    places: tuple[Pointer, ...] = ()
    became: Record | None = None
    ids: dict[Key, str] = {}
    became_ids: dict[Key, str] = {}


class ToMake(msgspec.Struct, frozen=True):
    """A resource that the import was to create."""

    make: Record
    wave: int


class Trying(msgspec.Struct, frozen=True):
    """A creation was about to be sent."""

    trying: Key


class WasMade(msgspec.Struct, frozen=True, omit_defaults=True):
    """A resource exists, created by the import under this id, or (None) by somebody else.

    ``updated`` is the time of the last change that the destination answered the creation with.
    """

    made: Key
    id: str | None
    updated: str | None = None


Entry = ToMake | PreImage | Trying | WasMade
_ENTRIES: Mapping[str, type[msgspec.Struct]] = {"made": WasMade, "trying": Trying, "make": ToMake}


class Receipt(msgspec.Struct, frozen=True):
    """A receipt as read: what may have been made, ids and times of what was, and what was to be changed."""

    head: Head
    to_make: tuple[Intended, ...]
    made: dict[Key, str]
    changes: tuple[PreImage, ...]
    updated: dict[Key, str | None] = {}


def read(path: Path) -> Receipt:
    """Read a receipt.

    Raises:
        BundleError: there is no such file, or it is not a receipt of a known version.
    """
    with input_errors(path, BundleError, hint="check the name of the receipt"):
        lines = path.read_bytes().split(b"\n")
    return _collected(_head(path, lines[0]), [_entry(path, line) for line in lines[1:-1]])


def _collected(head: Head, entries: Sequence[Entry]) -> Receipt:
    to_make = intend(Placed(each.wave, each.make) for each in entries if isinstance(each, ToMake))
    exist = {each.made: each for each in entries if isinstance(each, WasMade)}
    made = {key: each.id for key, each in exist.items()}
    ours = {key: identifier for key, identifier in made.items() if identifier is not None}
    if head.xfer_receipt == _WITHOUT_TRYING:
        tried = {each.key for each in to_make}
    else:
        tried = {each.trying for each in entries if isinstance(each, Trying)}
    # What somebody else made is in ``made`` without an id.
    mine = (tried - made.keys()) | ours.keys()
    return Receipt(
        head,
        tuple(each for each in to_make if each.key in mine),
        ours,
        tuple(each for each in entries if isinstance(each, PreImage)),
        {key: exist[key].updated for key in ours},
    )


def _head(path: Path, line: bytes) -> Head:
    try:
        head = msgspec.json.decode(line, type=Head)
    except msgspec.MsgspecError as error:
        raise BundleError(f"{path}: not a receipt of an import", hint="name the file that import wrote") from error
    if head.xfer_receipt.partition(".")[0] != VERSION.partition(".")[0]:
        raise BundleError(
            f"{path}: a receipt of version {head.xfer_receipt} needs a newer xfer",
            hint="upgrade xfer, then run the command again",
        )
    return head


def _entry(path: Path, line: bytes) -> Entry:
    try:
        names = msgspec.json.decode(line, type=dict[str, msgspec.Raw]).keys()
        form: Any = next((form for name, form in _ENTRIES.items() if name in names), PreImage)
        entry: Entry = msgspec.json.decode(line, type=form)
    except msgspec.MsgspecError as error:
        raise BundleError(f"{path}: a line is damaged", hint="use the file as import wrote it") from error
    return entry
