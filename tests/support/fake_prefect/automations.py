"""Automations: triggers and actions with what the server fills in."""

from __future__ import annotations

import re
from collections.abc import Iterator

from support.fake_prefect.bodies import fields_of
from support.fake_prefect.routes import Routes
from support.fake_prefect.store import Answer, Json, Row, Store, invalid

_EVENT_TRIGGER = fields_of("match={} match_related={} after=[] expect=[] for_each=[] threshold=1")
_ACTIONS = {
    "run-deployment": fields_of(
        'source="selected" deployment_id=null parameters=null job_variables=null schedule_after=0.0'
    ),
    "send-notification": {"subject": "Prefect automated notification"},
    "call-webhook": {"payload": ""},
    "change-flow-run-state": fields_of("name=null message=null force=false"),
    **{
        f"{verb}-{kind}": fields_of(f'source="selected" {kind.replace("-", "_")}_id=null')
        for verb in ("pause", "resume")
        for kind in ("deployment", "work-pool", "work-queue", "automation")
    },
}
ROUTES = Routes()


@ROUTES.serve("POST /automations/")
def post_automation(store: Store, body: Row) -> Answer:
    """Always a new one; the owner is never shown."""
    owner = body.pop("owner_resource")
    row = store.insert("automations", {**body, **_complete(store, body)})
    if owner:
        store.owners[row["id"]] = owner
    return 201, row


@ROUTES.serve("PUT /automations/{id}")
def put_automation(store: Store, body: Row, id: str) -> Answer:  # noqa: A002 - named after the route
    whole = {**body, **_complete(store, body)}
    return store.update(store.find("automations", id), whole)


@ROUTES.serve("PATCH /automations/{id}")
def patch_automation(store: Store, body: Row, id: str) -> Answer:  # noqa: A002 - named after the route
    return store.update(store.find("automations", id), body)


@ROUTES.serve("GET /automations/related-to/{resource}")
def related(store: Store, _body: Json, resource: str) -> Answer:
    return 200, [row for row in store.tables["automations"].values() if resource in _resources(store, row)]


def _resources(store: Store, row: Row) -> Iterator[str]:
    """The owner, and the deployments that the first list of actions runs by id."""
    if row["id"] in store.owners:
        yield store.owners[row["id"]]
    for action in row["actions"]:
        if action["type"] == "run-deployment" and action["source"] == "selected":
            yield f"prefect.deployment.{action['deployment_id']}"


def _complete(store: Store, body: Row) -> Row:
    lists = ("actions", "actions_on_trigger", "actions_on_resolve")
    actions = {key: [_action(each) for each in body[key]] for key in lists if key in body}
    return {"trigger": _trigger(store, body["trigger"]), **actions}


def _trigger(store: Store, trigger: Row) -> Row:
    """A trigger with a new id and what the server fills in."""
    kind = trigger.get("type")
    if kind == "event" and "posture" in trigger:
        least = 10 if trigger["posture"] == "Proactive" else 0
        within = _seconds(trigger.get("within") or least)
        if within < least:
            raise invalid(("value_error", ["trigger", "within"]))
        return {**_EVENT_TRIGGER, **trigger, "id": store.new_id(), "within": within}
    if kind in {"compound", "sequence"} and "within" in trigger:
        longest = None if trigger["within"] is None else _seconds(trigger["within"])
        children = [_trigger(store, each) for each in trigger["triggers"]]
        return {**trigger, "id": store.new_id(), "within": longest, "triggers": children}
    raise invalid(("missing", ["trigger"]))


def _action(action: Row) -> Row:
    whole = {**_ACTIONS.get(action["type"], {}), **action}
    if "schedule_after" in whole:
        whole["schedule_after"] = _seconds(whole["schedule_after"])
    return whole


def _seconds(value: Json) -> float:
    """A duration as the server answers it: a number stays one, ``PT60S`` becomes one."""
    text = re.fullmatch(r"PT(\d+(?:\.\d+)?)S", value) if isinstance(value, str) else None
    if isinstance(value, str) and text is None:
        raise invalid(("time_delta_parsing", ["trigger", "within"]))
    return float(text[1] if text else value)
