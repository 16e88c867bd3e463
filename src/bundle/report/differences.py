"""One resource in lines: what is done with it and why, and where two sides differ."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from bundle.kinds import KINDS
from bundle.model import Json
from bundle.operations.diff import Change
from bundle.plan.actions import Difference
from bundle.record.pointers import split
from bundle.record.suspects import SHOWN, masked, told_at
from bundle.report.model import FieldDifference, Resource, Verb
from bundle.report.parts import VALUE_CHARACTERS, Limit, Lines, as_text, clipped, cut, joined, rest_of

_ITEM_CHARACTERS = 400
"""A schedule with its parameters, which is what lists mostly differ in."""
_CONTEXT_CHARACTERS = 30
# The glyph says it.
_PLAIN = frozenset({"created", "exists-same", "created-without-secret", "added", "removed", "changed"})
_CHANGED: Mapping[str, Verb] = {"added": "add", "removed": "remove", "changed": "change", "unchanged": "keep"}
_GLYPHS: Mapping[str, str] = {
    "create": "+",
    "complete": "+",
    "fill": "+",
    "update": "~",
    "unsupported": "!",
    "blocked": "!",
    "skip": "=",
    "add": "+",
    "remove": "-",
    "change": "~",
}


def resource_lines(resource: Resource, limit: Limit) -> Lines:
    """A resource with its glyph, its reason, its differences and the secrets that it lacks."""
    glyph = "~" if resource.differences else _GLYPHS[resource.action]
    detail = f": {resource.detail}" if resource.detail else ""
    why = "" if resource.reason in _PLAIN else f"  ({resource.reason}{detail})"
    waits = f" waits for {joined(resource.waits_for, 3)}" if resource.waits_for else ""
    yield f"{glyph} {resource.key}{why}{waits}"
    for each in cut(resource.differences, limit):
        yield from _difference(each, limit, is_kept=each.pointer in resource.unchangeable)
    yield from rest_of(resource.differences, limit, "    ")
    yield from (f"    ? {slot}" for slot in resource.missing_secrets)


def _difference(each: FieldDifference, limit: Limit, *, is_kept: bool) -> Lines:
    yield f"    {each.pointer or '/'}{'  (cannot be changed)' if is_kept else ''}"
    if each.is_hidden:
        yield "      differs; not shown because it looks like a secret"
        return
    for mark, values in zip("-+", _apart(each.destination, each.bundle, limit), strict=True):
        yield from (f"      {mark} {value}" for value in cut(values, limit))
        yield from rest_of(values, limit, "      ")


def _apart(older: Json, newer: Json, limit: Limit) -> tuple[Sequence[str], Sequence[str]]:
    """Both values as short texts in which one can see the difference.

    Of long lists these are the items that only one side has, of other long values the parts around the difference.
    """
    before, after = as_text(older), as_text(newer)
    if limit is None or max(len(before), len(after)) <= VALUE_CHARACTERS:
        return [before], [after]
    if isinstance(older, list) and isinstance(newer, list):
        gone, come = _besides(older, newer), _besides(newer, older)
        if gone or come:
            return gone, come
    return _around(before, after)


def _besides(items: Sequence[Json], others: Sequence[Json]) -> list[str]:
    known = {as_text(each) for each in others}
    return [clipped(text, size=_ITEM_CHARACTERS) for text in map(as_text, items) if text not in known]


def _around(before: str, after: str) -> tuple[Sequence[str], Sequence[str]]:
    """Both texts from a little before the place where they differ."""
    same = next((place for place, (a, b) in enumerate(zip(before, after, strict=False)) if a != b), 0)
    start = same - _CONTEXT_CHARACTERS if same > VALUE_CHARACTERS // 2 else 0
    return [clipped(before, start)], [clipped(after, start)]


def changed_resource(change: Change) -> Resource:
    """A resource of which two environments are compared."""
    return Resource(
        key=change.key,
        kind=change.kind,
        action=_CHANGED[change.fate],
        state=None,
        reason=change.fate,
        differences=field_differences(change.kind, change.differences),
    )


def field_differences(kind: str, found: Iterable[Difference]) -> tuple[FieldDifference, ...]:
    """Differences as they may be shown: with the defaults of fields, and ``***`` for what looks like a secret."""
    return tuple(_field_difference(_with_defaults(kind, each)) for each in found)


def _with_defaults(kind: str, found: Difference) -> Difference:
    """The same with what a field means that one side leaves out, since every server fills that in."""
    name, *inner = split(found.pointer) or [""]
    default = None if inner or found.is_secret or kind not in KINDS else KINDS[kind].defaults.get(name)
    if default is None:
        return found
    ours, theirs = (default if side is None else side for side in (found.bundle, found.destination))
    return msgspec.structs.replace(found, bundle=ours, destination=theirs)


def _field_difference(found: Difference) -> FieldDifference:
    """A difference as it may be shown. Here values enter a report."""
    told = max(found.told, told_at(None, found.pointer))
    newer, older = masked(found.bundle, told), masked(found.destination, told)
    if found.is_secret or SHOWN in (newer, older) or newer == older:
        return FieldDifference(found.pointer, None, None, is_hidden=True)
    return FieldDifference(found.pointer, newer, older)


def because(resource: Resource) -> str:
    """Why a resource ended as it did, where there is more to say than the reason."""
    if resource.detail:
        return f": {resource.detail}"
    places = resource.unchangeable or [each.pointer for each in resource.differences]
    return f": {joined(places, 3)}" if places else ""


def needed_by(resource: Resource) -> str:
    """What a resource is kept for, or waits for."""
    return f" (by {', '.join(resource.waits_for)})" if resource.waits_for else ""
