"""Refuses records whose bodies are none of their kind. Pure.

A bundle can be whole by every rule of its format, and still hold what no Prefect server ever had. What kinds look
into is checked here once, before anything is done with it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from bundle.errors import Corrupt, UnsupportedFormat
from bundle.kinds import KINDS
from bundle.model import Placed, Record


def checked(records: Iterable[Placed], *, only_known: bool = True) -> Iterator[Placed]:
    """The same records, one by one, if each can be a resource of its kind.

    Raises:
        UnsupportedFormat: a kind is not known, and only known ones will do.
        Corrupt: a body is none of its kind.
    """
    for placed in records:
        if placed.record.kind in KINDS:
            _refuse_misfit(placed.record)
        elif only_known:
            raise UnsupportedFormat(
                f"{placed.record.key!r} is of a kind that this xfer does not know",
                hint="upgrade xfer, then run the command again",
            )
        yield placed


def _refuse_misfit(record: Record) -> None:
    misfit = KINDS[record.kind].misfit_of_body(record.body)
    if misfit is not None:
        raise Corrupt(f"{record.key!r} is no {record.kind}: {misfit}", hint="export the source again")
