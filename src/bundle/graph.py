"""Who needs whom: waves of records that can be created one after the other.

A record's wave is one more than the latest wave it needs. The members of a
reference cycle (legal for automations) share one wave.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from bundle.model import Key, Placed, Record


def place(records: Iterable[Record]) -> tuple[Placed, ...]:
    """Each record with its wave, sorted by wave, kind and key."""
    by_key = {record.key: record for record in records}
    waves = _waves({key: _needs(record, by_key) for key, record in by_key.items()})
    placed = (Placed(waves[key], record) for key, record in by_key.items())
    return tuple(sorted(placed, key=lambda each: (each.wave, each.record.kind, each.record.key)))


def _needs(record: Record, known: Mapping[Key, Record]) -> list[Key]:
    return sorted({each.target for each in record.references if each.target in known})


def _waves(needs: Mapping[Key, list[Key]]) -> dict[Key, int]:
    waves: dict[Key, int] = {}
    for cycle in _components(needs):
        members = set(cycle)
        before = (waves[need] for key in cycle for need in needs[key] if need not in members)
        wave = max(before, default=-1) + 1
        waves.update(dict.fromkeys(cycle, wave))
    return waves


def _components(needs: Mapping[Key, list[Key]]) -> list[list[Key]]:
    """Strongly connected components, what is needed first (Tarjan, without recursion)."""
    index: dict[Key, int] = {}
    low: dict[Key, int] = {}
    stack: list[Key] = []
    on_stack: set[Key] = set()
    components: list[list[Key]] = []
    for root in sorted(needs):
        if root in index:
            continue
        work = [(root, iter(needs[root]))]
        while work:
            key, rest = work[-1]
            if key not in index:
                index[key] = low[key] = len(index)
                stack.append(key)
                on_stack.add(key)
            deeper = next((need for need in rest if need not in index or _lower(low, key, need, on_stack, index)), None)
            if deeper is not None:
                work.append((deeper, iter(needs[deeper])))
                continue
            work.pop()
            if work:
                low[work[-1][0]] = min(low[work[-1][0]], low[key])
            if low[key] == index[key]:
                components.append(_pop(stack, on_stack, key))
    return components


def _lower(low: dict[Key, int], key: Key, need: Key, on_stack: set[Key], index: dict[Key, int]) -> bool:
    """Note a need that was already visited; never a reason to go deeper."""
    if need in on_stack:
        low[key] = min(low[key], index[need])
    return False


def _pop(stack: list[Key], on_stack: set[Key], root: Key) -> list[Key]:
    component = []
    while True:
        key = stack.pop()
        on_stack.discard(key)
        component.append(key)
        if key == root:
            return sorted(component)
