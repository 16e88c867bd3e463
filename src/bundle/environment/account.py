"""The account of an environment: how many of each kind were seen, and what became of those that do not travel. Pure."""

from __future__ import annotations

import functools
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping

import msgspec

from bundle.environment.lookup import Lookup
from bundle.environment.reader import Malformed
from bundle.kinds import KINDS
from bundle.kinds.base import Kind
from bundle.model import Count, Finding, LeftOut, kind_of, name_of

NAMES_LISTED = 20
_NAMED_APART = 100
_UNREADABLE = "unreadable"


class Unseen(msgspec.Struct, frozen=True):
    """What is there and could not be read: single rows by kind, and whole kinds with what the server answered."""

    malformed: dict[str, tuple[Malformed, ...]] = {}
    kinds: dict[str, str] = {}
    counts: dict[str, int] = {}

    def __bool__(self) -> bool:
        return bool(self.malformed or self.kinds)

    def may_be(self, kind: str, name: str | None) -> bool:
        """Whether a resource of this name may be among what could not be read; None for one without a name."""
        lists = {kind, KINDS[kind].listed_with or kind}
        rows = [row for each in lists for row in self.malformed.get(each, ())]
        return bool(lists & self.kinds.keys()) or any(row.name in {None, name} or name is None for row in rows)

    def holds(self, identifier: str) -> bool:
        """Whether a row that could not be read has this id."""
        return any(row.id == identifier for each in self.malformed.values() for row in each)

    def may_need(self, identifier: str) -> bool:
        """Whether what could not be read may refer to this id."""
        return bool(self.kinds) or any(identifier in row.mentions for each in self.malformed.values() for row in each)

    @property
    def has_unknown_ids(self) -> bool:
        """Whether ids of what is there are not known."""
        return bool(self.kinds) or any(row.id is None for each in self.malformed.values() for row in each)

    def with_failed(self, failed: Iterable[tuple[Kind, Malformed]]) -> Unseen:
        """The same, with further rows."""
        more = {kind: [*each] for kind, each in self.malformed.items()}
        for kind, row in failed:
            more.setdefault(kind.name, []).append(row)
        return msgspec.structs.replace(self, malformed={kind: tuple(each) for kind, each in more.items()})


def lost_need(kind: Kind, row: Mapping[str, object], look: Lookup, unseen: Unseen) -> str | None:
    """The field by which a row belongs to what could not be read; None where it belongs to nothing such."""
    for field in _needed_ids(kind) if unseen else ():
        value = row.get(field)
        if isinstance(value, str) and value not in look and (unseen.has_unknown_ids or unseen.holds(value)):
            return field
    return None


@functools.cache
def _needed_ids(kind: Kind) -> tuple[str, ...]:
    """The fields with ids of what a resource of a kind cannot be without."""
    ids = {name for name in kind.required & kind.travelling if name.endswith("_id")}
    return tuple(sorted(ids | ({kind.parent_field} if kind.parent_field else set())))


def census_of(seen: Mapping[str, int], look: Lookup, dropped: Mapping[str, str], unseen: Unseen) -> dict[str, Count]:
    """How many of each kind were seen, travel, and do not."""
    omitted: dict[str, int] = defaultdict(int)
    for identifier in dropped:
        omitted[kind_of(look.key(identifier))] += 1
    census = {}
    for kind, count in seen.items():
        there = unseen.counts.get(kind, 0) if kind in unseen.kinds else count
        left_out = there if kind in unseen.kinds else omitted[kind] + len(unseen.malformed.get(kind, ()))
        census[kind] = Count(seen=there, exported=there - left_out, left_out=left_out)
    return census


def left_out(dropped: Mapping[str, str], look: Lookup, unseen: Unseen) -> tuple[LeftOut, ...]:
    """What does not travel, by kind and reason; what could not be read goes by its id."""
    groups: dict[tuple[str, str], list[str]] = defaultdict(list)
    for identifier, reason in dropped.items():
        key = look.key(identifier)
        groups[kind_of(key), reason].append(name_of(key))
    for kind, rows in unseen.malformed.items():
        for row in rows:
            groups[kind, row.reason].append(_shown(row))
    listed = [
        LeftOut(kind, reason, len(names), () if reason == "built-in" else tuple(sorted(names)[:NAMES_LISTED]))
        for (kind, reason), names in groups.items()
    ]
    listed += [LeftOut(kind, _UNREADABLE, unseen.counts.get(kind, 0)) for kind in unseen.kinds]
    return tuple(sorted(listed, key=lambda each: (each.kind, each.reason)))


def findings_of_unseen(unseen: Unseen) -> Iterator[Finding]:
    """Why what could not be read could not; of very many the first ones."""
    for kind, rows in unseen.malformed.items():
        yield from (Finding("left-out", f"{kind}:{_shown(row)}", "", row.problem) for row in rows[:_NAMED_APART])
    yield from (Finding("left-out", f"{kind}:*", "", why) for kind, why in unseen.kinds.items())


def _shown(row: Malformed) -> str:
    return row.id or "(no id)"
