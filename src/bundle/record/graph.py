"""Who needs whom: waves of records that can be created one after the other.

A record's wave is one more than the latest wave it needs. The members of a
reference cycle (legal for automations) share one wave.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeVar

from bundle.model import Key, Placed, Record

Node = TypeVar("Node", str, int)


def place(records: Iterable[Record], after: Mapping[Key, Key] | None = None) -> tuple[Placed, ...]:
    """Each record with its wave, sorted by wave, kind and key.

    ``after`` has for a key another one that comes in an earlier wave though nothing refers to it; where that would
    close a cycle, none of it counts.
    """
    by_key = {record.key: record for record in records}
    needs = {key: _needs(record, by_key) for key, record in by_key.items()}
    ordered = {key: [*each, *_earlier(key, after or {}, by_key)] for key, each in needs.items()}
    waves = _waves(ordered if len(components(ordered)) == len(components(needs)) else needs)
    placed = (Placed(waves[key], record) for key, record in by_key.items())
    return tuple(sorted(placed, key=lambda each: (each.wave, each.record.kind, each.record.key)))


def _needs(record: Record, known: Mapping[Key, Record]) -> list[Key]:
    return sorted({each.target for each in record.references if each.target in known})


def _earlier(key: Key, after: Mapping[Key, Key], known: Mapping[Key, Record]) -> list[Key]:
    return [after[key]] if after.get(key) in known else []


def _waves(needs: Mapping[Key, list[Key]]) -> dict[Key, int]:
    waves: dict[Key, int] = {}
    for cycle in components(needs):
        members = set(cycle)
        before = (waves[need] for key in cycle for need in needs[key] if need not in members)
        wave = max(before, default=-1) + 1
        waves.update(dict.fromkeys(cycle, wave))
    return waves


def components(needs: Mapping[Node, list[Node]]) -> list[list[Node]]:
    """Strongly connected components, what is needed first (Tarjan, without recursion)."""
    index: dict[Node, int] = {}
    low: dict[Node, int] = {}
    stack: list[Node] = []
    on_stack: set[Node] = set()
    components: list[list[Node]] = []
    for root in sorted(needs):
        if root in index:
            continue
        work = [(root, iter(needs[root]))]
        while work:
            node, rest = work[-1]
            if node not in index:
                index[node] = low[node] = len(index)
                stack.append(node)
                on_stack.add(node)
            deeper = next(
                (need for need in rest if need not in index or _lower(low, node, need, on_stack, index)), None
            )
            if deeper is not None:
                work.append((deeper, iter(needs[deeper])))
                continue
            work.pop()
            if work:
                low[work[-1][0]] = min(low[work[-1][0]], low[node])
            if low[node] == index[node]:
                components.append(_pop(stack, on_stack, node))
    return components


def _lower(low: dict[Node, int], node: Node, need: Node, on_stack: set[Node], index: dict[Node, int]) -> bool:
    """Note a need that was already visited; never a reason to go deeper."""
    if need in on_stack:
        low[node] = min(low[node], index[need])
    return False


def _pop(stack: list[Node], on_stack: set[Node], root: Node) -> list[Node]:
    component = []
    while True:
        node = stack.pop()
        on_stack.discard(node)
        component.append(node)
        if node == root:
            return sorted(component)
