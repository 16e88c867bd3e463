"""The use case of import: a bundle and a destination become a plan, and the plan outcomes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import msgspec

from bundle.apply.control import Control
from bundle.apply.outcomes import Outcome, State
from bundle.apply.run import apply
from bundle.environment.describe import Environment
from bundle.environment.read import OnEvent, ignore
from bundle.environment.reveal import reveal
from bundle.environment.snapshot import read_destination
from bundle.kinds import KINDS
from bundle.model import Api, Bundle, Json, Key
from bundle.plan.actions import Action, Plan
from bundle.plan.capabilities import Fields, TellingApi, read_fields
from bundle.plan.choices import DEFAULT, Choices
from bundle.plan.compare import Present, compare
from bundle.plan.compatibility import fit
from bundle.plan.execution_surface import Surfaces, surfaces
from bundle.plan.foresight import with_foreseen
from bundle.plan.intended import Intended, intend
from bundle.plan.matching import match
from bundle.plan.overlay import Wanted, adapt
from bundle.plan.refusals import (
    refuse_conflicts,
    refuse_masks,
    refuse_misfits,
    refuse_missing_secrets,
    refuse_unknown_slots,
)
from bundle.plan.secret_values import SecretValues, to_reveal
from bundle.plan.switches import at_rest
from bundle.server.published import newest


class Prepared(msgspec.Struct, frozen=True):
    """A plan and what it was made from: enough to carry it out.

    ``bundle`` is as the overlay has it; ``records`` are what is intended of it at this destination. ``keys`` has the
    new key of each record that was mapped.
    """

    plan: Plan
    bundle: Bundle
    records: tuple[Intended, ...]
    destination: Environment
    secrets: SecretValues
    fields: Fields
    keys: dict[Key, Key] = {}


class Result(msgspec.Struct, frozen=True):
    """One outcome for each record of the bundle, in its order."""

    outcomes: tuple[Outcome, ...]

    def count(self, state: State) -> int:
        """How many records ended in a state."""
        return Counter(each.state for each in self.outcomes)[state]


async def prepare(
    bundle: Bundle,
    api: TellingApi,
    choices: Choices = DEFAULT,
    *,
    secrets: Mapping[str, Json] | None = None,
    is_deep: bool = False,
    on_event: OnEvent = ignore,
) -> Prepared:
    """Read the destination and plan; sends no write.

    Args:
        bundle: read and verified.
        api: the destination.
        choices: what to act on, what is to be different, and what to do about conflicts and missing secrets.
        secrets: supplied values by slot.
        is_deep: read the destination as an export does, so that its digests are those of one.
        on_event: called with the progress.

    Raises:
        UsageError: the selection or the overlay does not fit, or a supplied slot is unknown.
        Conflict: something differs and the policy is ``fail``.
        SecretMissing: secrets are missing and the policy is ``fail``.
        ServerError: the destination cannot be reached or refuses.
    """
    supplied = secrets or {}
    wanted = wanted_of(bundle, choices, supplied)
    if choices.overlay.patch:
        refuse_misfits(bundle, wanted.bundle, await api.accepted_fields() or newest())
    there = await read_destination(api, is_deep=is_deep, on_event=on_event)
    fields = await read_fields(api, wanted.bundle)
    records = fit(intend(wanted.bundle.records), fields)
    pairs = match(records, there)
    if choices.inert:
        records = at_rest(records, pairs, there)
    values = SecretValues(supplied, await reveal(to_reveal(records, pairs, there), api, there))
    plan = compare(
        records,
        pairs,
        Present(there, api.is_cloud, fields, values),
        choices=choices,
        chosen=wanted.chosen,
        external=wanted.external,
    )
    plan = settled(plan, records, pairs, there, choices)
    return Prepared(plan, wanted.bundle, records, there, values, fields, wanted.keys)


def wanted_of(bundle: Bundle, choices: Choices, supplied: Mapping[str, Json]) -> Wanted:
    """What is wanted of a bundle; the first step of a plan, whatever the destination.

    Raises:
        UsageError: the selection or the overlay does not fit, or a supplied slot is unknown or a mask.
    """
    refuse_unknown_slots(bundle, supplied)
    refuse_masks(supplied)
    return adapt(bundle, choices.selection, choices.overlay)


def settled(
    plan: Plan, records: Sequence[Intended], pairs: Mapping[Key, Key], there: Environment, choices: Choices
) -> Plan:
    """The plan with what the destination will refuse, unless a policy refuses it; the last step of one.

    Raises:
        Conflict: something differs and the policy is ``fail``.
        SecretMissing: secrets are missing and the policy is ``fail``.
    """
    plan = with_foreseen(plan, records, pairs, there)
    refuse_missing_secrets(plan, choices)
    refuse_conflicts(plan, choices)
    return plan


async def carry_out(prepared: Prepared, api: Api, control: Control = Control()) -> Result:  # noqa: B008 - frozen
    """Carry out a prepared plan; every record of the bundle ends in one outcome."""
    return Result(
        await apply(
            prepared.plan,
            prepared.records,
            api,
            prepared.destination,
            fields=prepared.fields,
            secrets=prepared.secrets,
            control=control,
        )
    )


_WRITTEN = frozenset({"create", "complete", "update"})
_MADE = frozenset({"create", "complete"})


def surface_of(prepared: Prepared) -> Surfaces:
    """What the resources that a plan writes would run, and what of the destination they would read.

    A block or variable that the destination has already is its own, whatever the bundle holds under that name: a
    secret in it stays live. A variable of the same value, or given the bundle's, is none of its own.
    """
    actions = {action.key: action for action in prepared.plan.actions}
    written = [each.as_record() for each in prepared.records if actions[each.key].verb in _WRITTEN]
    return surfaces(written, (key for key, action in actions.items() if _is_the_bundles(action)))


def _is_the_bundles(action: Action) -> bool:
    is_equal = KINDS[action.kind].owns_value and (action.verb == "update" or action.reason == "exists-same")
    return action.verb in _MADE or is_equal
