"""Switches on at a destination what a bundle has on, or off what it has on: the use case of a cutover.

Rules:

1. Only switches are written, each by the narrowest call there is, and only where they differ.
2. Switching on never switches anything off, and switching off nothing on. What is not on in the bundle stays.
3. What something needs is switched on before it: pools, then deployments, then automations. Off it goes the
   other way round. What is missing or could not be switched on holds back what needs it.
4. Every chosen resource of the bundle that has switches ends in exactly one state.
"""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from bundle.apply.outcomes import State, reason_of, refuses_credentials
from bundle.apply.sender import Sender
from bundle.environment.describe import Environment
from bundle.environment.read import OnEvent, ignore
from bundle.environment.selection import EVERYTHING, Selection
from bundle.environment.snapshot import read_destination
from bundle.errors import ServerError, Unreachable
from bundle.kinds import KINDS
from bundle.kinds.protocols import Made
from bundle.model import Api, Body, Bundle, Event, Key, Record
from bundle.plan.actions import REASONS, Difference
from bundle.plan.capabilities import ANY_FIELDS
from bundle.plan.compare import own_name
from bundle.plan.differences import between
from bundle.plan.intended import Intended, intend
from bundle.plan.matching import is_begun, match
from bundle.plan.overlay import NO_OVERLAY, Overlay, Wanted, adapt
from bundle.record.references import NIL_ID, put_back

_AT_ONCE = 16

SWITCH_REASONS: Mapping[str, str] = {
    "switched-on": "it, or part of it, was off and has been switched on",
    "switched-off": "it, or part of it, was on and has been switched off",
    "already": "nothing to switch",
    "missing": "not at the destination",
    "unreadable": "the destination may have it, and did not let it be read; left as it is",
    "unfinished": "an import left it unfinished; run that import again first",
    "schedule-missing": "a schedule that is on in the bundle is missing; everything else of it has been switched on",
    "waits-for": "something that it needs is missing, or could not be switched on",
    **{code: REASONS[code] for code in ("push-pool", "managed-pool", "cloud-only")},
    **{code: REASONS[code] for code in ("rejected", "denied", "unreachable", "not-tried")},
}


class Switched(msgspec.Struct, frozen=True):
    """What is to become, or became, of one resource.

    ``switches`` are those to set. In ``differences``, ``bundle`` is the value to be set, ``destination`` the one
    before. ``firing`` are the schedules by which it starts runs from then on.
    """

    key: Key
    kind: str
    state: State
    reason: str
    id: str = ""
    switches: dict[str, bool] = {}
    differences: tuple[Difference, ...] = ()
    firing: tuple[Body, ...] = ()
    needs: tuple[Key, ...] = ()
    waits_for: tuple[Key, ...] = ()
    detail: str = ""


class Switching(msgspec.Struct, frozen=True):
    """What is to be switched, in the order in which it is to be done, and the destination as it was read."""

    plan: tuple[Switched, ...]
    destination: Environment


async def prepare(
    bundle: Bundle,
    api: Api,
    *,
    on: bool,
    selection: Selection = EVERYTHING,
    overlay: Overlay = NO_OVERLAY,
    on_event: OnEvent = ignore,
) -> Switching:
    """Read the destination and say what is to be switched; sends no write.

    Args:
        bundle: read and verified; what it has on is meant.
        api: the destination.
        on: whether to switch on or off.
        selection: which records of the bundle to act on.
        overlay: what the import made different from the bundle.
        on_event: called with the progress.

    Raises:
        UsageError: the selection or the overlay does not fit the bundle.
        ServerError: the destination cannot be reached or refuses.
    """
    wanted = adapt(bundle, selection, overlay)
    destination = await read_destination(api, on_event=on_event)
    return Switching(tuple(_planned(wanted, destination, on=on, is_cloud=api.is_cloud)), destination)


def is_any_on(records: Iterable[Record]) -> bool:
    """Whether anything of some records is switched on."""
    return any(any(KINDS[record.kind].switches(record.body).values()) for record in records)


# Planning


def _planned(wanted: Wanted, destination: Environment, *, on: bool, is_cloud: bool) -> Iterable[Switched]:
    records = intend(wanted.bundle.records)
    pairs = match(records, destination)
    keys = {record.key for record in records}
    held = {key for key in keys if key not in pairs} if on else set()
    for record in sorted(records, key=lambda each: KINDS[each.kind].rank, reverse=not on):
        if not KINDS[record.kind].activity or record.key not in wanted.chosen:
            continue
        step = _step(record, pairs, destination, on=on, is_cloud=is_cloud)
        if on and step.state == "succeeded":
            step = _held_back(step, record, held, keys)
        if step.state in {"failed", "blocked"}:
            held.add(record.key)
        yield step


