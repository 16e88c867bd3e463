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
from bundle.model import Bundle, Json, Key, Record
from bundle.operations.import_ import Prepared, settled, wanted_of
from bundle.plan.actions import Action, Plan
from bundle.plan.choices import DEFAULT, Choices
from bundle.plan.compare import Present, View, compare
from bundle.plan.compatibility import fit
from bundle.plan.intended import Intended, intend
from bundle.plan.matching import match
from bundle.plan.overlay import Wanted
from bundle.plan.refusals import refuse_misfits
from bundle.plan.secret_values import SecretValues
from bundle.plan.server_state import server_of
from bundle.plan.switches import at_rest
from bundle.record.canonical import make_record
from bundle.server.published import newest

_NOT_SHOWN = "the state does not show where"


def prepare_against(
    bundle: Bundle, state: Bundle, choices: Choices = DEFAULT, *, secrets: Mapping[str, Json] | None = None
) -> Prepared:
    """What an import into the server of a state would do, as ``import_.prepare`` says it of a server.

    What only a server can say, the values of secrets and the shapes that it takes, is not known. An import with the
    plan asks, and is refused where it matters.

    Raises:
        UsageError: the selection or the overlay does not fit, or a supplied slot is unknown.
        Conflict: something differs and the policy is ``fail``.
        SecretMissing: secrets are missing and the policy is ``fail``.
    """
    server, supplied = server_of(state.manifest), secrets or {}
    wanted = wanted_of(bundle, choices, supplied)
    if choices.overlay.patch:
        refuse_misfits(bundle, wanted.bundle, newest())
    fields = server.takes_of(wanted.bundle)
    records = fit(intend(wanted.bundle.records), fields)
    pairs, there = _found(records, state)
    if choices.inert:
        records = at_rest(records, pairs, there)
    values = SecretValues(supplied)
    present = Present(there, server.is_cloud, fields, values)
    plan = compare(records, pairs, present, choices=choices, chosen=wanted.chosen, external=wanted.external)
    plan = settled(_judged_by_digest(plan, state, records, pairs, choices), records, pairs, there, choices)
    return Prepared(plan, wanted.bundle, records, there, values, fields, wanted.keys)


def drift_from(wanted: Wanted, state: Bundle) -> Plan:
    """How a state differs from what is wanted of a bundle, as ``drift.drift`` says it of a server."""
    records = fit(intend(wanted.bundle.records), server_of(state.manifest).takes_of(wanted.bundle))
    pairs, there = _found(records, state)
    present, view = Present(there, is_cloud=None), View(is_deep=True)
    plan = compare(records, pairs, present, chosen=wanted.chosen, external=wanted.external, view=view)
    return _judged_by_digest(plan, state, records, pairs, DEFAULT)


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
    """As ``match`` pairs: the same key; of kinds without unique names then what is equal, at last the rest in order."""
    pairs = {record.key: record.key for record in records if record.key in held}
    rest: dict[Key, list[Key]] = defaultdict(list)
    for key, record in held.items():
        if record.kind in KINDS and not KINDS[record.kind].unique_names and key not in pairs:
            rest[identity(key)].append(key)
    for is_match in (lambda each, key: _there(each, key, pairs).digest == held[key].body["digest"], lambda *_: True):
        for each in (each for each in records if each.key not in pairs):
            candidates = rest[identity(each.key)]
            found = next((key for key in candidates if is_match(each, key)), None)
            if found is not None:
                pairs[each.key] = found
                candidates.remove(found)
    return pairs


def _there(each: Intended, key: Key, pairs: Mapping[Key, Key]) -> Record:
    """The record of what is intended where it has another key, as a server has it; what that drops is not in it."""
    what = each if each.dropped else each.record
    if (
        key == each.key
        and not each.dropped
        and all(pairs.get(one.target, one.target) == one.target for one in what.references)
    ):
        return each.record
    references = [msgspec.structs.replace(one, target=pairs.get(one.target, one.target)) for one in what.references]
    return make_record(key, what.body, references, what.secrets)


def _supposed(
    records: Sequence[Intended], held: Mapping[Key, Record], pairs: Mapping[Key, Key]
) -> Iterator[tuple[Key, Record]]:
    """What a lean state has for each record, supposed to be the same but for its digest."""
    for each in records:
        if each.key in pairs:
            key = pairs[each.key]
            there = _there(each, key, pairs)
            yield key, msgspec.structs.replace(there, body=each.body, digest=str(held[key].body["digest"]))


def _judged_by_digest(
    plan: Plan, state: Bundle, records: Sequence[Intended], pairs: Mapping[Key, Key], choices: Choices
) -> Plan:
    """The plan, in which what a lean state has otherwise is no more called the same."""
    if not state.manifest.is_lean:
        return plan
    digests = {placed.record.key: placed.record.body["digest"] for placed in state.records}
    found = [(each, pairs[each.key]) for each in records if each.key in pairs]
    other = {each.key for each, key in found if digests[key] != _there(each, key, pairs).digest}
    actions = tuple(_differing(each, choices) if each.key in other else each for each in plan.actions)
    return msgspec.structs.replace(plan, actions=actions)


def _differing(action: Action, choices: Choices) -> Action:
    if action.reason != "exists-same":
        return action
    if choices.conflicts.policy(action.kind) == "update" and KINDS[action.kind].travelling - KINDS[action.kind].fixed:
        return msgspec.structs.replace(action, verb="update", reason="updated", detail=_NOT_SHOWN)
    return msgspec.structs.replace(action, reason="exists-differs", detail=_NOT_SHOWN)
