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

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, ClassVar

import msgspec

from bundle.kinds.base import Kind
from bundle.kinds.concurrency_limits import owner_id
from bundle.kinds.deployment_needs import to_do
from bundle.kinds.deployment_posts import (
    POOL_FIELDS,
    complete,
    is_inherited,
    needs_post,
    pause,
    pool_of,
    post_over,
    what_post_needs,
)
from bundle.kinds.deployment_schedules import (
    Schedule,
    is_one_schedule,
    listed,
    named,
    pair,
    place_of,
    schedules_of,
    set_schedules,
)
from bundle.kinds.deployment_schemas import checked_values, secrets_of_deployment
from bundle.kinds.fields import NAME, OWN, Field
from bundle.kinds.naming import template_names
from bundle.kinds.own_limits import (
    LEAST_LIMIT,
    OWN_LIMIT,
    has_impossible_limit,
    has_own_limit,
    limit_of,
    link_limit,
    rest_of_limit,
)
from bundle.kinds.protocols import Conformity, Destination, Look, Made, Offer, Raw
from bundle.kinds.runnable import Run, members, steps
from bundle.kinds.schedules import unknown_fields, with_phase
from bundle.kinds.spelling import without_system_labels
from bundle.model import Body, JsonType, Key, Pointer, Record
from bundle.record.pointers import split
from bundle.server.tiers import Tier

_CLEARS_POOL_SINCE = (3, 6, 27)
# What servers write out for an empty one.
_NO_SCHEMA = {"type": "object", "properties": {}}
_OWN_LIMIT_FIELDS = frozenset({"concurrency_limit", OWN_LIMIT})


class _LinkedLimit(msgspec.Struct):
    id: str
    name: str
    limit: int


