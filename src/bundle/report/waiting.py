"""What is blocked, in lines under what it waits for."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence

from bundle.report.model import Resource
from bundle.report.parts import Limit, Lines, cut, rest_of


def by_root(resources: Sequence[Resource]) -> dict[str, list[str]]:
    """The keys of what is blocked, under the first resource in their way that is not blocked itself."""
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


def blocked_lines(keys: Sequence[str], limit: Limit) -> Lines:
    """What one resource blocks."""
    if keys:
        yield f"    blocked by it ({len(keys)}):"
    yield from (f"      {key}" for key in cut(keys, limit))
    yield from rest_of(keys, limit, "      ")


def blocked_elsewhere(waiting: Mapping[str, Sequence[str]], listed: Collection[str], limit: Limit) -> Lines:
    """What is blocked by resources that are not listed themselves."""
    for root in sorted(waiting.keys() - set(listed)):
        yield f"! {root}  (not at the destination)"
        yield from blocked_lines(waiting[root], limit)
