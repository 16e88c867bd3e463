"""Where a record and what a destination has for it differ, place by place. Pure.

While two bodies are compared, keys are put in place of ids, on both sides alike. So that a text of a user is never
taken for a key, each key is enclosed meanwhile in a character that Unicode keeps for use inside programs (U+FDD0), so
that no text has it; it is gone from everything that leaves this module.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from bundle.environment.keys import identity
from bundle.kinds import KINDS
from bundle.model import Body, Json, Key, Pointer, Record
from bundle.plan.actions import Difference, MemberKey
from bundle.plan.intended import Intended
from bundle.record.canonical import encode
from bundle.record.pointers import exists, join, replace_all
from bundle.record.references import put_back

_MARK = "\ufdd0"
_ENCLOSED = re.compile(f"{_MARK}([^{_MARK}]*){_MARK}")


def is_within(pointer: Pointer, region: Pointer) -> bool:
    """Whether a place is another one, or lies inside it."""
    return pointer == region or pointer.startswith(f"{region}/")


def differences_of(
    record: Intended, found: Record, pairs: Mapping[Key, Key], *, is_deep: bool, is_two_way: bool = False
) -> Iterator[Difference]:
    """Where a record and what the destination has for it differ.

    ``pairs`` has the destination's key of each key that the record refers to. ``is_deep``: fields that only a deep
    read knows count. What only the destination has and keeps is no difference, unless ``is_two_way``.
    """
    ours = _comparable(
        record, lambda key: pairs.get(key, key), [each.pointer for each in found.secrets], is_deep=is_deep
    )
    theirs = _comparable(found, lambda key: key, [each.pointer for each in record.secrets], is_deep=is_deep)
    if not is_two_way:
        ours = KINDS[record.kind].wanted(ours, theirs)
    if encode(ours) != encode(theirs):
        yield from between(ours, theirs)


def by_name(record: Intended | Record) -> bytes:
    """What a record describes, as far as its references can be compared by name: equal bytes mean the same."""
    return encode(_comparable(record, identity, ()))


def _comparable(
    record: Intended | Record, rename: Callable[[Key], Key], blank: Iterable[Pointer], *, is_deep: bool = False
) -> Body:
    """The body with keys in place of ids, and nothing in secret places."""
    kind = KINDS[record.kind]
    hidden = frozenset() if is_deep else kind.deep_fields
    references = [each for each in record.references if each.pointer.split("/")[1] not in hidden]
    body = {name: value for name, value in record.body.items() if name not in hidden}
    secret = [each.pointer for each in record.secrets]
    body = replace_all(body, {place: None for place in (*secret, *blank) if exists(body, place)})
    return kind.comparable(put_back(body, references, lambda each: f"{_MARK}{rename(each.target)}{_MARK}"))


def between(ours: Json, theirs: Json, path: tuple[str, ...] = ()) -> Iterator[Difference]:
    """The places where two values differ; ``path`` leads to the two."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        for name in sorted({*ours, *theirs}):
            yield from between(ours.get(name), theirs.get(name), (*path, name))
    elif isinstance(ours, list) and isinstance(theirs, list) and _slugs(ours) == _slugs(theirs):
        for position, (one, other) in enumerate(zip(ours, theirs, strict=True)):
            yield from between(one, other, (*path, str(position)))
    elif ours != theirs or type(ours) is not type(theirs):
        yield Difference(join(*map(_bare, path)), _bare(ours), _bare(theirs), members=tuple(_members(path)))


def _slugs(items: Sequence[Json]) -> list[Json]:
    """What tells items of a list apart, so that one schedule is not compared with another."""
    return [item.get("slug") if isinstance(item, dict) else None for item in items]


def _members(path: Sequence[str]) -> Iterator[MemberKey]:
    for depth, name in enumerate(path):
        for number, match in enumerate(_ENCLOSED.finditer(name)):
            yield MemberKey(depth, match.start() - 2 * number, match[1])


def _bare(value: Json) -> Json:
    """A value without what encloses keys."""
    if isinstance(value, str):
        return value.replace(_MARK, "")
    if isinstance(value, dict):
        return {_bare(name): _bare(item) for name, item in value.items()}
    return [_bare(item) for item in value] if isinstance(value, list) else value