class Deployment(Kind):
    name = "deployment"
    path = "/deployments"
    access_route = "/deployments/{id}/access"
    parent_kind = "flow"
    parent_field = "flow_id"
    fields: ClassVar = {
        "name": NAME,
        "flow_id": Field(str, required=True, fixed=True),
        **dict.fromkeys(("version", "description", "concurrency_limit", "path"), Field()),
        **dict.fromkeys(("entrypoint", "manifest_path", "storage_document_id", "infrastructure_document_id"), Field()),
        **dict.fromkeys(("branch", "base", "root"), Field(fixed=True)),
        "concurrency_options": Field(inside=frozenset({"collision_strategy", "grace_period_seconds"})),
        "version_info": Field(kept=False),
        "paused": Field(default=False, on=False),
        "schedules": Field(
            list[Schedule],
            default=[],
            unordered=True,
            inside=frozenset({"slug", "parameters", "max_scheduled_runs"}),
        ),
        "job_variables": Field(default={}),
        "parameters": Field(default={}),
        "parameter_openapi_schema": Field(default={}),
        "enforce_parameter_schema": Field(default=True),
        "tags": Field(list[str | None], default=[]),
        "labels": Field(dict[str, Any], default={}),
        "pull_steps": Field(list[Any], default=[]),
        "work_pool_name": Field(str, together=True),
        "work_queue_name": Field(str, together=True),
        "global_concurrency_limit_id": Field(),
        OWN_LIMIT: Field(dict[str, Any], sent=False),
        "global_concurrency_limit": Field(_LinkedLimit, travels=False),
        **dict.fromkeys(("work_queue_id", "last_polled", "status", "version_id"), OWN),
        # What older servers call others of these.
        **dict.fromkeys(("infra_overrides", "schedule", "is_schedule_active"), OWN),
    }
    route_is_required = True
    sort = "CREATED_DESC"
    is_sorted_by_update = True
    counted = True
    run_filter = "deployments"
    rank = 60
    writes_each = 2

    def natural_name(self, raw: Raw, look: Look) -> str:
        return f"{look.name(raw['flow_id'])}/{raw['name']}"

    def portable(self, raw: Raw, look: Look) -> Body:
        if "infra_overrides" in raw:  # what servers before 3.0 call them
            raw = {"job_variables": raw["infra_overrides"], **raw}
        body = without_system_labels(super().portable(raw, look)) | limit_of(raw)
        if _has_leftover_queue(raw):
            body.pop("work_queue_name")
        return self.trim(body | {"schedules": [each for _, each in schedules_of(raw)]})

    def comparable(self, body: Body) -> Body:
        """The order of schedules means nothing, nor does a parameter schema that asks for nothing."""
        ordered = sorted(map(with_phase, listed(body)), key=place_of)
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
        for place, schedule in enumerate(listed(body)):
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

    def secret_places(self, raw: Raw, body: Body, look: Look) -> Mapping[Pointer, JsonType]:
        return secrets_of_deployment(body, look)

    def conformities(self, record: Record) -> Iterable[Conformity]:
        return checked_values(record.body)

    def most(self, tier: Tier) -> int | None:
        return tier.deployments

    def by_hand(self, body: Body) -> Iterator[tuple[str, str]]:
        return to_do(body)

    def runs(self, record: Record) -> Iterator[Run]:
        body = record.body
        yield from steps(body.get("pull_steps"), ("pull_steps",))
        if isinstance(body.get("entrypoint"), str):
            path = body.get("path")
            yield "entrypoint", "/entrypoint", body["entrypoint"] + (f" in {path}" if isinstance(path, str) else "")
        yield from members(body.get("job_variables"), ("job_variables",))

    def pending(self, body: Body, mark: str) -> Body:
        is_whole = not body.get("schedules") and OWN_LIMIT not in body and not has_impossible_limit(body)
        return body if is_whole else self.marked(body, mark)

    def marked(self, body: Body, mark: str) -> Body:
        """Without what a creation drops or refuses; a limit of 0, which can be set only later, is 1 first."""
        first = {name: value for name, value in body.items() if name not in {"schedules", OWN_LIMIT}}
        first |= {"concurrency_limit": LEAST_LIMIT} if has_impossible_limit(body) else {}
        return first | {"tags": [*body.get("tags", ()), mark]}

    def eased(self, body: Body, refused: Collection[str]) -> Iterator[Body]:
        """Job variables are checked against the pool where a deployment is created, and not where it is changed."""
        yield from super().eased(body, refused or {"job_variables"})

    async def create(self, to: Destination, body: Body) -> Made:
        """``POST /deployments/``; before 3.6 a deployment without any parameter schema refuses every ``PATCH``."""
        return await super().create(to, what_post_needs(to) | body)

    async def finish(self, to: Destination, made: Made, body: Body, first: Body) -> None:
        """Give a deployment its schedules and take the mark off."""
        if limit := rest_of_limit(body, first):
            await to.patch("/v2/concurrency_limits/{id_or_name}", limit, id_or_name=f"deployment:{made.id}")
        names = {name for name in {*body, *first} if body.get(name) != first.get(name)} - _OWN_LIMIT_FIELDS
        await complete(to, made, body, self.changes(body, names), first.get("tags", []))

    def can_change(self, place: Pointer, *, is_removal: bool, raw: Raw, at: Offer) -> bool:
        """Labels that come from the flow stay; there are routes of their own for labels, schedules and own limits."""
        name = split(place)[0]
        if name == "labels":
            return not (is_removal and is_inherited(place, raw, at)) and at.takes("POST", "/deployments/", name)
        if name == "schedules":
            return at.takes("POST", "/deployments/{id}/schedules", "schedule")
        if name in _OWN_LIMIT_FIELDS:
            return has_own_limit(raw) or at.takes("PATCH", "/deployments/{id}", "global_concurrency_limit_id")
        if name in POOL_FIELDS and is_removal and () < at.version < _CLEARS_POOL_SINCE:
            return False
        return name not in self.fixed and at.takes("PATCH", "/deployments/{id}", name)

    def wanted(self, body: Body, found: Body, gone: Body | None = None) -> Body:
        """Schedules that only the destination has are kept."""
        ours, theirs = body.get("schedules") or [], found.get("schedules") or []
        pairs = pair(theirs, ours)
        dropped = pair(theirs, (gone or {}).get("schedules") or []).keys() - pairs.keys()
        merged = [
            ours[pairs[place]] if place in pairs and not is_one_schedule(each, ours[pairs[place]]) else each
            for place, each in enumerate(theirs)
            if place not in dropped
        ]
        merged += [each for place, each in enumerate(ours) if place not in pairs.values()]
        return body | {"schedules": merged} if merged else body

    def late(self, body: Body, names: Collection[str], raw: Raw) -> Collection[str]:
        if needs_post(set(names) - {"schedules"}, body, raw):
            return names
        return {*super().late(body, names, raw), *({"schedules"} & set(names))}

    async def update(self, to: Destination, made: Made, body: Body, names: Collection[str]) -> None:
        """``PATCH`` what differs, and its schedules by their own routes; what ``PATCH`` cannot do, ``POST``."""
        changes = self.changes(body, set(names) - _OWN_LIMIT_FIELDS - {"schedules"})
        if set(names) & {*_OWN_LIMIT_FIELDS, "global_concurrency_limit_id"}:
            changes |= await link_limit(to, made, body)
        if set(POOL_FIELDS) & changes.keys():
            changes |= pool_of(body)
        if needs_post(changes.keys(), body, made.raw):
            await post_over(to, made, body, changes)
            return
        if changes:
            await to.patch("/deployments/{id}", changes, id=made.id)
        if "schedules" in names:
            await set_schedules(to, made, body.get("schedules") or [])

    def switches(self, body: Body) -> Mapping[str, bool]:
        """Its own switch, and one for each schedule."""
        schedules = {name: each.get("active") is True for name, each in named(listed(body))}
        return {**super().switches(body), **schedules}

    def switched(self, body: Body, switches: Mapping[str, bool]) -> Body:
        schedules = [
            each | {"active": switches[name]} if name in switches else each for name, each in named(listed(body))
        ]
        return super().switched(body, switches) | ({"schedules": schedules} if schedules else {})

    async def switch(self, to: Destination, made: Made, switches: Mapping[str, bool]) -> None:
        """Each schedule by its own route; the whole deployment before them when it is to stop, else after them.

        ``PATCH`` of a schedule sets parameters that are not sent to none, so they are sent along.
        """
        if switches.get("paused") is False:
            await pause(to, made.id, paused=True)
        found = schedules_of(made.raw)
        for (name, _), (raw, _) in zip(named([each for _, each in found]), found, strict=True):
            if name in switches:
                kept = {"parameters": raw["parameters"]} if "parameters" in raw else {}
                place = {"id": made.id, "schedule_id": str(raw["id"])}
                await to.patch("/deployments/{id}/schedules/{schedule_id}", kept | {"active": switches[name]}, **place)
        if switches.get("paused") is True:
            await pause(to, made.id, paused=False)

    def firing(self, body: Body) -> Iterable[Body]:
        return [] if body.get("paused") else [each for each in listed(body) if each.get("active")]

    async def delete(self, to: Destination, made: Made) -> None:
        """``DELETE`` takes the linked limit along, shared or not, so a shared one is unlinked first."""
        linked = made.raw.get("global_concurrency_limit")
        if linked and owner_id(linked) != made.id:
            await to.patch("/deployments/{id}", {"global_concurrency_limit_id": None}, id=made.id)
        await to.delete("/deployments/{id}", id=made.id)


def _has_leftover_queue(raw: Raw) -> bool:
    """What stays of a deployment's queue when its pool is deleted; sent again, it would make a pool."""
    return bool(raw.get("work_queue_name")) and not raw.get("work_pool_name")


KIND = Deployment()
