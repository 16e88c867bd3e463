"""Which resources are meant: the patterns and tags of ``--include``, ``--exclude`` and ``--tag``.

Rules:

1. A resource is selected when it matches any pattern to include, if there are any, and has all tags, if there
   are any. What matches a pattern to exclude is never selected.
2. What selected resources refer to comes along, unless that is not wanted; what has no name of its own (an
   anonymous block, a block type and its schema) always does.
3. What selected resources refer to and what does not come along is *external*: it must be at the destination.
4. A pattern that matches nothing is a mistake, and refused.

Pure: no I/O.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from typing import TypeVar

import msgspec

from bundle.environment.describe import Environment
from bundle.environment.keys import identity
from bundle.errors import UsageError
from bundle.kinds import KINDS
from bundle.kinds.base import Kind
from bundle.model import Count, Json, Key, LeftOut, Record, kind_of, name_of

T = TypeVar("T")

_NAMES_LISTED = 20


class Selection(msgspec.Struct, frozen=True, omit_defaults=True):
    """What was asked for; patterns are ``KIND`` or ``KIND:GLOB``, the glob as a shell has it, over the name."""

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    dependencies: bool = True

    def as_json(self) -> dict[str, Json]:
        """As the manifest holds it (docs/format.md, "Manifest"); empty when everything is meant."""
        found: dict[str, Json] = msgspec.to_builtins(self)
        return found


EVERYTHING = Selection()


def select(records: Mapping[Key, Record], selection: Selection) -> frozenset[Key]:
    """The keys of all that is selected, with what comes along.

    Raises:
        UsageError: a pattern names no kind, or nothing matches a pattern or a tag.
    """
    if selection == EVERYTHING:
        return frozenset(records)
    for pattern in (*selection.include, *selection.exclude):
        if not any(matches(pattern, key) for key in records):
            raise UsageError(f"nothing matches {pattern!r}", hint="`xfer inspect -v` lists the keys of a bundle")
    excluded = {key for key in records if _matches_any(selection.exclude, key)}
    chosen = {key for key, record in records.items() if key not in excluded and _is_meant(record, selection)}
    if selection.tags and not chosen:
        raise UsageError(f"nothing has the tags {', '.join(selection.tags)}", hint="several --tag mean all of them")
    return frozenset(_with_needs(chosen, excluded, records, selection))


def matches(pattern: str, key: Key) -> bool:
    """Whether a pattern means a key, with or without the suffix that tells equal names apart.

    A key itself is a pattern, even where it has characters that mean something in a glob.

    Raises:
        UsageError: the pattern names no kind.
    """
    kind, glob = find_kind(pattern), name_of(pattern)
    if not key.startswith(f"{kind.name}:"):
        return False
    names = {name_of(key), name_of(identity(key))}
    return not glob or glob in names or any(fnmatchcase(name, glob) for name in names)


def find_kind(text: str) -> Kind:
    """The kind that a key or a pattern begins with.

    Raises:
        UsageError: there is no such kind.
    """
    kind = KINDS.get(kind_of(text))
    if kind is None:
        raise UsageError(f"{text!r} names no kind of resource", hint=f"the kinds are {', '.join(sorted(KINDS))}")
    return kind


def _matches_any(patterns: Iterable[str], key: Key) -> bool:
    return any(matches(pattern, key) for pattern in patterns)


def _is_meant(record: Record, selection: Selection) -> bool:
    is_included = not selection.include or _matches_any(selection.include, record.key)
    return is_included and set(selection.tags) <= set(record.body.get("tags") or ())


def _with_needs(
    chosen: set[Key], excluded: set[Key], records: Mapping[Key, Record], selection: Selection
) -> Iterable[Key]:
    found, rest = set(chosen), list(chosen)
    comes_along = _always if selection.dependencies else _without_a_name
    while rest:
        for reference in records[rest.pop()].references:
            target = records.get(reference.target)
            if target is not None and target.key not in found | excluded and comes_along(target):
                found.add(target.key)
                rest.append(target.key)
    return found


def _always(_record: Record) -> bool:
    return True


def _without_a_name(record: Record) -> bool:
    return KINDS[record.kind].comes_along(record.body)


def external(records: Mapping[Key, Record], chosen: frozenset[Key]) -> tuple[Key, ...]:
    """What chosen records refer to and what is not chosen, though it is there; sorted."""
    targets = {reference.target for key in chosen for reference in records[key].references}
    return tuple(sorted((targets & records.keys()) - chosen))


def narrow(environment: Environment, chosen: frozenset[Key]) -> Environment:
    """The environment without what is not chosen, which its census then has as left out."""
    omitted = [key for key in environment.records if key not in chosen]
    return msgspec.structs.replace(
        environment,
        records=_kept(environment.records, chosen),
        ids=_kept(environment.ids, chosen),
        census=_census(environment.census, Counter(map(kind_of, omitted))),
        left_out=tuple(sorted((*environment.left_out, *_left_out(omitted)), key=lambda each: (each.kind, each.reason))),
        findings=tuple(each for each in environment.findings if each.key in chosen or each.code == "left-out"),
    )


def _kept(values: Mapping[Key, T], chosen: frozenset[Key]) -> dict[Key, T]:
    return {key: value for key, value in values.items() if key in chosen}


def _census(census: Mapping[str, Count], omitted: Counter[str]) -> dict[str, Count]:
    return {
        kind: Count(count.seen, count.exported - omitted[kind], count.left_out + omitted[kind])
        for kind, count in census.items()
    }


def _left_out(omitted: list[Key]) -> Iterable[LeftOut]:
    for kind in sorted(set(map(kind_of, omitted))):
        names = sorted(name_of(key) for key in omitted if kind_of(key) == kind)
        yield LeftOut(kind, "excluded", len(names), tuple(names[:_NAMES_LISTED]))
