"""How a destination differs from a bundle: the use case of ``verify --to``. Nothing is written anywhere.

Secrets compare by their places only, since a bundle does not hold their values.
"""

from __future__ import annotations

from bundle.environment.read import OnEvent, ignore
from bundle.environment.reveal import reveal
from bundle.environment.snapshot import read_destination
from bundle.plan.actions import Plan
from bundle.plan.capabilities import TellingApi, read_fields
from bundle.plan.compare import Present, View, compare
from bundle.plan.compatibility import fit
from bundle.plan.intended import intend
from bundle.plan.matching import match
from bundle.plan.overlay import Wanted
from bundle.plan.secret_values import SecretValues, to_reveal


async def drift(wanted: Wanted, api: TellingApi, *, on_event: OnEvent = ignore) -> Plan:
    """How a destination differs from what is wanted of a bundle: content and references, field by field.

    What its version cannot hold is named (``Action.dropped``) and does not count as a difference. Neither does a
    placeholder for a secret, which is named too (``Action.missing_secrets``), as far as secrets are shown.

    Raises:
        ServerError: it cannot be reached or refuses.
    """
    asks_all = wanted.bundle.manifest.provenance.get("all_owners") is True
    there = await read_destination(api, is_deep=True, asks_all=asks_all, on_event=on_event)
    fields = await read_fields(api, wanted.bundle)
    records = fit(intend(wanted.bundle.records), fields)
    pairs = match(records, there)
    values = SecretValues(revealed=await reveal(to_reveal(records, pairs, there), api, there))
    return compare(
        records,
        pairs,
        Present(there, is_cloud=None, secrets=values),
        chosen=wanted.chosen,
        external=wanted.external,
        view=View(is_deep=True),
    )
