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

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from bundle.container.limits import Limits
from bundle.container.sequence_rules import Ledger
from bundle.errors import BundleError
from bundle.files import LIMITS, input_errors, too_large
from bundle.kinds import KINDS
from bundle.model import Key, Placed, Pointer, Record
from bundle.plan.intended import Intended, intend
from bundle.record.depth import is_deep
from bundle.record.weight import weight
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


def read(path: Path, *, memory_bytes: int = LIMITS.memory_bytes) -> Receipt:
    """Read a receipt, which may take so many bytes of memory.

    Raises:
        BundleError: there is no such file, it is not a receipt of a known version, or it is too large.
    """
    entries: list[Entry] = []
    head: Head | None = None
    for line in _lines(path, memory_bytes):
        if head is None:
            head = _head(path, line)
        else:
            entries.append(_entry(path, line))
    return _collected(head or _head(path, b""), entries)


def _lines(path: Path, memory_bytes: int) -> Iterator[bytes]:
    """The lines that are whole; what the last one lacks was never written."""
    size = cost = 0
    hint = "check the name of the receipt; for a very long one, set XFER_MEMORY_MIB to what this machine can give"
    with input_errors(path, BundleError, hint=hint), path.open("rb") as file:
        while (line := file.readline(LIMITS.receipt_line_bytes)).endswith(b"\n"):
            size, cost = size + len(line), cost + weight(line)
            if size > LIMITS.receipt_bytes or cost > memory_bytes:
                raise too_large(memory_bytes)
            yield line[:-1]
        if len(line) == LIMITS.receipt_line_bytes:
            raise too_large(LIMITS.receipt_line_bytes)


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
    except (ValueError, RecursionError) as error:
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
        for record in _records(entry):
            _check(record)
    except (ValueError, RecursionError) as error:
        raise BundleError(f"{path}: a line is damaged", hint="use the file as import wrote it") from error
    return entry


def _records(entry: Entry) -> Iterator[Record]:
    """The records in a line."""
    if isinstance(entry, ToMake):
        yield entry.make
    elif isinstance(entry, PreImage):
        yield from (each for each in (entry.change, entry.became) if each is not None)


def _check(record: Record) -> None:
    """Refuse a record that is none of its kind, or whose references and secrets are not where they are said to be.

    Raises:
        ValueError: it is so.
    """
    kind = KINDS.get(record.kind)
    if kind is None or is_deep(record.body, Limits().depth + 1) or kind.misfit_of_body(record.body) is not None:
        raise ValueError("not a record of a known kind")
    Ledger(Limits()).add(Placed(0, record))