def _step(
    record: Intended, pairs: Mapping[Key, Key], destination: Environment, *, on: bool, is_cloud: bool
) -> Switched:
    kind, found = KINDS[record.kind], destination.records.get(pairs.get(record.key, ""))
    if found is None:
        if unfit := kind.unfit(record.body, is_cloud=is_cloud):
            return Switched(record.key, record.kind, "skipped", unfit)
        if destination.unseen.may_be(record.kind, own_name(record)):
            return Switched(record.key, record.kind, "failed", "unreadable")
        return Switched(record.key, record.kind, "failed" if on else "skipped", "missing")
    if on and is_begun(record, found, destination):
        return Switched(record.key, record.kind, "failed", "unfinished")
    recorded = kind.switches(_whole(record, {key: destination.ids[there] for key, there in pairs.items()}))
    live = _whole(found, destination.ids)
    switches = {name: on for name, is_on in kind.switches(live).items() if is_on != on and recorded.get(name)}
    is_short = on and any(is_on and name not in kind.switches(live) for name, is_on in recorded.items())
    after = kind.switched(live, switches)
    return Switched(
        record.key,
        record.kind,
        "failed" if is_short else "succeeded" if switches else "skipped",
        "schedule-missing" if is_short else ("switched-on" if on else "switched-off") if switches else "already",
        destination.ids[found.key],
        switches,
        tuple(between({**kind.defaults, **after}, {**kind.defaults, **live})),
        tuple(kind.firing(after)) if on and switches else (),
    )


def _whole(record: Intended | Record, ids: Mapping[Key, str]) -> Body:
    """The body with the destination's ids in it."""
    return put_back(record.body, record.references, lambda each: ids.get(each.target, NIL_ID))


def _held_back(step: Switched, record: Intended, held: set[Key], keys: set[Key]) -> Switched:
    targets = {reference.target for reference in record.references} & keys
    if targets & held:
        return Switched(step.key, step.kind, "blocked", "waits-for", step.id, waits_for=tuple(sorted(targets & held)))
    return msgspec.structs.replace(step, needs=tuple(sorted(targets)))


# Carrying out


async def carry_out(
    switching: Switching, api: Api, *, on_event: OnEvent = ignore, stop: asyncio.Event | None = None
) -> tuple[Switched, ...]:
    """Set the switches of a plan, rank by rank; each of its resources ends in one state.

    Once ``stop`` is set, nothing new is begun. A destination that refuses the credentials or does not answer ends it.
    """
    run = _Run(switching, api, on_event, stop or asyncio.Event())
    for _, rank in itertools.groupby(switching.plan, key=lambda each: KINDS[each.kind].rank):
        async with asyncio.TaskGroup() as group:
            for each in rank:
                group.create_task(run.one(each))
    return tuple(run.done[each.key] for each in switching.plan)


class _Run:
    """The states so far."""

    def __init__(self, switching: Switching, api: Api, on_event: OnEvent, stop: asyncio.Event) -> None:
        self._sender = Sender(api, ANY_FIELDS, switching.destination.rows, set())
        self._slots = asyncio.Semaphore(_AT_ONCE)
        self._on_event = on_event
        self._total = Counter(each.kind for each in switching.plan)
        self._count: Counter[str] = Counter()
        self._stop = stop
        self._has_ended = False
        self.done: dict[Key, Switched] = {}

    async def one(self, planned: Switched) -> None:
        """Bring one resource to its end."""
        async with self._slots:
            self.done[planned.key] = await self._ended(planned)
        self._count[planned.kind] += 1
        self._on_event(Event("switch", planned.kind, self._count[planned.kind], self._total[planned.kind]))

    async def _ended(self, planned: Switched) -> Switched:
        if not planned.switches:
            return planned
        lost = tuple(key for key in planned.needs if self._is_lost(key))
        if lost:
            return _other(planned, "blocked", "waits-for", waits_for=lost)
        if self._stop.is_set() or self._has_ended:
            return _other(planned, "failed", "not-tried")
        try:
            made = Made(planned.id, self._sender.raw(planned.id) or {})
            await KINDS[planned.kind].switch(self._sender, made, planned.switches)
        except ServerError as error:
            self._has_ended |= refuses_credentials(error) or isinstance(error, Unreachable)
            return _other(planned, "failed", reason_of(error), detail=error.message)
        return planned

    def _is_lost(self, key: Key) -> bool:
        return key in self.done and self.done[key].state in {"failed", "blocked"}


def _other(
    planned: Switched, state: State, reason: str, *, detail: str = "", waits_for: Sequence[Key] = ()
) -> Switched:
    return msgspec.structs.replace(
        planned, state=state, reason=reason, detail=detail, waits_for=tuple(waits_for), firing=()
    )
