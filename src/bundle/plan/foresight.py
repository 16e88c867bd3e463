"""What a destination will refuse of what is to be created, as far as its rules are known. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

import msgspec

from bundle.environment.describe import Environment
from bundle.errors import listed
from bundle.kinds import KINDS
from bundle.kinds.protocols import Conformity
from bundle.model import Body, Json, Key, kind_of
from bundle.plan.actions import Action, Plan
from bundle.plan.conformity import faults
from bundle.plan.differences import is_within
from bundle.plan.intended import Intended
from bundle.record.pointers import exists, resolve

_WRITTEN = frozenset({"create", "complete", "update"})
BodyOf = Callable[[Key], Body | None]


def with_foreseen(plan: Plan, records: Iterable[Intended], pairs: Mapping[Key, Key], destination: Environment) -> Plan:
    """The plan in which each resource to be created says what will be refused of it."""
    intended = {record.key: record for record in records}
    actions = {action.key: action for action in plan.actions}

    def body_of(key: Key) -> Body | None:
        """What a resource will be at the destination."""
        found = destination.records.get(pairs.get(key, key))
        is_written = key in actions and actions[key].verb in _WRITTEN
        return intended[key].body if is_written else None if found is None else found.body

    def one(action: Action) -> Action:
        record = intended[action.key]
        if action.verb not in {"create", "complete"} or action.missing_secrets:
            return action
        for each in KINDS[record.kind].conformities(record.as_record()):
            if words := list(_refused(record, each, body_of)):
                text = f"the destination will refuse {each.what}: {listed(words)}"
                return msgspec.structs.replace(action, reason=each.reason, detail=text)
        return action

    return msgspec.structs.replace(plan, actions=tuple(map(one, plan.actions)))


def _refused(record: Intended, each: Conformity, body_of: BodyOf) -> Iterator[str]:
    if each.against is None:
        yield f"it names what is nowhere, at {each.named_at}"
        return
    places = (*(item.pointer for item in record.secrets), *(item.pointer for item in record.references))
    hidden = [at for at in places if is_within(at, each.place)]
    value = resolve(record.body, each.place) if exists(record.body, each.place) else None
    for place, words in faults(value, _schema(each.against, body_of)):
        if not any(is_within(at, each.place + place) or is_within(each.place + place, at) for at in hidden):
            yield words


def _schema(against: Key | Body, body_of: BodyOf) -> Json:
    """The schema by which a value is checked: a given one, or the variables of a pool, or of a deployment's pool."""
    if not isinstance(against, str):
        return against
    body = body_of(against) or {}
    if kind_of(against) == "deployment":
        body = body_of(f"work-pool:{body.get('work_pool_name')}") or {}
    template = body.get("base_job_template")
    return template.get("variables") if isinstance(template, dict) else None
