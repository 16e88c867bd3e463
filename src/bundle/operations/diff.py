"""What changed from one environment to another, each a bundle or a server: the use case of ``diff``. Pure.

Secrets compare by their places only, since their values are known to neither side.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

import msgspec

from bundle.environment.describe import Environment
from bundle.model import Key, LeftOut, Placed, Record, kind_of
from bundle.plan.actions import Action, Difference
from bundle.plan.compare import Present, View, compare
from bundle.plan.intended import intend
from bundle.plan.matching import match
from bundle.record.canonical import is_exported, is_lean

Fate = Literal["added", "removed", "changed", "unchanged"]


class Change(msgspec.Struct, frozen=True):
    """What became of one resource from one environment to another.

    In ``differences``, ``destination`` is the older value and ``bundle`` the newer one.
    """

    key: Key
    kind: str
    fate: Fate
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


def changes_by_digest(older: Mapping[Key, str], newer: Mapping[Key, str]) -> tuple[Change, ...]:
    """The same where one of the two is a lean state, so that nobody can say where they differ."""
    found = []
    for key in sorted({*older, *newer}, key=lambda key: (kind_of(key), key)):
        fate: Fate = "added" if key not in older else "removed" if key not in newer else "changed"
        fate = "unchanged" if older.get(key) == newer.get(key) else fate
        found.append(Change(key, kind_of(key), fate))
    return tuple(found)


def digests_of(records: Iterable[Record], *, is_whole: bool) -> dict[Key, str]:
    """The digest of each record by its key, or of the record that it stands for.

    ``is_whole``: also of what only a lean state has, since an export leaves it out.
    """
    return {
        each.key: str(each.body["digest"]) if is_lean(each) else each.digest
        for each in records
        if is_whole or not is_lean(each) or is_exported(each)
    }


def _change(action: Action) -> Change:
    if action.id is None:
        return Change(action.key, action.kind, "added")
    return Change(action.key, action.kind, "changed" if action.differences else "unchanged", action.differences)


def as_environment(records: Sequence[Placed], left_out: tuple[LeftOut, ...] = ()) -> Environment:
    """A bundle's records as an environment, in which keys take the place of ids; ``left_out`` as in its manifest."""
    by_key = {placed.record.key: placed.record for placed in records}
    rows = {key: {"id": key} for key in by_key}
    return Environment(records=by_key, ids={key: key for key in by_key}, rows=rows, census={}, left_out=left_out)
