"""A state as the destination: what an import would do there, and how it differs, without a connection. Pure.

A state is a bundle of the destination. Keys take the place of ids. A lean one has digests for bodies: what has the
digest of the bundle's record is that record, whatever else it is differs, and nobody can say where.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

import msgspec

from bundle.environment.describe import Environment
from bundle.environment.keys import identity
from bundle.kinds import KINDS
from bundle.model import Bundle, Json, Key, Manifest, Record
from bundle.operations.import_ import Prepared
from bundle.plan.actions import Action, Plan
from bundle.plan.capabilities import ANY_FIELDS, Fields, ServerState, version_numbers
from bundle.plan.choices import DEFAULT, Choices
from bundle.plan.compare import Present, View, compare
from bundle.plan.intended import Intended, intend
from bundle.plan.matching import match
from bundle.plan.overlay import Wanted, adapt
from bundle.plan.refusals import refuse_conflicts, refuse_masks, refuse_missing_secrets, refuse_unknown_slots
from bundle.plan.secret_values import SecretValues
from bundle.plan.switches import at_rest
from bundle.server.tiers import ANY_TIER, TIERS


def server_of(manifest: Manifest) -> ServerState:
    """What the server of a state offers, as far as the state says; an export says the version only."""
    try:
        return msgspec.convert(manifest.provenance.get("server"), ServerState)
    except msgspec.ValidationError:
        version = manifest.provenance.get("source_version")
        is_cloud = str(manifest.provenance.get("source")).startswith("https://api.prefect.cloud/")
        return ServerState(str(version) if version else None, None, "cloud" if is_cloud else "self-hosted")


def prepare_against(
    bundle: Bundle, state: Bundle, choices: Choices = DEFAULT, *, secrets: Mapping[str, Json] | None = None
) -> Prepared:
    """What an import into the server of a state would do, as ``import_.prepare`` says it of a server.

    What only a server can say, the values of secrets and the fields that it takes, is not known: the plan is for one
    that takes everything. An import with it asks, and is refused where it matters.

    Raises:
        UsageError: the selection or the overlay does not fit, or a supplied slot is unknown.
        Conflict: something differs and the policy is ``fail``.
        SecretMissing: secrets are missing and the policy is ``fail``.
    """
    server, supplied = server_of(state.manifest), secrets or {}
    refuse_unknown_slots(bundle, supplied)
    refuse_masks(supplied)
    if choices.tier == ANY_TIER:
        choices = msgspec.structs.replace(choices, tier=TIERS.get(server.tier, ANY_TIER))
    wanted = adapt(bundle, choices.selection, choices.overlay)
    records = intend(wanted.bundle.records)
    pairs, there = _found(records, state)
    if choices.inert:
        records = at_rest(records, pairs, there)
    fields, values = Fields(version=version_numbers(server.version)), SecretValues(supplied)
    present = Present(there, server.is_cloud, fields, values)
    plan = compare(records, pairs, present, choices=choices, chosen=wanted.chosen, external=wanted.external)
    plan = _with_unseen(plan, state, records, pairs, choices)
    refuse_missing_secrets(plan, choices)
    refuse_conflicts(plan, choices)
    return Prepared(plan, wanted.bundle, records, there, values, fields, wanted.keys)


def drift_from(wanted: Wanted, state: Bundle) -> Plan:
    """How a state differs from what is wanted of a bundle, as ``drift.drift`` says it of a server."""
    records = intend(wanted.bundle.records)
    pairs, there = _found(records, state)
    present, view = Present(there, is_cloud=True, fields=ANY_FIELDS), View(is_deep=True)
    plan = compare(records, pairs, present, chosen=wanted.chosen, external=wanted.external, view=view)
    return _with_unseen(plan, state, records, pairs, DEFAULT)


def _found(records: Sequence[Intended], state: Bundle) -> tuple[dict[Key, Key], Environment]:
    """The state's key of each record that it has, and the state as an environment."""
    held = {placed.record.key: placed.record for placed in state.records}
    if state.manifest.is_lean:
        pairs = _paired_by_key(records, held)
        return pairs, _environment({**held, **dict(_supposed(records, held, pairs))})
    there = _environment(held)
    return match(records, there), there


def _environment(records: Mapping[Key, Record]) -> Environment:
    rows = {key: {**record.body, "id": key} for key, record in records.items()}
    return Environment(records=dict(records), ids={key: key for key in records}, rows=rows, census={})


def _paired_by_key(records: Sequence[Intended], held: Mapping[Key, Record]) -> dict[Key, Key]:
    """As ``match`` pairs: the same key, and of kinds without unique names what is left of a name, in order."""
    pairs = {record.key: record.key for record in records if record.key in held}
    rest: dict[Key, list[Key]] = defaultdict(list)
    for key, record in held.items():
        if record.kind in KINDS and not KINDS[record.kind].unique_names and key not in pairs:
            rest[identity(key)].append(key)
    for each in records:
        if each.key not in pairs and rest[identity(each.key)]:
            pairs[each.key] = rest[identity(each.key)].pop(0)
    return pairs


def _supposed(
    records: Sequence[Intended], held: Mapping[Key, Record], pairs: Mapping[Key, Key]
) -> Iterator[tuple[Key, Record]]:
    """What a lean state has for each record, supposed to be the same but for its digest."""
    for each in records:
        if each.key in pairs:
            key = pairs[each.key]
            references = tuple(
                msgspec.structs.replace(one, target=pairs.get(one.target, one.target)) for one in each.references
            )
            yield key, Record(key, each.body, references, each.secrets, str(held[key].body["digest"]))


def _with_unseen(
    plan: Plan, state: Bundle, records: Sequence[Intended], pairs: Mapping[Key, Key], choices: Choices
) -> Plan:
    """The plan, in which what a lean state has otherwise is no more called the same."""
    if not state.manifest.is_lean:
        return plan
    digests = {placed.record.key: placed.record.body["digest"] for placed in state.records}
    other = {each.key for each in records if each.key in pairs and digests[pairs[each.key]] != each.record.digest}
    actions = tuple(_unseen(each, choices) if each.key in other else each for each in plan.actions)
    return msgspec.structs.replace(plan, actions=actions)


def _unseen(action: Action, choices: Choices) -> Action:
    if action.reason != "exists-same":
        return action
    if choices.conflicts.policy(action.kind) == "update":
        return msgspec.structs.replace(action, verb="update", reason="updated", detail=_NOT_SHOWN)
    return msgspec.structs.replace(action, reason="exists-differs", detail=_NOT_SHOWN)


_NOT_SHOWN = "the state does not show where"
