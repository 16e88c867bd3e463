"""Deployments, with their schedules and concurrency limits.

``POST /deployments/`` is an upsert that wipes schedules and labels that are not
sent, drops ``max_scheduled_runs``, and with a ``concurrency_limit`` of null
deletes a shared limit. So it is sent only for deployments that are not there,
without schedules, and never with nulls. A deployment with schedules carries a
mark until, at the very end, it gets them: that is when it starts to run.

One that is there is changed by ``PATCH`` and by the routes of its schedules
and its own limit; only for what these cannot do is it posted again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from bundle.errors import RequestRejected
from bundle.kinds.base import (
    SYSTEM_LABELS,
    Destination,
    Kind,
    Look,
    Made,
    Offer,
    Raw,
    stable_place,
    without_system_labels,
)
from bundle.kinds.concurrency_limits import owner_id
from bundle.kinds.schedules import portable_schedule, unknown_fields, with_phase
from bundle.model import Body, Json, Key, Pointer
from bundle.record.canonical import encode
from bundle.record.pointers import join, split, walk
from bundle.record.references import template_names

_MOST_RUNS = "max_scheduled_runs"
_CHANGES_WITHOUT_SCHEMA_SINCE = (3, 6)
_CLEARS_POOL_SINCE = (3, 6, 27)
# What servers write out for an empty one.
_NO_SCHEMA = {"type": "object", "properties": {}}
_OWN_LIMIT = "own_limit"
_OWN_LIMIT_FIELDS = frozenset({"concurrency_limit", _OWN_LIMIT})
# The schema before 3.6.
_RESET_BY_POST = ("parameters", "schedules", "parameter_openapi_schema")
_POOL = ("work_pool_name", "work_queue_name")
_TYPED = "__prefect_kind"
_CONFLICT = 409
_OWN_LIMIT_DEFAULTS = {"active": True, "slot_decay_per_second": 0.0}
_NOT_FOUND = 404
_RACES = 2


class _Timing(msgspec.Struct):
    anchor_date: str | msgspec.UnsetType = msgspec.UNSET
    rrule: str | msgspec.UnsetType = msgspec.UNSET


class _Schedule(msgspec.Struct):
    schedule: _Timing | None = None


class _LinkedLimit(msgspec.Struct):
    id: str
    name: str
    limit: int


class Deployment(Kind):
    name = "deployment"
    path = "/deployments"
    parent_kind = "flow"
    fields = frozenset(
        """
        name flow_id version description paused schedules concurrency_limit concurrency_options
        global_concurrency_limit_id job_variables parameters tags labels work_pool_name work_queue_name
        parameter_openapi_schema path pull_steps entrypoint storage_document_id infrastructure_document_id
        enforce_parameter_schema version_info branch base root manifest_path own_limit
        """.split()
    )
    ignored = frozenset(
        """
        global_concurrency_limit work_queue_id last_polled status version_id
        infra_overrides schedule is_schedule_active
        """.split()
    )
    required = frozenset({"name", "flow_id"})
    forgotten = frozenset({"version_info"})
    defaults = {
        "paused": False,
        "schedules": [],
        "job_variables": {},
        "parameters": {},
        "tags": [],
        "labels": {},
        "pull_steps": [],
        "parameter_openapi_schema": {},
        "enforce_parameter_schema": True,
    }
    indispensable = frozenset({"name"})
    types = {
        "name": str,
        "flow_id": str,
        "schedules": list[_Schedule],
        "tags": list[str | None],
        "labels": dict[str, Any],
        "pull_steps": list[Any],
        "work_pool_name": str,
        "work_queue_name": str,
        "global_concurrency_limit": _LinkedLimit,
        _OWN_LIMIT: dict[str, Any],
    }
    unsent = frozenset({_OWN_LIMIT})
    sort = "CREATED_DESC"
    is_sorted_by_update = True
    counted = True
    rank = 60
    activity = {"paused": False}

    def natural_name(self, raw: Raw, look: Look) -> str:
        return f"{look.name(raw['flow_id'])}/{raw['name']}"

    def portable(self, raw: Raw, look: Look) -> Body:
        if "infra_overrides" in raw:  # what servers before 3.0 call them
            raw = {"job_variables": raw["infra_overrides"], **raw}
        body = without_system_labels(super().portable(raw, look)) | _limit(raw)
        if _has_leftover_queue(raw):
            body.pop("work_queue_name")
        return self.trim(body | {"schedules": [each for _, each in _schedules(raw)]})

    def comparable(self, body: Body) -> Body:
        """The order of schedules means nothing, nor does a parameter schema that asks for nothing."""
        ordered = sorted(map(with_phase, _listed(body)), key=_place)
        schema = body.get("parameter_openapi_schema")
        plain = body | {"parameter_openapi_schema": None if schema == _NO_SCHEMA else schema}
        return self.trim(plain | {"schedules": ordered} if ordered else plain)

    def findings(self, raw: Raw) -> Iterator[tuple[str, Pointer, str]]:
        if _has_leftover_queue(raw):
            yield "leftover-queue", "/work_queue_name", ""
        if raw.get("infrastructure_document_id"):
            yield "no-runtime", "/infrastructure_document_id", ""

    def unknown_fields(self, body: Body) -> Iterator[str]:
        yield from super().unknown_fields(body)
        for place, schedule in enumerate(_listed(body)):
            yield from (f"schedules/{place}/{name}" for name in unknown_fields(schedule))

    def names(self, body: Body) -> Iterable[tuple[Pointer, Key]]:
        pool = body.get("work_pool_name")
        if pool:
            yield "/work_pool_name", f"work-pool:{pool}"
            if body.get("work_queue_name"):
                yield "/work_queue_name", f"work-queue:{pool}/{body['work_queue_name']}"
        for position, step in enumerate(body.get("pull_steps") or ()):
            for inputs in step.values() if isinstance(step, dict) else ():
                if isinstance(inputs, dict) and {"block_type_slug", "block_document_name"} <= inputs.keys():
                    name = f"{inputs['block_type_slug']}/{inputs['block_document_name']}"
                    yield f"/pull_steps/{position}", f"block:{name}"
        for field in ("parameters", "job_variables", "pull_steps", "schedules"):
            yield from ((f"/{field}{pointer}", key) for pointer, key in template_names(body.get(field)))

    def pending(self, body: Body, mark: str) -> Body:
        if not body.get("schedules") and _OWN_LIMIT not in body:
            return body
        first = {name: value for name, value in body.items() if name not in {"schedules", _OWN_LIMIT}}
        return first | {"tags": [*body.get("tags", ()), mark]}

    async def create(self, to: Destination, body: Body) -> Made:
        """``POST /deployments/``; before 3.6 a deployment without any parameter schema refuses every ``PATCH``."""
        return await super().create(to, _needed(to) | body)

    async def finish(self, to: Destination, made: Made, body: Body, first: Body) -> None:
        """Give a deployment its schedules and take the mark off."""
        if _OWN_LIMIT in body:
            limit = f"deployment:{made.id}"
            await to.patch("/v2/concurrency_limits/{id_or_name}", body[_OWN_LIMIT], id_or_name=limit)
        changes = {name for name in {*body, *first} if body.get(name) != first.get(name)} - {_OWN_LIMIT}
        if any(map(_needs_own_route, body.get("schedules", ()))):
            await _give_schedules(to, made, body["schedules"], first.get("tags", []))
            changes -= {"schedules"}
        if changes:
            await to.patch("/deployments/{id}", self.changes(body, changes), id=made.id)

    # Changing one that is there

    fixed = frozenset({"name", "flow_id", "branch", "base", "root"})
    unordered = frozenset({"schedules"})
    together = frozenset(_POOL)

    def can_change(self, place: Pointer, *, is_removal: bool, raw: Raw, at: Offer) -> bool:
        """Labels that come from the flow stay; there are routes of their own for labels, schedules and own limits."""
        name = split(place)[0]
        if name == "labels":
            return not (is_removal and _is_inherited(place, raw, at)) and at.takes("POST", "/deployments/", name)
        if name == "schedules":
            return at.takes("POST", "/deployments/{id}/schedules", "schedule")
        if name in _OWN_LIMIT_FIELDS:
            return _has_own_limit(raw) or at.takes("PATCH", "/deployments/{id}", "global_concurrency_limit_id")
        if name in _POOL and is_removal and () < at.version < _CLEARS_POOL_SINCE:
            return False
        return name not in self.fixed and at.takes("PATCH", "/deployments/{id}", name)

    def wanted(self, body: Body, found: Body, gone: Body | None = None) -> Body:
        """Schedules that only the destination has are kept."""
        ours, theirs = body.get("schedules") or [], found.get("schedules") or []
        pairs = _pairs(theirs, ours)
        dropped = _pairs(theirs, (gone or {}).get("schedules") or []).keys() - pairs.keys()
        merged = [
            ours[pairs[place]] if place in pairs and not _is_one_schedule(each, ours[pairs[place]]) else each
            for place, each in enumerate(theirs)
            if place not in dropped
        ]
        merged += [each for place, each in enumerate(ours) if place not in pairs.values()]
        return body | {"schedules": merged} if merged else body

    def late(self, body: Body, names: Collection[str], raw: Raw) -> Collection[str]:
        if _needs_post(set(names) - {"schedules"}, body, raw):
            return names
        return {*super().late(body, names, raw), *({"schedules"} & set(names))}

    async def update(self, to: Destination, made: Made, body: Body, names: Collection[str]) -> None:
        """``PATCH`` what differs, and its schedules by their own routes; what ``PATCH`` cannot do, ``POST``."""
        changes = self.changes(body, set(names) - _OWN_LIMIT_FIELDS - {"schedules"})
        if set(names) & {*_OWN_LIMIT_FIELDS, "global_concurrency_limit_id"}:
            changes |= await _limit_link(to, made, body)
        if set(_POOL) & changes.keys():
            changes |= _pool(body)
        if _needs_post(changes.keys(), body, made.raw):
            await _post_over(to, made, body, changes)
            return
        if changes:
            await to.patch("/deployments/{id}", changes, id=made.id)
        if "schedules" in names:
            await _set_schedules(to, made, body.get("schedules") or [])

    def switches(self, body: Body) -> Mapping[str, bool]:
        """Its own switch, and one for each schedule."""
        schedules = {name: each.get("active") is True for name, each in _named(_listed(body))}
        return {**super().switches(body), **schedules}

    def switched(self, body: Body, switches: Mapping[str, bool]) -> Body:
        schedules = [
            each | {"active": switches[name]} if name in switches else each for name, each in _named(_listed(body))
        ]
        return super().switched(body, switches) | ({"schedules": schedules} if schedules else {})

    async def switch(self, to: Destination, made: Made, switches: Mapping[str, bool]) -> None:
        """Each schedule by its own route; the whole deployment before them when it is to stop, else after them.

        ``PATCH`` of a schedule sets parameters that are not sent to none, so they are sent along.
        """
        if switches.get("paused") is False:
            await _pause(to, made.id, paused=True)
        found = _schedules(made.raw)
        for (name, _), (raw, _) in zip(_named([each for _, each in found]), found, strict=True):
            if name in switches:
                kept = {"parameters": raw["parameters"]} if "parameters" in raw else {}
                place = {"id": made.id, "schedule_id": str(raw["id"])}
                await to.patch("/deployments/{id}/schedules/{schedule_id}", kept | {"active": switches[name]}, **place)
        if switches.get("paused") is True:
            await _pause(to, made.id, paused=False)

    def firing(self, body: Body) -> Iterable[Body]:
        return [] if body.get("paused") else [each for each in _listed(body) if each.get("active")]

    async def delete(self, to: Destination, made: Made) -> None:
        """``DELETE`` takes the linked limit along, shared or not, so a shared one is unlinked first."""
        linked = made.raw.get("global_concurrency_limit")
        if linked and owner_id(linked) != made.id:
            await to.patch("/deployments/{id}", {"global_concurrency_limit_id": None}, id=made.id)
        await to.delete("/deployments/{id}", id=made.id)


def _needed(to: Destination) -> Body:
    """What must be posted though it says nothing."""
    return {"parameter_openapi_schema": {}} if () < to.version < _CHANGES_WITHOUT_SCHEMA_SINCE else {}


async def _give_schedules(to: Destination, made: Made, schedules: list[Json], tags: list[str]) -> None:
    """Give a deployment schedules of which some have ``max_scheduled_runs``, which ``PATCH`` drops.

    ``PATCH`` replaces all of them at once, so none comes twice whoever else is doing the same; ``POST`` would add
    some. They come inactive, beside ``tags`` with the mark, and then each gets what is missing.
    """
    bare = [{name: value for name, value in each.items() if name != _MOST_RUNS} for each in schedules]
    changes = {"schedules": [each | {"active": False} for each in bare], "tags": tags}
    await to.patch("/deployments/{id}", changes, id=made.id)
    for last in (*(False,) * _RACES, True):
        try:
            await _complete_schedules(to, made, schedules)
        except RequestRejected as error:
            # Another importer has replaced them meanwhile, by equal ones.
            if last or error.status != _NOT_FOUND:
                raise
        else:
            return


async def _complete_schedules(to: Destination, made: Made, schedules: list[Json]) -> None:
    rows = sorted(await to.get("/deployments/{id}/schedules", id=made.id), key=lambda row: str(row["id"]))
    named = {row["slug"]: row for row in rows if row.get("slug")}
    nameless = iter([row for row in rows if not row.get("slug")])
    for schedule in schedules:
        # One that is not there gets an id of no schedule, and is refused like one that was replaced.
        row = named.get(schedule.get("slug")) or next(nameless, {"id": made.id})
        changes = {"parameters": {}, **schedule}
        await to.patch("/deployments/{id}/schedules/{schedule_id}", changes, id=made.id, schedule_id=str(row["id"]))


def _schedules(raw: Raw) -> list[tuple[Raw, Body]]:
    """The schedules of a deployment, as answered and in portable form, ordered without regard to which are active."""
    pairs = [(each, portable_schedule(each)) for each in raw.get("schedules") or ()]
    return sorted(pairs, key=lambda pair: _place(pair[1]))


def _place(schedule: Body) -> tuple[str, str, bytes]:
    return stable_place(schedule, last="active")


def _listed(body: Body) -> list[Body]:
    """The schedules in a body; none where a bundle has something else in their place."""
    found = body.get("schedules")
    return found if isinstance(found, list) and all(isinstance(each, dict) for each in found) else []


async def _pause(to: Destination, identifier: str, *, paused: bool) -> None:
    """``PATCH``, which keeps late runs; older servers check all parameters at that and may refuse."""
    try:
        await to.patch("/deployments/{id}", {"paused": paused}, id=identifier)
    except RequestRejected as error:
        if error.status != _CONFLICT:
            raise
        route = "pause_deployment" if paused else "resume_deployment"
        await to.post(f"/deployments/{{id}}/{route}", {}, id=identifier)


def _named(listed: Iterable[Body]) -> Iterator[tuple[str, Body]]:
    """Each schedule with a name for its switch: its slug, else its content; equal ones are numbered."""
    seen: dict[str, int] = defaultdict(int)
    for each in listed:
        rest = {name: value for name, value in each.items() if name != "active"}
        name = "schedules/" + (str(each["slug"]) if "slug" in each else encode(rest).decode())
        seen[name] += 1
        yield (name if seen[name] == 1 else f"{name}.{seen[name]}"), each


def _needs_own_route(schedule: Body) -> bool:
    """``PATCH`` of a deployment drops ``max_scheduled_runs``; its schedule route keeps it."""
    return _MOST_RUNS in schedule


# Schedules


def _pairs(ones: Sequence[Body], others: Sequence[Body]) -> dict[int, int]:
    """Which of ``ones`` is which of ``others``: first by slug, then what is equal, then by when it runs."""
    pairs: dict[int, int] = {}
    for is_same in (_has_same_slug, _is_one_schedule, _runs_at_the_same_times):
        for place, one in enumerate(ones):
            if place not in pairs:
                free = (spot for spot in range(len(others)) if spot not in pairs.values())
                found = next((spot for spot in free if is_same(one, others[spot])), None)
                pairs |= {} if found is None else {place: found}
    return pairs


def _has_same_slug(one: Body, other: Body) -> bool:
    return one.get("slug") is not None and one.get("slug") == other.get("slug")


def _is_one_schedule(one: Body, other: Body) -> bool:
    return with_phase(one) == with_phase(other)


def _runs_at_the_same_times(one: Body, other: Body) -> bool:
    """Two slugs that differ tell two schedules apart, whenever they run."""
    is_same = with_phase(one).get("schedule") == with_phase(other).get("schedule")
    return is_same and None in {one.get("slug"), other.get("slug")}


async def _set_schedules(to: Destination, made: Made, wanted: Sequence[Body]) -> None:
    """Make the schedules that were read into ``wanted``: each by its own route, none that is right already."""
    held = made.raw.get("schedules") or []
    pairs = _pairs([portable_schedule(each) for each in held], wanted)
    posted = [each for spot, each in enumerate(wanted) if spot not in pairs.values()]
    for place, raw in enumerate(held):
        one = wanted[pairs[place]] if place in pairs else None
        if one is None or not portable_schedule(raw).keys() - {"parameters"} <= one.keys():
            await to.delete("/deployments/{id}/schedules/{schedule_id}", id=made.id, schedule_id=raw["id"])
            posted += [] if one is None else [one]
        elif not _is_one_schedule(one, portable_schedule(raw)):
            await _change_schedule(to, made, raw, one)
    if posted:
        await to.post("/deployments/{id}/schedules", posted, repeatable=False, id=made.id)


async def _change_schedule(to: Destination, made: Made, raw: Raw, wanted: Body) -> None:
    """``PATCH`` empties the parameters unless they are sent, and cannot clear anything else."""
    before = portable_schedule(raw)
    changes = {name: value for name, value in wanted.items() if before.get(name) != value}
    changes["parameters"] = wanted.get("parameters", {})
    await to.patch("/deployments/{id}/schedules/{schedule_id}", changes, id=made.id, schedule_id=raw["id"])


# What PATCH cannot do


def _needs_post(names: Collection[str], body: Body, raw: Raw) -> bool:
    """Labels, and typed parameters, which ``PATCH`` replaces by what they stand for or refuses as they are."""
    after = body if "parameters" in names else raw
    is_typed = any(isinstance(each, dict) and _TYPED in each for _, each in walk(after.get("parameters")))
    is_checked = body.get("enforce_parameter_schema", True)
    return "labels" in names or (is_typed and bool(names) and ("parameters" in names or is_checked))


async def _post_over(to: Destination, made: Made, body: Body, changes: Body) -> None:
    """``POST`` over an existing deployment; what it would reset or drop is sent along or put right."""
    if changes.get("work_pool_name", "") is None:
        await to.patch("/deployments/{id}", dict.fromkeys(_POOL), id=made.id)
    system = {name: value for name, value in (made.raw.get("labels") or {}).items() if name.startswith(SYSTEM_LABELS)}
    whole = {
        "name": body["name"],
        "flow_id": body["flow_id"],
        "parameters": {},
        "schedules": [],
        **_needed(to),
        **{name: body[name] for name in _RESET_BY_POST if name in body},
        **{name: value for name, value in changes.items() if name not in _POOL or value is not None},
        "labels": system | body.get("labels", {}),
    }
    raw = await to.post("/deployments/", whole)
    held = raw.get("schedules") or []
    pairs = _pairs([portable_schedule(each) for each in held], whole["schedules"])
    for place, spot in pairs.items():
        if _needs_own_route(whole["schedules"][spot]):
            await _change_schedule(to, made, held[place], whole["schedules"][spot])


def _is_inherited(place: Pointer, raw: Raw, at: Offer) -> bool:
    """Whether labels at a place come from the flow, which gives them back at every ``POST``."""
    flow = at.raw(str(raw["flow_id"])) or {}
    own = without_system_labels(raw)["labels"].items() - without_system_labels(flow)["labels"].items()
    return not any(place in {"/labels", join("labels", name)} for name, _ in own)


def _has_own_limit(raw: Raw) -> bool:
    linked: Json = raw.get("global_concurrency_limit")
    return bool(linked) and owner_id(linked) == raw["id"]


def _pool(body: Body) -> Body:
    """Pool and queue always go together: a queue alone would be made in the default agent pool."""
    both = {name: body.get(name) for name in _POOL}
    return both if not both["work_pool_name"] or both["work_queue_name"] else {"work_pool_name": body["work_pool_name"]}


# Concurrency limits


async def _limit_link(to: Destination, made: Made, body: Body) -> Body:
    """Make, change or delete the own limit; returns what is then to be linked, if anything.

    ``concurrency_limit`` is never sent: it would write over, or delete, a shared limit.
    """
    name = f"deployment:{made.id}"
    if body.get("concurrency_limit") is None:
        shared = body.get("global_concurrency_limit_id")
        if _has_own_limit(made.raw):
            await to.delete("/v2/concurrency_limits/{id_or_name}", id_or_name=name)
            return {} if shared is None else {"global_concurrency_limit_id": shared}
        return {"global_concurrency_limit_id": shared}
    limit = {"limit": body["concurrency_limit"], **_OWN_LIMIT_DEFAULTS, **body.get(_OWN_LIMIT, {})}
    if _has_own_limit(made.raw):
        await to.patch("/v2/concurrency_limits/{id_or_name}", limit, id_or_name=name)
        return {}
    return {"global_concurrency_limit_id": await _made_own_limit(to, name, limit)}


async def _made_own_limit(to: Destination, name: str, limit: Body) -> str:
    """The id of a new limit; one of that name may be left from a run that was cut off."""
    try:
        raw = await to.post("/v2/concurrency_limits/", {"name": name, **limit})
    except RequestRejected as error:
        if error.status != _CONFLICT:
            raise
        await to.patch("/v2/concurrency_limits/{id_or_name}", limit, id_or_name=name)
        raw = await to.get("/v2/concurrency_limits/{id_or_name}", id_or_name=name)
    return str(raw["id"])


def _limit(raw: Raw) -> Body:
    """Own limits are named after the deployment; any other linked limit is shared."""
    linked: Json = raw.get("global_concurrency_limit")
    if not linked:
        return {}
    if owner_id(linked) != raw["id"]:
        return {"global_concurrency_limit_id": linked["id"], "concurrency_limit": None}
    special = {name: linked.get(name, usual) for name, usual in _OWN_LIMIT_DEFAULTS.items()}
    own = {"concurrency_limit": linked["limit"]}
    return own if special == _OWN_LIMIT_DEFAULTS else own | {_OWN_LIMIT: special}


def _has_leftover_queue(raw: Raw) -> bool:
    """What stays of a deployment's queue when its pool is deleted; sent again, it would make a pool."""
    return bool(raw.get("work_queue_name")) and not raw.get("work_pool_name")


KIND = Deployment()
