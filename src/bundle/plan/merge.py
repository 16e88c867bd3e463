"""Works out what an existing resource is to become: its live content, with only what differs taken over. Pure.

Rules:

1. Only places that differ are taken over. All else stays as it is at the
   destination, live secrets and what only the destination has included.
2. A field is written if a place in it differs; no other field is sent.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from bundle.kinds.base import Kind
from bundle.kinds.protocols import Made
from bundle.model import Body, Pointer
from bundle.record.pointers import exists, join, replace_all, resolve, split


class Merged(msgspec.Struct, frozen=True):
    """A resource on its way to other content: what is there, what is to be there, and which fields differ."""

    made: Made
    body: Body
    names: frozenset[str]


def merged(
    kind: Kind, made: Made, live: Body, ours: Body, places: Iterable[Pointer], gone: Body | None = None
) -> Merged:
    """Take over some places.

    Args:
        kind: the resource's.
        made: what is at the destination.
        live: the same as a body with ids, and with its secrets as far as they are shown.
        ours: the body to take from, with the destination's ids.
        places: where the two differ.
        gone: what was there once and is not to stay (``Kind.wanted``).
    """
    wanted = kind.wanted(ours, live, gone)
    regions = regions_of(kind, places)
    return Merged(made, bring_over(live, wanted, regions), frozenset(split(place)[0] for place in regions))


def regions_of(kind: Kind, places: Iterable[Pointer]) -> tuple[Pointer, ...]:
    """The places to take over: lists without an order as a whole, and fields that belong together."""
    return tuple(dict.fromkeys(region for place in places for region in _regions(kind, place)))


def _regions(kind: Kind, place: Pointer) -> list[Pointer]:
    name = split(place)[0]
    if name in kind.together:
        return [join(each) for each in sorted(kind.together)]
    return [join(name) if name in kind.unordered else place]


def bring_over(live: Body, ours: Body, places: Iterable[Pointer]) -> Body:
    """``live`` with what ``ours`` has at some places; what ``ours`` lacks there is taken away."""
    for place in places:
        live = _with(live, place, ours)
    return live


def _with(body: Body, place: Pointer, ours: Body) -> Body:
    if exists(ours, place) and exists(body, place):
        return replace_all(body, {place: resolve(ours, place)})
    parent, name = place.rpartition("/")[0], split(place)[-1]
    holder = resolve(body, parent) if exists(body, parent) else None
    if not isinstance(holder, dict):
        return _with(body, parent, ours)
    changed = {each: item for each, item in holder.items() if each != name}
    if exists(ours, place):
        changed[name] = resolve(ours, place)
    return replace_all(body, {parent: changed}) if parent else changed
