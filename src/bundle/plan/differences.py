"""Where a record and what a destination has for it differ, place by place. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence

from bundle.kinds import KINDS
from bundle.model import Json, Key, Pointer, Record
from bundle.plan.actions import Difference
from bundle.plan.matching import comparable
from bundle.record.canonical import encode
from bundle.record.pointers import join


def is_within(pointer: Pointer, region: Pointer) -> bool:
    """Whether a place is another one, or lies inside it."""
    return pointer == region or pointer.startswith(f"{region}/")


def differences_of(
    record: Record, found: Record, pairs: Mapping[Key, Key], *, is_deep: bool, is_two_way: bool = False
) -> Iterator[Difference]:
    """Where a record and what the destination has for it differ.

    Keys stand in place of ids on both sides; in pointers, marks stand around them (``localized``).
    What only the destination has and keeps is no difference, unless ``is_two_way``.
    """
    ours = comparable(
        record, lambda key: pairs.get(key, key), [each.pointer for each in found.secrets], is_deep=is_deep
    )
    theirs = comparable(found, lambda key: key, [each.pointer for each in record.secrets], is_deep=is_deep)
    if not is_two_way:
        ours = KINDS[record.kind].wanted(ours, theirs)
    if encode(ours) != encode(theirs):
        yield from between(ours, theirs)


def between(ours: Json, theirs: Json, path: tuple[str, ...] = ()) -> Iterator[Difference]:
    """The places where two values differ."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        for name in sorted({*ours, *theirs}):
            yield from between(ours.get(name), theirs.get(name), (*path, name))
    elif isinstance(ours, list) and isinstance(theirs, list) and _slugs(ours) == _slugs(theirs):
        for position, (one, other) in enumerate(zip(ours, theirs, strict=True)):
            yield from between(one, other, (*path, str(position)))
    elif ours != theirs or type(ours) is not type(theirs):
        yield Difference(join(*path), _shown(ours), _shown(theirs))


def _slugs(items: Sequence[Json]) -> list[Json]:
    """What tells items of a list apart, so that one schedule is not compared with another."""
    return [item.get("slug") if isinstance(item, dict) else None for item in items]


_MARKED = re.compile("\x00([^\x00]*)\x00")


def localized(place: Pointer, id_of: Callable[[Key], str]) -> Pointer:
    """The place of a difference, with ids in member names in which keys stand."""
    return _MARKED.sub(lambda match: id_of(match[1].replace("~1", "/").replace("~0", "~")), place)


def _shown(value: Json) -> Json:
    """A value with the marks around keys taken off."""
    if isinstance(value, str):
        return value.replace("\x00", "")
    if isinstance(value, dict):
        return {_shown(name): _shown(item) for name, item in value.items()}
    return [_shown(item) for item in value] if isinstance(value, list) else value
