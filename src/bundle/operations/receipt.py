"""The receipt of an import: what it is going to make and change, and what it made.

A file of JSON lines, so that a killed run leaves a receipt that can be used:

    {"xfer_receipt": "1.0", "destination": …, "content_digest": …, "created": …}
    {"make": {record}, "wave": 3}            one for each resource to be made
    {"change": {record}, "id": …, …}         the pre-image of each to be changed, without secrets
    {"trying": key}                          added before each creation,
    {"made": key, "id": …}                   and after it

All but the last two are written and synced before the first write to the
destination. A last line that was cut off is passed over. What was never tried
is nobody's business: an equal resource there is somebody else's. Receipts of
version 1.0 have no ``trying``, and may have tried everything.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO, Self

import msgspec

from bundle.apply.control import Witness
from bundle.environment.describe import Environment
from bundle.errors import BundleError, OutputError
from bundle.files import check_target, output_errors
from bundle.model import Key, Placed, Pointer, Record
from bundle.operations.import_ import Prepared
from bundle.plan.actions import Action
from bundle.plan.intended import Intended, intend
from bundle.record.canonical import encode
from bundle.record.pointers import split

VERSION = "1.1"
_WITHOUT_TRYING = "1.0"


class Head(msgspec.Struct, frozen=True):
    """Which import this is the receipt of."""

    xfer_receipt: str
    destination: str
    content_digest: str
    created: str


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


class _Make(msgspec.Struct, frozen=True):
    make: Record
    wave: int


class _Trying(msgspec.Struct, frozen=True):
    trying: Key


class _Made(msgspec.Struct, frozen=True):
    made: Key
    id: str | None


_ENTRIES: Mapping[str, type[msgspec.Struct]] = {"made": _Made, "trying": _Trying, "make": _Make}


class Receipt(msgspec.Struct, frozen=True):
    """A receipt as read: what may have been made, the ids of what was, and what was to be changed."""

    head: Head
    to_make: tuple[Intended, ...]
    made: dict[Key, str]
    changes: tuple[PreImage, ...]


class Journal(Witness):
    """Writes a receipt: all that is intended first, then each creation, before and after.

    The first failure to write is kept in ``failure``, and ends the writing, but not what is under way.
    """

    def __init__(self, file: BinaryIO, path: Path, on_failure: Callable[[], None]) -> None:
        self._file = file
        self._path = path
        self._on_failure = on_failure
        self.failure: OutputError | None = None

    @classmethod
    def begin(
        cls,
        path: Path,
        prepared: Prepared,
        *,
        destination: str,
        created: str,
        on_failure: Callable[[], None] = lambda: None,
    ) -> Self:
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
        return cls(file, path, on_failure)

    def trying(self, key: Key) -> None:
        self._note(_Trying(key))

    def made(self, key: Key, identifier: str | None) -> None:
        self._note(_Made(key, identifier))

    def _note(self, entry: _Trying | _Made) -> None:
        if self.failure is None:
            try:
                with output_errors(self._path):
                    self._file.write(encode(entry) + b"\n")
                    self._file.flush()
            except OutputError as failure:
                self.failure = failure
                self._on_failure()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        try:
            with output_errors(self._path), self._file:
                self._file.flush()
                os.fsync(self._file.fileno())
        except OutputError as failure:
            self.failure = self.failure or failure


def is_needed(prepared: Prepared) -> bool:
    """Whether the plan writes anything that could be taken back."""
    return any(action.verb in {"create", "complete", "fill", "update"} for action in prepared.plan.actions)


def _intended(prepared: Prepared) -> Iterator[_Make | PreImage]:
    actions = {action.key: action for action in prepared.plan.actions}
    keys = prepared.destination.keys
    ids = prepared.plan.external | {action.key: action.id for action in actions.values() if action.id is not None}
    for record in prepared.records:
        action = actions[record.key]
        if action.verb in {"create", "complete"}:
            yield _Make(record.as_record(), record.wave)
        elif action.verb == "fill" and action.id is not None:
            fields = sorted({secret.pointer.split("/")[1] for secret in record.secrets})
            yield PreImage(prepared.destination.records[keys[action.id]], action.id, tuple(fields))
        elif action.verb == "update" and action.id is not None:
            yield _update(prepared, record, action, prepared.destination.records[keys[action.id]], ids)


def _update(prepared: Prepared, record: Intended, action: Action, found: Record, ids: Mapping[Key, str]) -> PreImage:
    theirs = prepared.destination.ids
    places = tuple(each.at(lambda key: theirs.get(key, key)) for each in action.to_write)
    return PreImage(
        found,
        str(action.id),
        tuple(sorted({split(place)[0] for place in places})),
        places,
        record.as_record(),
        {each.target: theirs[each.target] for each in found.references if each.target in theirs},
        {each.target: ids[each.target] for each in record.references if each.target in ids},
    )


def read(path: Path) -> Receipt:
    """Read a receipt.

    Raises:
        BundleError: there is no such file, or it is not a receipt of a known version.
    """
    try:
        lines = path.read_bytes().split(b"\n")
    except OSError as error:
        reason = (error.strerror or "input error").lower()
        raise BundleError(f"{path}: cannot be read: {reason}", hint="check the name of the receipt") from error
    head = _head(path, lines[0])
    to_make: list[Intended] = []
    changes: list[PreImage] = []
    made: dict[Key, str | None] = {}
    tried: set[Key] = set()
    for line in lines[1:-1]:
        entry = _entry(path, line)
        if isinstance(entry, _Make):
            to_make.extend(intend([Placed(entry.wave, entry.make)]))
        elif isinstance(entry, PreImage):
            changes.append(entry)
        elif isinstance(entry, _Trying):
            tried.add(entry.trying)
        else:
            made[entry.made] = entry.id
    ours = {key: identifier for key, identifier in made.items() if identifier is not None}
    if head.xfer_receipt == _WITHOUT_TRYING:
        tried = {each.key for each in to_make}
    mine = (tried | ours.keys()) - {key for key, identifier in made.items() if identifier is None}
    return Receipt(head, tuple(each for each in to_make if each.key in mine), ours, tuple(changes))


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


def _entry(path: Path, line: bytes) -> _Make | PreImage | _Trying | _Made:
    try:
        names = msgspec.json.decode(line, type=dict[str, msgspec.Raw]).keys()
        form: Any = next((form for name, form in _ENTRIES.items() if name in names), PreImage)
        entry: _Make | PreImage | _Trying | _Made = msgspec.json.decode(line, type=form)
    except msgspec.MsgspecError as error:
        raise BundleError(f"{path}: a line is damaged", hint="use the file as import wrote it") from error
    return entry


def referrers(environment: Environment) -> dict[Key, frozenset[Key]]:
    """Who refers to each key of an environment."""
    found: dict[Key, set[Key]] = {}
    for key, record in environment.records.items():
        for reference in record.references:
            if reference.target != key:
                found.setdefault(reference.target, set()).add(key)
    return {key: frozenset(each) for key, each in found.items()}
