"""The schedules of deployments."""

from __future__ import annotations

import copy

from support.fake_prefect.bodies import FIELDS, filled
from support.fake_prefect.routes import Routes
from support.fake_prefect.store import INTEGRITY, Answer, Json, RefusedError, Row, Store

_FIELDS = FIELDS["POST /deployments/{id}/schedules"]
ROUTES = Routes()


def shown_schedules(deployment: Row) -> list[Row]:
    """The schedules of a deployment as the server answers them."""
    return sorted(deployment["schedules"], key=lambda each: each["updated"], reverse=True)


def replace_schedules(store: Store, row: Row, schedules: list[Row]) -> None:
    """Where all have slugs, rows are changed by slug and none is deleted; else all are replaced."""
    stored = row["schedules"]
    fields = FIELDS["PATCH /deployments/{id}/schedules/{schedule}"]
    sent = [filled(fields, each, "schedules", place) for place, each in enumerate(schedules)]
    has_slugs = bool(stored) and all(each["slug"] for each in stored)
    if has_slugs and not all(each.get("slug") for each in sent):
        text = "Please provide a slug for each schedule in your request"
        raise RefusedError(422, f"{text} to ensure schedules are updated correctly.")
    fresh = sent
    if has_slugs:
        by_slug = {each["slug"]: each for each in stored}
        fresh = [each for each in sent if each["slug"] not in by_slug]
        for each in sent:
            if each["slug"] in by_slug:
                changes = {key: value for key, value in each.items() if value is not None and key != "replaces"}
                store.update(by_slug[each["slug"]], {"parameters": {}, **_canonical(store, changes)})
    else:
        row["schedules"] = []
    add_schedules(store, row, [{**_FIELDS, **each, "max_scheduled_runs": None} for each in fresh])


@ROUTES.serve("GET /deployments/{id}/schedules")
def get_schedules(store: Store, _body: Json, id: str) -> Answer:  # noqa: A002 - named after the route
    return 200, shown_schedules(store.find("deployments", id))


@ROUTES.serve("POST /deployments/{id}/schedules")
def post_schedules(store: Store, body: list[Row], id: str) -> Answer:  # noqa: A002 - named after the route
    if id not in store.tables["deployments"]:
        raise RefusedError(404, "Deployment not found.")
    row = store.tables["deployments"][id]
    return 201, add_schedules(store, row, body)


@ROUTES.serve("PATCH /deployments/{id}/schedules/{schedule}", "DELETE /deployments/{id}/schedules/{schedule}")
def change_schedule(store: Store, body: Row, id: str, schedule: str) -> Answer:  # noqa: A002 - named after the route
    row = store.find("deployments", id)
    found = next((each for each in row["schedules"] if each["id"] == schedule), None)
    if found is None:
        raise RefusedError(404, "Schedule not found.")
    if body:
        return store.update(found, {"parameters": {}, **_canonical(store, body)})
    row["schedules"].remove(found)
    return 204, None


def add_schedules(store: Store, row: Row, schedules: list[Row]) -> list[Row]:
    slugs = [each["slug"] for each in [*row["schedules"], *schedules] if each["slug"]]
    if len(set(slugs)) < len(slugs):
        raise RefusedError(409, INTEGRITY)
    made = []
    for each in schedules:
        fields = {**_canonical(store, each), "deployment_id": row["id"]}
        fields.pop("replaces", None)
        made.append({"id": store.new_id(), "created": store.now(), "updated": store.now(), **copy.deepcopy(fields)})
    row["schedules"] = [*row["schedules"], *made]
    return made


def _canonical(store: Store, schedule: Row) -> Row:
    """A schedule with what the server fills in."""
    times = schedule.get("schedule")
    if times is None:
        return schedule
    if "cron" in times:
        return {**schedule, "schedule": {"timezone": None, "day_or": True, **times}}
    if "interval" in times:
        known = {"anchor_date": store.now(), "timezone": "UTC", **times, "interval": float(times["interval"])}
        return {**schedule, "schedule": known}
    rule = times["rrule"] if "DTSTART" in times["rrule"] else f"DTSTART:20200101T000000\n{times['rrule']}"
    return {**schedule, "schedule": {"timezone": "UTC", **times, "rrule": rule}}
