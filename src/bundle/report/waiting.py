"""What waits for something that is not there, in lines under what it waits for."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from bundle.report.escaping import escape
from bundle.report.model import Resource
from bundle.report.parts import Lines, cut, joined, rest_of


def needed_by(resource: Resource) -> str:
    return f" (by {escape(', '.join(resource.waits_for))})" if resource.waits_for else ""


def waiting_elsewhere(waiting: Mapping[str, Sequence[str]], told: Iterable[Resource], limit: int | None) -> Lines:
    """What waits for something that is not listed itself."""
    for root in sorted(waiting.keys() - {resource.key for resource in told}):
        yield f"! waiting for {escape(root)}, which is not there"
        yield from blocked_lines(waiting[root], limit)


def blocked_lines(keys: Sequence[str], limit: int | None) -> Lines:
    if keys:
        yield f"    blocked by it ({len(keys)}):"
    yield from (f"      {escape(key)}" for key in cut(keys, limit))
    yield from rest_of(keys, limit, "      ")


def by_root(resources: Sequence[Resource]) -> dict[str, list[str]]:
    """What is blocked, under the first thing in its way that is not blocked itself."""
    waits = {each.key: each.waits_for for each in resources if each.reason == "waits-for" and each.waits_for}
    found: dict[str, list[str]] = defaultdict(list)
    for key in waits:
        found[_root(key, waits)].append(key)
    return dict(found)


def _root(key: str, waits: Mapping[str, tuple[str, ...]]) -> str:
    seen = {key}
    while key in waits:
        key = waits[key][0]
        if key in seen:
            break
        seen.add(key)
    return key


def because(resource: Resource) -> str:
    """Why a resource ended as it did, if there is more to say than the reason."""
    if resource.detail:
        return f": {escape(resource.detail)}"
    places = resource.unchangeable or [each.pointer for each in resource.differences]
    return f": {joined(places, 3)}" if places else ""
