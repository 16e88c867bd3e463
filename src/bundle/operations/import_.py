"""The use case of import: a bundle and a destination become a plan, and the plan outcomes."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Mapping

import msgspec

from bundle.apply.confirm import Patience
from bundle.apply.outcomes import Outcome, State
from bundle.apply.run import Witness, apply
from bundle.environment.describe import Environment, describe
from bundle.environment.read import OnEvent, take
from bundle.environment.selection import EVERYTHING, Selection
from bundle.errors import Conflict, SecretMissing, UsageError
from bundle.model import Api, Bundle, Json, Key
from bundle.plan.actions import SKIP, Action, Conflicts, Plan, Secrets
from bundle.plan.capabilities import Fields, TellingApi, read_fields
from bundle.plan.compare import compare
from bundle.plan.compatibility import fit, misfits
from bundle.plan.execution_surface import Surfaces, surfaces
from bundle.plan.live_secrets import with_revealed
from bundle.plan.overlay import NO_OVERLAY, Overlay, adapt
from bundle.plan.switches import at_rest
from bundle.record.secrets import slot_id, variable_name
from bundle.server.openapi import Accepted
from bundle.server.tiers import ANY_TIER, Tier

_SLOTS_NAMED = 5
_KEYS_NAMED = 5


class Prepared(msgspec.Struct, frozen=True):
    """A plan and what it was made from: enough to carry it out.

    ``bundle`` is as the overlay has it, without what the destination has no place for (``fit``); ``keys`` has the
    new key of each record that was mapped.
    """

    plan: Plan
    bundle: Bundle
    destination: Environment
    secrets: Secrets
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
    *,
    secrets: Secrets | None = None,
    on_conflict: Conflicts = SKIP,
    selection: Selection = EVERYTHING,
    overlay: Overlay = NO_OVERLAY,
    inert: bool = False,
    tier: Tier = ANY_TIER,
    on_event: OnEvent = lambda _: None,
) -> Prepared:
    """Read the destination and plan; sends no write.

    Args:
        bundle: read and verified.
        api: the destination.
        secrets: supplied values, and what to do about missing ones.
        on_conflict: what to do where the destination has a resource with other content: leave it, update it, or stop.
        selection: which records of the bundle to act on.
        overlay: what is to be different from the bundle.
        inert: make everything switched off, and leave on or off what the destination has.
        tier: that of the destination, a Cloud workspace.
        on_event: told of the progress.

    Raises:
        UsageError: the selection or the overlay does not fit, or a supplied slot is unknown.
        Conflict: something differs and the policy is ``fail``.
        SecretMissing: secrets are missing and the policy is ``fail``.
        ServerError: the destination cannot be reached or refuses.
    """
    secrets = secrets or Secrets()
    _check_slots(bundle, secrets.supplied)
    wanted = adapt(bundle, selection, overlay)
    if overlay.patch:
        _refuse_misfits(bundle, wanted.bundle, await api.accepted_fields())
    destination = describe(await take(api, deep=False, on_event=on_event), everything=True)
    if inert:
        wanted = msgspec.structs.replace(wanted, bundle=at_rest(wanted.bundle, destination))
    secrets = await with_revealed(wanted.bundle, api, destination, secrets)
    fields = await read_fields(api, bundle.manifest.provenance.get("source_version"))
    fitted = fit(wanted.bundle.records, fields)
    plan = compare(
        fitted.records,
        destination,
        is_cloud=api.is_cloud,
        secrets=secrets,
        chosen=wanted.chosen,
        external=wanted.external,
        conflicts=on_conflict,
        fields=fields,
        tier=tier,
        fitted=fitted,
    )
    if secrets.missing == "fail":
        _refuse_missing(plan.actions)
    _refuse_conflicts([each for each in plan.actions if on_conflict.policy(each.kind) == "fail"])
    held = msgspec.structs.replace(wanted.bundle, records=fitted.records)
    return Prepared(plan, held, destination, secrets, fields, wanted.keys)


async def carry_out(
    prepared: Prepared,
    api: Api,
    *,
    on_event: OnEvent = lambda _: None,
    witness: Witness | None = None,
    stop: asyncio.Event | None = None,
    patience: Patience | None = None,
    stops_at_failure: bool = False,
) -> Result:
    """Carry out a prepared plan; every record of the bundle ends in one outcome.

    ``witness`` is told of each creation. Once ``stop`` is set, or with ``stops_at_failure`` once a resource has
    failed, nothing new is begun.
    """
    outcomes = await apply(
        prepared.plan,
        prepared.bundle.records,
        api,
        prepared.destination,
        fields=prepared.fields,
        secrets=prepared.secrets,
        on_event=on_event,
        witness=witness,
        stop=stop,
        patience=patience,
        stops_at_failure=stops_at_failure,
    )
    return Result(outcomes)


def supplied_secrets(bundle: Bundle, file: Mapping[str, Json], environ: Mapping[str, str]) -> dict[str, Json]:
    """Values by slot, from a secrets file and from ``XFER_SECRET_…`` variables; the file wins.

    Raises:
        UsageError: two slots would read the same variable, and it is set.
    """
    slots = [each.slot for each in bundle.manifest.secrets]
    names = Counter(map(variable_name, slots))
    clash = sorted(name for name, times in names.items() if times > 1 and name in environ)
    if clash:
        raise UsageError(
            f"the variable {clash[0]} would fill more than one secret slot",
            hint="name these slots in a file given with --secrets",
        )
    found: dict[str, Json] = {slot: environ[variable_name(slot)] for slot in slots if variable_name(slot) in environ}
    return found | dict(file)


def _check_slots(bundle: Bundle, supplied: Mapping[str, Json]) -> None:
    known = {each.slot for each in bundle.manifest.secrets}
    unknown = sorted(set(supplied) - known)
    if unknown:
        raise UsageError(
            f"the bundle has no secret slot {unknown[0]!r}",
            hint="`xfer secrets template` writes a file with the slots of a bundle",
        )


def _refuse_misfits(bundle: Bundle, patched: Bundle, accepted: Accepted | None) -> None:
    for before, after in zip(bundle.records, patched.records, strict=True):
        places = () if accepted is None else misfits(before.record, after.record, accepted)
        if places:
            raise UsageError(
                f"the overlay gives {after.record.key} a value at {places[0]} that the destination does not take",
                hint="give one of the type and range that Prefect has there",
            )


def _refuse_missing(actions: tuple[Action, ...]) -> None:
    lacking = [slot for action in actions for slot in action.missing_secrets]
    if lacking:
        more = f" and {len(lacking) - _SLOTS_NAMED} more" if len(lacking) > _SLOTS_NAMED else ""
        raise SecretMissing(
            f"secrets are not supplied: {', '.join(lacking[:_SLOTS_NAMED])}{more}",
            hint="supply them with --secrets FILE, or choose --missing-secrets placeholder or skip",
        )


def _refuse_conflicts(actions: Iterable[Action]) -> None:
    differing = [action.key for action in actions if action.reason == "exists-differs"]
    if differing:
        more = f" and {len(differing) - _KEYS_NAMED} more" if len(differing) > _KEYS_NAMED else ""
        raise Conflict(
            f"the destination has these with other content: {', '.join(differing[:_KEYS_NAMED])}{more}",
            hint="`xfer plan` shows the differences; --on-conflict skip leaves them, update makes them equal",
        )


def slots_of(bundle: Bundle) -> dict[str, str]:
    """Every secret slot of a bundle and the variable that fills it."""
    return {each.slot: variable_name(slot_id(each.resource, each.pointer)) for each in bundle.manifest.secrets}


_WRITTEN = frozenset({"create", "complete", "update"})
_MADE = frozenset({"create", "complete"})


def surface_of(prepared: Prepared) -> Surfaces:
    """What the resources that a plan writes would run, and what of the destination they would read.

    A block or variable that the destination has already is its own, whatever the bundle holds under that name: a
    secret in it stays live. A variable of the same value, or given the bundle's, is none of its own.
    """
    actions = {action.key: action for action in prepared.plan.actions}
    written = [each.record for each in prepared.bundle.records if actions[each.record.key].verb in _WRITTEN]
    return surfaces(written, (key for key, action in actions.items() if _is_the_bundles(action)))


def _is_the_bundles(action: Action) -> bool:
    is_equal = action.kind == "variable" and (action.verb == "update" or action.reason == "exists-same")
    return action.verb in _MADE or is_equal
