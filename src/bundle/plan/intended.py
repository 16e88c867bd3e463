"""What is intended for one record: the record as the bundle has it, and the body that the destination is to have.

An overlay changes records themselves; what a destination cannot hold, or what an inert import switches off, changes
only what is intended of them. The record stays as it was, so its digest still says what it is known by.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from bundle.kinds import KINDS
from bundle.model import Body, Key, Placed, Pointer, Record, Reference, Secret
from bundle.record.canonical import record_digest
from bundle.record.pointers import split


class Intended(msgspec.Struct, frozen=True):
    """A record on its way to a destination.

    ``body``, ``references`` and ``secrets`` are what is to be there. ``dropped`` are places that the destination cannot
    hold, and that are not in the body, or for which the whole is refused; ``refused`` is then the reason code.
    """

    record: Record
    wave: int
    body: Body
    references: tuple[Reference, ...]
    secrets: tuple[Secret, ...]
    dropped: tuple[Pointer, ...] = ()
    refused: str | None = None

    @property
    def key(self) -> Key:
        """The key of the record."""
        return self.record.key

    @property
    def kind(self) -> str:
        """The name of its kind."""
        return self.record.kind

    @property
    def digest(self) -> str:
        """The digest of what is intended, which is not always the record's: an inert import wants it switched off."""
        return record_digest(self.key, self.body, self.references, self.secrets)

    @property
    def mark(self) -> str:
        """The mark that it carries while it is unfinished. It holds the digest, so no record can contain its own."""
        return f"xfer:pending:{self.record.digest[:16]}"

    @property
    def made_up_name(self) -> str | None:
        """The name under which it is created if it has none of its own; else None."""
        return KINDS[self.kind].made_up_name(self.body, self.mark)

    @property
    def is_marked_first(self) -> bool:
        """Whether it is created in another form first, with its mark."""
        return KINDS[self.kind].pending(self.body, self.mark) != self.body

    def with_body(self, body: Body) -> Intended:
        """The same, with another body in which nothing has moved."""
        return msgspec.structs.replace(self, body=body)

    def as_record(self) -> Record:
        """What is intended in the form of a record, still with the digest that it is known by."""
        return msgspec.structs.replace(self.record, body=self.body, references=self.references, secrets=self.secrets)


def intend(records: Iterable[Placed]) -> tuple[Intended, ...]:
    """The records as they are; a field that is null is meant as one that is left out."""
    return tuple(
        Intended(placed.record, placed.wave, _said(placed.record), placed.record.references, placed.record.secrets)
        for placed in records
    )


def _said(record: Record) -> Body:
    """The body without nulls, but for those that something else of the record, or its kind, speaks of."""
    if all(value is not None for value in record.body.values()):
        return record.body
    places = [*(each.pointer for each in record.references), *(each.pointer for each in record.secrets)]
    kept = {split(place)[0] for place in places} | KINDS[record.kind].required
    return {name: value for name, value in record.body.items() if value is not None or name in kept}


def switched_off(record: Intended) -> Intended:
    """The same with everything in its body switched off."""
    kind = KINDS[record.kind]
    off = dict.fromkeys(kind.switches(record.body), False)
    return record.with_body(kind.switched(record.body, off)) if off else record
