"""Writes the receipt of an import while it runs, line by line; ``operations.receipt`` has its form."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import BinaryIO, Self

from bundle.apply.control import Witness
from bundle.errors import OutputError
from bundle.files import check_target, output_errors
from bundle.model import Key, Record
from bundle.operations.import_ import Prepared
from bundle.operations.receipt import VERSION, Head, PreImage, ToMake, Trying, WasMade
from bundle.plan.actions import Action
from bundle.plan.intended import Intended
from bundle.record.canonical import encode
from bundle.record.pointers import split
from bundle.trust.verdict import Verdict


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
        verdict: Verdict | None = None,
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
            for line in (Head(VERSION, destination, digest, created, verdict), *_intended(prepared)):
                file.write(encode(line) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        return cls(file, path, on_failure)

    def trying(self, key: Key) -> None:
        self._note(Trying(key))

    def made(self, key: Key, identifier: str | None, updated: str | None = None) -> None:
        self._note(WasMade(key, identifier, updated))

    def _note(self, entry: Trying | WasMade) -> None:
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


def _intended(prepared: Prepared) -> Iterator[ToMake | PreImage]:
    actions = {action.key: action for action in prepared.plan.actions}
    keys = prepared.destination.keys
    ids = prepared.plan.external | {action.key: action.id for action in actions.values() if action.id is not None}
    for record in prepared.records:
        action = actions[record.key]
        if action.verb in {"create", "complete"}:
            yield ToMake(record.as_record(), record.wave)
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
