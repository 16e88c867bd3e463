"""The receipt of an import: what it is going to make and change, and what it made.

A file of JSON lines, so that a killed run leaves a receipt that can be used:

    {"xfer_receipt": "1.0", "destination": …, "content_digest": …, "created": …}
    {"make": {record}, "wave": 3}            one for each resource to be made
    {"change": {record}, "id": …}            the pre-image of each to be changed, without secrets
    {"made": key, "id": …}                   added as the run goes on

All but the ``made`` lines are written and synced before the first write to the
destination. A last line that was cut off is passed over.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Self

import msgspec

from bundle.canonical import encode
from bundle.environment import Environment
from bundle.errors import BundleError
from bundle.files import check_target, output_errors
from bundle.importer import Prepared
from bundle.model import Key, Placed, Record

VERSION = "1.0"


class Head(msgspec.Struct, frozen=True):
    """Which import this is the receipt of."""

    xfer_receipt: str
    destination: str
    content_digest: str
    created: str


class Change(msgspec.Struct, frozen=True):
    """A resource that existed, as it was before; ``fields`` are those that the import was to write."""

    change: Record
    id: str
    fields: tuple[str, ...]


class _Make(msgspec.Struct, frozen=True):
    make: Record
    wave: int


class _Made(msgspec.Struct, frozen=True):
    made: Key
    id: str


class Receipt(msgspec.Struct, frozen=True):
    """A receipt as read: what was to be made, the ids of what was, and what was to be changed."""

    head: Head
    to_make: tuple[Placed, ...]
    made: dict[Key, str]
    changes: tuple[Change, ...]


class Journal:
    """Writes a receipt: all that is intended first, then each id as it comes."""

    def __init__(self, file: BinaryIO, path: Path) -> None:
        self._file = file
        self._path = path

    @classmethod
    def begin(cls, path: Path, prepared: Prepared, *, destination: str, created: str) -> Self:
        """Write and sync what the import intends.

        Raises:
            OutputError: the file exists or cannot be written.
        """
        check_target(path, force=False)
        with output_errors(path):
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0), 0o600)
            file = os.fdopen(handle, "wb")
            digest = prepared.bundle.manifest.content_digest
            for line in (Head(VERSION, destination, digest, created), *_intended(prepared)):
                file.write(encode(line) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        return cls(file, path)

    def made(self, key: Key, identifier: str) -> None:
        """Note the id of a resource that stands at the destination now."""
        with output_errors(self._path):
            self._file.write(encode(_Made(key, identifier)) + b"\n")
            self._file.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        with output_errors(self._path):
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()


def is_needed(prepared: Prepared) -> bool:
    """Whether the plan writes anything that could be taken back."""
    return any(action.verb in {"create", "complete", "fill"} for action in prepared.plan.actions)


def _intended(prepared: Prepared) -> Iterator[_Make | Change]:
    actions = {action.key: action for action in prepared.plan.actions}
    keys = prepared.destination.keys
    for placed in prepared.bundle.records:
        action = actions[placed.record.key]
        if action.verb in {"create", "complete"}:
            yield _Make(placed.record, placed.wave)
        elif action.verb == "fill" and action.id is not None:
            fields = sorted({secret.pointer.split("/")[1] for secret in placed.record.secrets})
            yield Change(prepared.destination.records[keys[action.id]], action.id, tuple(fields))


def read(path: Path) -> Receipt:
    """Read a receipt.

    Raises:
        BundleError: there is no such file, or it is no receipt of a version that is known.
    """
    try:
        lines = path.read_bytes().split(b"\n")
    except OSError as error:
        raise BundleError(f"{path}: {error.strerror or 'cannot be read'}") from error
    head = _head(path, lines[0])
    to_make: list[Placed] = []
    changes: list[Change] = []
    made: dict[Key, str] = {}
    for line in lines[1:-1]:
        entry = _entry(path, line)
        if isinstance(entry, _Make):
            to_make.append(Placed(entry.wave, entry.make))
        elif isinstance(entry, Change):
            changes.append(entry)
        else:
            made[entry.made] = entry.id
    return Receipt(head, tuple(to_make), made, tuple(changes))


def _head(path: Path, line: bytes) -> Head:
    try:
        head = msgspec.json.decode(line, type=Head)
    except msgspec.MsgspecError as error:
        raise BundleError(f"{path}: not a receipt of an import", hint="name the file that import wrote") from error
    if head.xfer_receipt.partition(".")[0] != VERSION.partition(".")[0]:
        raise BundleError(f"{path}: a receipt of version {head.xfer_receipt} needs a newer xfer")
    return head


def _entry(path: Path, line: bytes) -> _Make | Change | _Made:
    try:
        names = msgspec.json.decode(line, type=dict[str, msgspec.Raw]).keys()
        if "made" in names:
            return msgspec.json.decode(line, type=_Made)
        return msgspec.json.decode(line, type=_Make) if "make" in names else msgspec.json.decode(line, type=Change)
    except msgspec.MsgspecError as error:
        raise BundleError(f"{path}: a line is damaged", hint="use the file as import wrote it") from error


def needs(environment: Environment) -> dict[Key, frozenset[Key]]:
    """Who refers to each key of an environment."""
    referrers: dict[Key, set[Key]] = {}
    for key, record in environment.records.items():
        for reference in record.references:
            if reference.target != key:
                referrers.setdefault(reference.target, set()).add(key)
    return {key: frozenset(found) for key, found in referrers.items()}
