"""What became of resources along a timeline: when each came, changed and went.

Bundles are compared one after the other, so two are in memory at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime

import msgspec

from bundle.archive.timeline import Kept
from bundle.environment.describe import Environment
from bundle.model import Bundle, Key
from bundle.operations.diff import Change, as_environment, changes


class Step(msgspec.Struct, frozen=True):
    """What changed with one snapshot, against the one before; with the first, what was there."""

    id: str
    time: datetime
    changes: tuple[Change, ...]


def history(kept: Iterable[Kept], read: Callable[[Kept], Bundle], key: Key | None = None) -> Iterator[Step]:
    """The steps from the oldest snapshot on at which anything changed, of one resource or of all.

    ``read`` gives a snapshot's bundle; one that is equal to the one before is no step, and is not read.
    """
    former: Environment | None = None
    digest = None
    for each in kept:
        if each.point.content_digest == digest:
            continue
        digest = each.point.content_digest
        present = as_environment(read(each).records)
        found = _first(present, key) if former is None else _between(former, present, key)
        former = present
        if found:
            yield Step(each.point.id, each.time, found)


def _first(present: Environment, key: Key | None) -> tuple[Change, ...]:
    """Of one resource whether it was there; a list of everything would be no change log."""
    return tuple(Change(each, record.kind, "added") for each, record in present.records.items() if each == key)


def _between(former: Environment, present: Environment, key: Key | None) -> tuple[Change, ...]:
    found = changes(former, present)
    return tuple(each for each in found if each.fate != "unchanged" and key in {None, each.key})
