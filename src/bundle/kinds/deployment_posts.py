"""What ``PATCH`` of a deployment cannot do: it is posted over, with all that a ``POST`` would reset."""

from __future__ import annotations

from collections.abc import Collection

from bundle.errors import RequestRejected
from bundle.kinds.deployment_schedules import change_schedule, give_schedules, needs_own_route, pair
from bundle.kinds.protocols import Destination, Made, Offer, Raw
from bundle.kinds.schedules import portable_schedule
from bundle.kinds.spelling import SYSTEM_LABELS, without_system_labels
from bundle.model import Body, Pointer
from bundle.record.pointers import join, walk

POOL_FIELDS = ("work_pool_name", "work_queue_name")
_CHANGES_WITHOUT_SCHEMA_SINCE = (3, 6)
# The schema before 3.6.
_RESET_BY_POST = ("parameters", "schedules", "parameter_openapi_schema")
_TYPED = "__prefect_kind"
_CONFLICT = 409


def what_post_needs(to: Destination) -> Body:
    """What must be posted though it says nothing."""
    return {"parameter_openapi_schema": {}} if () < to.version < _CHANGES_WITHOUT_SCHEMA_SINCE else {}


def needs_post(names: Collection[str], body: Body, raw: Raw) -> bool:
    """Labels, and typed parameters, which ``PATCH`` replaces by their values or refuses as they are."""
    after = body if "parameters" in names else raw
    is_typed = any(isinstance(each, dict) and _TYPED in each for _, each in walk(after.get("parameters")))
    is_checked = body.get("enforce_parameter_schema", True)
    return "labels" in names or (is_typed and bool(names) and ("parameters" in names or is_checked))


async def complete(to: Destination, made: Made, body: Body, changes: Body, tags: list[str]) -> None:
    """Make what was created into ``body``, which differs from it by ``changes``; ``tags`` are those that it has."""
    try:
        if any(map(needs_own_route, body.get("schedules", ()))):
            await give_schedules(to, made, body["schedules"], tags)
            changes = {name: value for name, value in changes.items() if name != "schedules"}
        if changes:
            await to.patch("/deployments/{id}", changes, id=made.id)
    except RequestRejected as error:
        if error.status != _CONFLICT:
            raise
        # PATCH checks parameters, also those that it does not change; POST takes them as they are.
        await post_over(to, made, body, changes | {"schedules": body.get("schedules", [])})


async def post_over(to: Destination, made: Made, body: Body, changes: Body) -> None:
    """``POST`` over an existing deployment; what it would reset or drop is sent along or put right."""
    if changes.get("work_pool_name", "") is None:
        await to.patch("/deployments/{id}", dict.fromkeys(POOL_FIELDS), id=made.id)
    system = {name: value for name, value in (made.raw.get("labels") or {}).items() if name.startswith(SYSTEM_LABELS)}
    whole = {
        "name": body["name"],
        "flow_id": body["flow_id"],
        "parameters": {},
        "schedules": [],
        **what_post_needs(to),
        **{name: body[name] for name in _RESET_BY_POST if name in body},
        **{name: value for name, value in changes.items() if name not in POOL_FIELDS or value is not None},
        "labels": system | body.get("labels", {}),
    }
    raw = await to.post("/deployments/", whole)
    held = raw.get("schedules") or []
    pairs = pair([portable_schedule(each) for each in held], whole["schedules"])
    for place, spot in pairs.items():
        if needs_own_route(whole["schedules"][spot]):
            await change_schedule(to, made, held[place], whole["schedules"][spot])


def is_inherited(place: Pointer, raw: Raw, at: Offer) -> bool:
    """Whether labels at a place come from the flow, which gives them back at every ``POST``."""
    flow = at.raw(str(raw["flow_id"])) or {}
    own = without_system_labels(raw)["labels"].items() - without_system_labels(flow)["labels"].items()
    return not any(place in {"/labels", join("labels", name)} for name, _ in own)


async def pause(to: Destination, identifier: str, *, paused: bool) -> None:
    """``PATCH``, which keeps late runs; older servers check all parameters at that and may refuse."""
    try:
        await to.patch("/deployments/{id}", {"paused": paused}, id=identifier)
    except RequestRejected as error:
        if error.status != _CONFLICT:
            raise
        route = "pause_deployment" if paused else "resume_deployment"
        await to.post(f"/deployments/{{id}}/{route}", {}, id=identifier)


def pool_of(body: Body) -> Body:
    """Pool and queue always go together: a queue alone would be made in the default agent pool."""
    both = {name: body.get(name) for name in POOL_FIELDS}
    return both if not both["work_pool_name"] or both["work_queue_name"] else {"work_pool_name": body["work_pool_name"]}
