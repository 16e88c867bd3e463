"""Counts the flow runs of resources: a flow takes its runs along when it is deleted, a deployment those to come.

Runs that the scheduler added and nobody started are left out of account, since it adds them again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bundle.kinds import KINDS
from bundle.model import Api, Body, Key, kind_of

_ADDED_BY_SCHEDULER: Body = {"state": {"type": {"any_": ["SCHEDULED"]}}, "tags": {"all_": ["auto-scheduled"]}}
_IDS_AT_ONCE = 100


async def flow_runs_of(found: Mapping[Key, str], api: Api) -> dict[Key, int]:
    """How many flow runs some resources, given with their ids, have; those without any are not in the answer.

    ``POST /flow_runs/count``, for many resources at once; for each of them only where there are any.

    Raises:
        ServerError: the destination does not tell.
    """
    counts: dict[Key, int] = {}
    for word in sorted({kind.run_filter for kind in KINDS.values() if kind.run_filter}):
        keys = [key for key in found if KINDS[kind_of(key)].run_filter == word]
        for start in range(0, len(keys), _IDS_AT_ONCE):
            some = keys[start : start + _IDS_AT_ONCE]
            if await _count(word, [found[key] for key in some], api):
                each = {key: await _count(word, [found[key]], api) for key in some}
                counts |= {key: count for key, count in each.items() if count}
    return counts


async def _count(word: str, identifiers: Sequence[str], api: Api) -> int:
    asked: Body = {word: {"id": {"any_": list(identifiers)}}}
    every = await api.read("/flow_runs/count", asked)
    added = await api.read("/flow_runs/count", asked | {"flow_runs": _ADDED_BY_SCHEDULER}) if every else 0
    return int(every) - int(added)
