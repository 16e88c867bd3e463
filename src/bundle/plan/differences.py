"""Where a record and what a destination has for it differ, place by place. Pure.

While two bodies are compared, keys are put in place of ids, on both sides alike, and each is enclosed in a mark: a
character that neither side has anywhere. So no text of a user is taken for a key, whatever it holds. The mark is gone
from everything that leaves this module.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import msgspec

from bundle.environment.keys import identity
from bundle.kinds import KINDS
from bundle.model import Body, Json, Key, Pointer, Record, Reference, Secret
from bundle.plan.actions import Difference, MemberKey
from bundle.plan.intended import Intended
from bundle.record.canonical import encode
from bundle.record.pointers import exists, join, replace_all, split
from bundle.record.references import put_back
from bundle.record.suspects import told_at

# From the first character that Unicode keeps for use inside programs, which hardly any text has, to the last of all.
_MARKS = range(0xFDD0, 0x110000)


def is_within(pointer: Pointer, region: Pointer) -> bool:
    """Whether a place is another one, or lies inside it."""
    return pointer == region or pointer.startswith(f"{region}/")


def differences_of(
    record: Intended, found: Record, pairs: Mapping[Key, Key], *, is_deep: bool, is_two_way: bool = False
) -> Iterator[Difference]:
    """Where a record and what the destination has for it differ.

    ``pairs`` has the destination's key of each key that the record refers to. ``is_deep``: fields that only a deep
    read knows count. What only the destination has and keeps is no difference, unless ``is_two_way``; nor is a field
    that this version of xfer does not know and one side does not have: it tells of releases, not of resources.
    """
    kind = KINDS[record.kind]
    mine = _visible(record, found.secrets, lambda key: pairs.get(key, key), is_deep=is_deep)
    other = _visible(found, record.secrets, lambda key: key, is_deep=is_deep)
    mark = _unused_in(mine, other)
    ours, theirs = kind.comparable(mine.with_keys(mark)), kind.comparable(other.with_keys(mark))
    if not is_two_way:
        lonely = (ours.keys() ^ theirs.keys()) - kind.travelling
        ours, theirs = ({name: item for name, item in each.items() if name not in lonely} for each in (ours, theirs))
        ours = kind.wanted(ours, theirs)
    if encode(ours) != encode(theirs):
        for each in between(ours, theirs):
            told = max(told_at(side, each.pointer) for side in (ours, theirs))
            yield _unmarked(msgspec.structs.replace(each, told=told), mark)


def by_name(record: Intended | Record) -> bytes:
    """What a record describes, as far as its references can be compared by name: equal bytes mean the same."""
    visible = _visible(record, (), identity, is_deep=False)
    mark = _unused_in(visible)
    return encode([mark, KINDS[record.kind].comparable(visible.with_keys(mark))])


class _Visible(msgspec.Struct, frozen=True):
    """What of a record is compared, without anything in secret places; ``keys`` are those to compare its targets by."""

    body: Body
    references: tuple[Reference, ...]
    keys: dict[Key, Key]

    def with_keys(self, mark: str) -> Body:
        """The body with marked keys in place of ids."""
        return put_back(self.body, self.references, lambda each: f"{mark}{self.keys[each.target]}{mark}")


def _visible(
    record: Intended | Record, others: Iterable[Secret], key_of: Callable[[Key], Key], *, is_deep: bool
) -> _Visible:
    """``others`` are the secrets of the other side."""
    hidden = frozenset() if is_deep else KINDS[record.kind].deep_fields
    body = {name: value for name, value in record.body.items() if name not in hidden}
    places = [each.pointer for each in (*record.secrets, *others)]
    references = tuple(each for each in record.references if each.pointer.split("/")[1] not in hidden)
    return _Visible(
        replace_all(body, {place: None for place in places if exists(body, place)}),
        references,
        {each.target: key_of(each.target) for each in references},
    )


def _unused_in(*visible: _Visible) -> str:
    """A character that is nowhere in some records."""
    text = msgspec.json.encode(visible)
    return next(mark for mark in map(chr, _MARKS) if mark.encode() not in text)


def between(ours: Json, theirs: Json, path: tuple[str, ...] = ()) -> Iterator[Difference]:
    """The places where two values differ; ``path`` leads to the two."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        for name in sorted({*ours, *theirs}):
            yield from between(ours.get(name), theirs.get(name), (*path, name))
    elif isinstance(ours, list) and isinstance(theirs, list) and _slugs(ours) == _slugs(theirs):
        for position, (one, other) in enumerate(zip(ours, theirs, strict=True)):
            yield from between(one, other, (*path, str(position)))
    elif ours != theirs or type(ours) is not type(theirs):
        yield Difference(join(*path), ours, theirs)


def _slugs(items: Sequence[Json]) -> list[Json]:
    """What tells items of a list apart, so that one schedule is not compared with another."""
    return [item.get("slug") if isinstance(item, dict) else None for item in items]


def _unmarked(difference: Difference, mark: str) -> Difference:
    """A difference without marks, which says where they were in its pointer."""
    return Difference(
        _bare(difference.pointer, mark),
        _bare(difference.bundle, mark),
        _bare(difference.destination, mark),
        members=tuple(_members(split(difference.pointer), mark)),
        told=difference.told,
    )


def _members(tokens: Sequence[str], mark: str) -> Iterator[MemberKey]:
    for depth, token in enumerate(tokens):
        offset = 0
        for number, piece in enumerate(token.split(mark)):
            if number % 2:
                yield MemberKey(depth, offset, piece)
            offset += len(piece)


def _bare(value: Json, mark: str) -> Json:
    if isinstance(value, str):
        return value.replace(mark, "")
    if isinstance(value, dict):
        return {_bare(name, mark): _bare(item, mark) for name, item in value.items()}
    return [_bare(item, mark) for item in value] if isinstance(value, list) else value
