"""The schedules of a deployment: which is which, and the requests that give them to it or change them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from bundle.errors import RequestRejected
from bundle.kinds.protocols import Destination, Made, Raw
from bundle.kinds.schedules import portable_schedule, with_phase
from bundle.kinds.spelling import stable_place
from bundle.model import Body, Json
from bundle.record.canonical import encode

_MOST_RUNS = "max_scheduled_runs"
_NOT_FOUND = 404
_RACES = 2


class _Timing(msgspec.Struct):
    anchor_date: str | msgspec.UnsetType = msgspec.UNSET
    rrule: str | msgspec.UnsetType = msgspec.UNSET


class Schedule(msgspec.Struct):
    """The form of one, as far as it is looked into."""

    schedule: _Timing | None = None


async def give_schedules(to: Destination, made: Made, schedules: list[Json], tags: list[str]) -> None:
    """Give a deployment schedules of which some have ``max_scheduled_runs``, which ``PATCH`` drops.

    ``PATCH`` replaces all of them at once, so none comes twice whoever else is doing the same; ``POST`` would add
    some. They come inactive, beside ``tags`` with the mark, and then each gets what is missing.
    """
    bare = [{name: value for name, value in each.items() if name != _MOST_RUNS} for each in schedules]
    changes = {"schedules": [each | {"active": False} for each in bare], "tags": tags}
    await to.patch("/deployments/{id}", changes, id=made.id)
    for last in (*(False,) * _RACES, True):
        try:
            await _complete(to, made, schedules)
        except RequestRejected as error:
            # Another importer has replaced them meanwhile, by equal ones.
            if last or error.status != _NOT_FOUND:
                raise
        else:
            return


async def _complete(to: Destination, made: Made, schedules: list[Json]) -> None:
    rows = sorted(await to.get("/deployments/{id}/schedules", id=made.id), key=lambda row: str(row["id"]))
    named = {row["slug"]: row for row in rows if row.get("slug")}
    nameless = iter([row for row in rows if not row.get("slug")])
    for schedule in schedules:
        # One that is not there gets an id of no schedule, and is refused like one that was replaced.
        row = named.get(schedule.get("slug")) or next(nameless, {"id": made.id})
        changes = {"parameters": {}, **schedule}
        await to.patch("/deployments/{id}/schedules/{schedule_id}", changes, id=made.id, schedule_id=str(row["id"]))


def schedules_of(raw: Raw) -> list[tuple[Raw, Body]]:
    """The schedules of a deployment, as answered and in portable form, ordered without regard to which are active."""
    pairs = [(each, portable_schedule(each)) for each in raw.get("schedules") or ()]
    return sorted(pairs, key=lambda pair: place_of(pair[1]))


def place_of(schedule: Body) -> tuple[str, str, bytes]:
    return stable_place(schedule, last="active")


def listed(body: Body) -> list[Body]:
    """The schedules in a body; none where a bundle has something else in their place."""
    found = body.get("schedules")
    return found if isinstance(found, list) and all(isinstance(each, dict) for each in found) else []


def named(listed: Iterable[Body]) -> Iterator[tuple[str, Body]]:
    """Each schedule with a name for its switch: its slug, else its content; equal ones are numbered."""
    seen: dict[str, int] = defaultdict(int)
    for each in listed:
        rest = {name: value for name, value in each.items() if name != "active"}
        name = "schedules/" + (str(each["slug"]) if "slug" in each else encode(rest).decode())
        seen[name] += 1
        yield (name if seen[name] == 1 else f"{name}.{seen[name]}"), each


def needs_own_route(schedule: Body) -> bool:
    """``PATCH`` of a deployment drops ``max_scheduled_runs``; its schedule route keeps it."""
    return _MOST_RUNS in schedule


def pair(ones: Sequence[Body], others: Sequence[Body]) -> dict[int, int]:
    """Which of ``ones`` is which of ``others``: first by slug, then what is equal, then by when it runs."""
    pairs: dict[int, int] = {}
    for is_same in (_has_same_slug, is_one_schedule, _runs_at_the_same_times):
        for place, one in enumerate(ones):
            if place not in pairs:
                free = (spot for spot in range(len(others)) if spot not in pairs.values())
                found = next((spot for spot in free if is_same(one, others[spot])), None)
                pairs |= {} if found is None else {place: found}
    return pairs


def _has_same_slug(one: Body, other: Body) -> bool:
    return one.get("slug") is not None and one.get("slug") == other.get("slug")


def is_one_schedule(one: Body, other: Body) -> bool:
    return with_phase(one) == with_phase(other)


def _runs_at_the_same_times(one: Body, other: Body) -> bool:
    """Two slugs that differ tell two schedules apart, whenever they run."""
    is_same = with_phase(one).get("schedule") == with_phase(other).get("schedule")
    return is_same and None in {one.get("slug"), other.get("slug")}


async def set_schedules(to: Destination, made: Made, wanted: Sequence[Body]) -> None:
    """Make the schedules that were read into ``wanted``: each by its own route, none that is right already."""
    held = made.raw.get("schedules") or []
    pairs = pair([portable_schedule(each) for each in held], wanted)
    posted = [each for spot, each in enumerate(wanted) if spot not in pairs.values()]
    for place, raw in enumerate(held):
        one = wanted[pairs[place]] if place in pairs else None
        if one is None or not portable_schedule(raw).keys() - {"parameters"} <= one.keys():
            await to.delete("/deployments/{id}/schedules/{schedule_id}", id=made.id, schedule_id=raw["id"])
            posted += [] if one is None else [one]
        elif not is_one_schedule(one, portable_schedule(raw)):
            await change_schedule(to, made, raw, one)
    if posted:
        await to.post("/deployments/{id}/schedules", posted, repeatable=False, id=made.id)


async def change_schedule(to: Destination, made: Made, raw: Raw, wanted: Body) -> None:
    """``PATCH`` empties the parameters unless they are sent, and cannot clear anything else."""
    before = portable_schedule(raw)
    changes = {name: value for name, value in wanted.items() if before.get(name) != value}
    changes["parameters"] = wanted.get("parameters", {})
    await to.patch("/deployments/{id}/schedules/{schedule_id}", changes, id=made.id, schedule_id=raw["id"])
