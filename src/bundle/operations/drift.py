"""Compares what is: a bundle with a destination, or any two environments. Nothing is written anywhere.

Secrets compare by their places only, since their values are known to neither side.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec

from bundle.environment.describe import Environment
from bundle.environment.read import OnEvent, ignore
from bundle.environment.reveal import reveal
from bundle.environment.snapshot import read_destination
from bundle.model import Key, Placed
from bundle.plan.actions import Difference, Plan
from bundle.plan.capabilities import TellingApi, read_fields
from bundle.plan.compare import Present, View, compare
from bundle.plan.compatibility import fit
from bundle.plan.intended import intend
from bundle.plan.matching import match
from bundle.plan.overlay import Wanted
from bundle.plan.secret_values import SecretValues, to_reveal


class Change(msgspec.Struct, frozen=True):
    """What became of one resource from one environment to another.

    In ``differences``, ``destination`` is the older value and ``bundle`` the newer one.
    """

    key: Key
    kind: str
    fate: Literal["added", "removed", "changed", "unchanged"]
    differences: tuple[Difference, ...] = ()


async def drift(wanted: Wanted, api: TellingApi, *, on_event: OnEvent = ignore) -> Plan:
    """How a destination differs from what is wanted of a bundle: content and references, field by field.

    What its version cannot hold is named (``Action.dropped``) and does not count as a difference. Neither does a
    marker in the place of a secret, which is named too (``Action.missing_secrets``), as far as secrets are shown.

    Raises:
        ServerError: it cannot be reached or refuses.
    """
    there = await read_destination(api, is_deep=True, on_event=on_event)
    fields = await read_fields(api, wanted.bundle.manifest.provenance.get("source_version"))
    records = fit(intend(wanted.bundle.records), fields)
    pairs = match(records, there)
    values = SecretValues(revealed=await reveal(to_reveal(records, pairs, there), api, there))
    return compare(
        records,
        pairs,
        # What the tier of a destination allows is no difference.
        Present(there, is_cloud=True, secrets=values),
        chosen=wanted.chosen,
        external=wanted.external,
        view=View(is_deep=True),
    )


def changes(older: Environment, newer: Environment) -> tuple[Change, ...]:
    """What was added, removed and changed between two environments, by key."""
    records = intend(Placed(0, record) for record in newer.records.values())
    view = View(is_deep=True, is_two_way=True)
    plan = compare(records, match(records, older), Present(older, is_cloud=True), view=view)
    kept = {action.id for action in plan.actions}
    gone = [record for key, record in older.records.items() if older.ids[key] not in kept]
    found = [Change(each.key, each.kind, "removed") for each in gone]
    for action in plan.actions:
        if action.id is None:
            found.append(Change(action.key, action.kind, "added"))
        else:
            fate: Literal["changed", "unchanged"] = "changed" if action.differences else "unchanged"
            found.append(Change(action.key, action.kind, fate, action.differences))
    return tuple(sorted(found, key=lambda change: (change.kind, change.key)))


def as_environment(records: Sequence[Placed]) -> Environment:
    """A bundle's records as an environment, in which keys take the place of ids."""
    by_key = {placed.record.key: placed.record for placed in records}
    return Environment(
        records=by_key, ids={key: key for key in by_key}, rows={key: {"id": key} for key in by_key}, census={}
    )
