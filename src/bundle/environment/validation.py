"""Refuses records that are not what they claim to be. Pure.

A bundle can be whole by every rule of its format, and still hold what no Prefect server ever had, or call a record what
it is not. Before anything is done with it, each record is checked once: its body is one of its kind, its key is the one
that its body and what it refers to give (docs/format.md, "Keys"), and each secret has the slot of its own place.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from bundle.environment.keys import natural_key
from bundle.errors import Corrupt, UnsupportedFormat
from bundle.kinds import KINDS
from bundle.kinds.base import Kind
from bundle.kinds.naming import UNSAID
from bundle.model import Body, Placed, Pointer, Record, Reference, kind_of, name_of
from bundle.record.pointers import join
from bundle.record.references import put_back
from bundle.record.secrets import slot_id

_AGAIN = "export the source again, and see who can have changed the file"


def checked(records: Iterable[Placed], *, only_known: bool = True, lean: bool = False) -> Iterator[Placed]:
    """The same records, one by one, if each is what it claims to be; those of a ``lean`` bundle claim a kind only.

    Raises:
        UnsupportedFormat: a kind is not known, and only known ones will do.
        Corrupt: a body is not one of its kind, a key not that of its body, or a slot not that of its place.
    """
    for placed in records:
        if placed.record.kind in KINDS and not lean:
            _check_body(placed.record)
            _check_key(placed.record)
        elif only_known and placed.record.kind not in KINDS:
            raise UnsupportedFormat(
                f"{placed.record.key!r} is of a kind that this xfer does not know",
                hint="upgrade xfer, then run the command again",
            )
        _check_slots(placed.record)
        yield placed


def is_bound(record: Record) -> bool:
    """Whether the key of a record is the one that its body and what it refers to give."""
    try:
        _check_key(record)
    except Corrupt:
        return False
    return True


def _check_body(record: Record) -> None:
    misfit = KINDS[record.kind].misfit_of_body(record.body)
    if misfit is not None:
        raise Corrupt(f"{record.key!r} is not a {record.kind}: {misfit}", hint=_AGAIN)


def _check_key(record: Record) -> None:
    kind = KINDS[record.kind]
    found, claimed = _bound_name(record, kind), name_of(natural_key(record.key))
    if not re.fullmatch(".+".join(map(re.escape, found.split(UNSAID))), claimed, re.DOTALL):
        said = found.replace(UNSAID, "…")
        raise Corrupt(f"{record.key!a} has the body of another {record.kind}: {said!a}", hint=_AGAIN)


def _bound_name(record: Record, kind: Kind) -> str:
    """The name that body and references give."""
    own = join(kind.name_field) if kind.name_field else None
    body: Body = put_back(record.body, record.references, lambda each: _name_of_target(each, own))
    parents = [each.target for each in record.references if each.pointer == join(kind.parent_field or "")]
    if any(kind_of(target) != kind.parent_kind for target in parents if kind.parent_kind):
        raise Corrupt(f"{record.key!r}: at {kind.parent_field} there is no {kind.parent_kind}", hint=_AGAIN)
    return kind.bound_name(body, name_of(natural_key(parents[0])) if parents else UNSAID)


def _name_of_target(reference: Reference, own: Pointer | None) -> str:
    # Two names that contain each other's ids have no last spelling, so what stands in a name may be any text.
    return UNSAID if reference.pointer == own else name_of(natural_key(reference.target))


def _check_slots(record: Record) -> None:
    for each in record.secrets:
        # Bundles of before had no sign between key and place.
        if each.slot not in {slot_id(record.key, each.pointer), f"{record.key}{each.pointer}"}:
            raise Corrupt(f"{record.key!r}: the secret at {each.pointer!r} has the slot of another place", hint=_AGAIN)
