"""What changed from one environment to another, each a bundle or a server: the use case of ``diff``. Pure.

Secrets compare by their places only, since their values are known to neither side.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec

from bundle.environment.describe import Environment
from bundle.model import Key, Placed
from bundle.plan.actions import Action, Difference
from bundle.plan.compare import Present, View, compare
from bundle.plan.intended import intend
from bundle.plan.matching import match


class Change(msgspec.Struct, frozen=True):
    """What became of one resource from one environment to another.

    In ``differences``, ``destination`` is the older value and ``bundle`` the newer one.
    """

    key: Key
    kind: str
    fate: Literal["added", "removed", "changed", "unchanged"]
    differences: tuple[Difference, ...] = ()


def changes(older: Environment, newer: Environment) -> tuple[Change, ...]:
    """What was added, removed and changed between two environments, by key."""
    records = intend(Placed(0, record) for record in newer.records.values())
    view = View(is_deep=True, is_two_way=True)
    plan = compare(records, match(records, older), Present(older, is_cloud=None), view=view)
    kept = {action.id for action in plan.actions}
    gone = [Change(key, each.kind, "removed") for key, each in older.records.items() if older.ids[key] not in kept]
    found = [*gone, *map(_change, plan.actions)]
    return tuple(sorted(found, key=lambda change: (change.kind, change.key)))


def _change(action: Action) -> Change:
    if action.id is None:
        return Change(action.key, action.kind, "added")
    return Change(action.key, action.kind, "changed" if action.differences else "unchanged", action.differences)


def as_environment(records: Sequence[Placed]) -> Environment:
    """A bundle's records as an environment, in which keys take the place of ids."""
    by_key = {placed.record.key: placed.record for placed in records}
    return Environment(
        records=by_key, ids={key: key for key in by_key}, rows={key: {"id": key} for key in by_key}, census={}
    )
