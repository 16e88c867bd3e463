"""Carries out a plan: every record ends in exactly one outcome.

The order: what is missing is created and what differs is updated, wave by wave (``create``, ``updates``); then, when
all is there, what was created inert is finished, and what took several writes is looked at once more (``finish``).
Once the destination refuses the credentials (401), or is away beyond the client's retry budget and does not answer a
probe, nothing more is tried. A 403 concerns one resource.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from bundle.apply.confirm import Confirmation
from bundle.apply.control import Control
from bundle.apply.create import Creation
from bundle.apply.finish import Finish
from bundle.apply.outcomes import Outcome
from bundle.apply.state import State
from bundle.apply.updates import Updates
from bundle.environment.describe import Environment
from bundle.model import Api
from bundle.plan.actions import Plan
from bundle.plan.capabilities import Fields
from bundle.plan.intended import Intended
from bundle.plan.secret_values import SecretValues


async def apply(
    plan: Plan,
    records: Sequence[Intended],
    api: Api,
    destination: Environment,
    *,
    fields: Fields,
    secrets: SecretValues,
    control: Control,
) -> tuple[Outcome, ...]:
    """Carry out ``plan``.

    Args:
        plan: made by ``plan.compare`` for the same records and destination.
        records: what is intended, in wave order.
        api: the destination.
        destination: as it was read for the plan.
        fields: what the destination's version takes.
        secrets: values to fill in.
        control: who is informed, and what ends the run early.

    Returns:
        One outcome for each record, in the order of ``records``.
    """
    state = State(plan, api, destination, fields, secrets, control)
    look = Confirmation(api, records, control.patience, ids=state.ids, new=state.new)
    updates = Updates(state, look, secrets)
    creation, finish = Creation(state, look, updates), Finish(state, look, updates)
    waves: dict[int, list[Intended]] = defaultdict(list)
    for record in records:
        waves[record.wave].append(record)
    in_order = [waves[wave] for wave in sorted(waves)]
    for wave in in_order:
        await creation.wave(wave)
    await finish.run(in_order)
    return tuple(state.outcomes[record.key] for record in records)
