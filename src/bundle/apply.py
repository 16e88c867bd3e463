"""Carries out a plan: creates what is missing, in waves, and activates at the end.

Rules:

1. A wave starts when the one before has ended. What a failed resource's
   dependents wait for is named; they are blocked, not tried.
2. Whatever would start to run by itself is made inert and marked first
   (``Kind.pending``), and turned into its final form after all creates.
3. A write whose answer was lost, and one that the server calls a duplicate,
   is looked up at the destination; it is never simply sent again.
4. Every record ends in exactly one outcome.
5. Once the destination denies access or stays away beyond the client's retry
   budget, nothing more is tried.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Literal

import msgspec

from bundle.canonical import replace_all, resolve
from bundle.destination import Fields, Sender
from bundle.environment import Environment, describe
from bundle.errors import AccessDenied, RequestRejected, ServerError, Unreachable
from bundle.kinds import KINDS
from bundle.kinds.base import Made, Raw
from bundle.model import Api, Body, Event, Json, Key, Placed, Record, Reference
from bundle.plan import Action, Plan, Secrets, mark, match
from bundle.references import NIL_ID, put_back
from bundle.secrets import marker, still_marked
from bundle.snapshot import OnEvent, take

OnMade = Callable[[Key, str], None]
State = Literal["succeeded", "skipped", "failed", "blocked"]

_AT_ONCE = 16
_CONFLICT = 409
_TIER_TEXTS = ("maximum number", "plan does not support")


class Outcome(msgspec.Struct, frozen=True):
    """How one record ended. ``detail`` explains a failure; ``dropped`` names fields that could not be sent."""

    key: Key
    kind: str
    state: State
    reason: str
    detail: str = ""
    waits_for: tuple[Key, ...] = ()
    missing_secrets: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()


class Begun(msgspec.Struct, frozen=True):
    """A resource that stands at the destination in its first form and is to be finished."""

    record: Record
    made: Made
    first: Body


async def apply(
    plan: Plan,
    records: Sequence[Placed],
    api: Api,
    destination: Environment,
    *,
    fields: Fields,
    secrets: Secrets,
    on_event: OnEvent = lambda _: None,
    on_made: OnMade = lambda _key, _id: None,
    stop: asyncio.Event | None = None,
) -> tuple[Outcome, ...]:
    """Carry out ``plan``.

    Args:
        plan: made by ``plan.compare`` for the same records and destination.
        records: the bundle's records in wave order.
        api: the destination.
        destination: as it was read for the plan.
        fields: what the destination's version takes.
        secrets: values to fill in.
        on_event: told of each outcome as it comes.
        on_made: told the id of each resource as soon as it stands at the destination.
        stop: once set, nothing new is begun.

    Returns:
        One outcome for each record, in the order of ``records``.
    """
    run = _Run(plan, api, destination, fields, secrets, on_event, on_made, stop or asyncio.Event())
    waves: dict[int, list[Record]] = defaultdict(list)
    for placed in records:
        waves[placed.wave].append(placed.record)
    for wave in sorted(waves):
        await run.make(waves[wave])
    for wave in sorted(waves):
        await run.activate(waves[wave])
    return tuple(run.outcomes[placed.record.key] for placed in records)


class _Run:
    """The state of one import: ids known so far, outcomes so far."""

    def __init__(
        self,
        plan: Plan,
        api: Api,
        destination: Environment,
        fields: Fields,
        secrets: Secrets,
        on_event: OnEvent,
        on_made: OnMade,
        stop: asyncio.Event,
    ) -> None:
        self._actions = {action.key: action for action in plan.actions}
        self._api = api
        self._fields = fields
        self._destination = destination
        self._secrets = secrets
        self._on_event = on_event
        self._on_made = on_made
        self._stop = stop
        self._slots = asyncio.Semaphore(_AT_ONCE)
        self._ids = {action.key: action.id for action in plan.actions if action.id is not None}
        self._rows: dict[str, Raw] = dict(destination.rows)
        self._new = {action.id for action in plan.actions if action.verb == "complete" and action.id is not None}
        self._begun: dict[Key, Begun] = {}
        self._done: dict[str, int] = defaultdict(int)
        self._total: dict[str, int] = defaultdict(int)
        self._has_ended = False
        for action in plan.actions:
            self._total[action.kind] += 1
        self.outcomes: dict[Key, Outcome] = {}

    # The two phases

    async def make(self, wave: Sequence[Record]) -> None:
        """Create what is missing; kinds of a reference cycle one after the other."""
        keys = {record.key for record in wave}
        is_cycle = any(each.target in keys for record in wave for each in record.references)
        ranks = sorted({KINDS[record.kind].rank for record in wave}) if is_cycle else [None]
        for rank in ranks:
            lanes: dict[str, list[Record]] = defaultdict(list)
            for record in wave:
                if rank is None or KINDS[record.kind].rank == rank:
                    lanes[self._lane(record)].append(record)
            async with asyncio.TaskGroup() as group:
                for lane in lanes.values():
                    group.create_task(self._make_lane(lane, keys))

    def _lane(self, record: Record) -> str:
        kind = KINDS[record.kind]
        body = put_back(record.body, record.references, self._value_or_key) if kind.has_lanes else {}
        return f"{record.kind}/{kind.lane(body)}" if kind.has_lanes else record.key

    async def _make_lane(self, lane: list[Record], wave: set[Key]) -> None:
        for record in sorted(lane, key=lambda each: KINDS[each.kind].lane_order(each.body)):
            async with self._slots:
                await self._settle(record, self._make_one(record, wave))

    async def activate(self, wave: Sequence[Record]) -> None:
        """Turn what was made inert into its final form."""
        async with asyncio.TaskGroup() as group:
            for record in wave:
                if record.key in self._begun and record.key not in self.outcomes:
                    group.create_task(self._activate_one(self._begun[record.key]))

    async def _activate_one(self, begun: Begun) -> None:
        async with self._slots:
            await self._settle(begun.record, self._finish(begun))

    def _is_over(self) -> bool:
        """Stopped by the user, or the destination refuses our credentials or stays away."""
        return self._stop.is_set() or self._has_ended

    # One record

    async def _settle(self, record: Record, work: Json) -> None:
        """Run the work of one record and note its outcome, whatever it is."""
        try:
            outcome = await work
        except ServerError as error:
            outcome = self._failed(record, error)
        if outcome is not None:
            self._note(outcome)

    def _note(self, outcome: Outcome) -> None:
        self.outcomes[outcome.key] = outcome
        self._done[outcome.kind] += 1
        self._on_event(Event("import", outcome.kind, self._done[outcome.kind], self._total[outcome.kind]))

    async def _make_one(self, record: Record, wave: set[Key]) -> Outcome | None:
        action = self._actions[record.key]
        if action.verb in {"skip", "unsupported"}:
            return _outcome(action, "skipped")
        missing = self._missing_needs(record, wave)
        if action.verb == "blocked" or missing:
            return _outcome(action, "blocked", reason="waits-for", waits_for=missing or action.waits_for)
        if self._is_over():
            return _outcome(action, "failed", reason="not-tried")
        return await self._act(record, action)

    async def _act(self, record: Record, action: Action) -> Outcome | None:
        if action.verb == "fill":
            return await self._fill(record, action)
        if action.verb == "complete":
            self._take_up(record, str(action.id))
            return None
        return await self._create(record)

    def _missing_needs(self, record: Record, wave: set[Key]) -> tuple[Key, ...]:
        """Targets in the bundle that are neither at the destination nor still to come in this wave."""
        targets = {each.target for each in record.references if each.target in self._actions}
        return tuple(sorted(key for key in targets if key not in self._ids and self._is_lost(key, wave)))

    def _is_lost(self, key: Key, wave: set[Key]) -> bool:
        return key in self.outcomes or key not in wave

    async def _create(self, record: Record) -> Outcome | None:
        kind = KINDS[record.kind]
        to = Sender(self._api, self._fields, self._rows, self._new)
        first = self._final(record, kind.pending(record.body, mark(record)))
        try:
            made = await kind.create(to, first)
        except RequestRejected as error:
            if error.status != _CONFLICT:
                raise
            return await self._exists_now(record, error)
        except Unreachable as error:
            if not error.maybe_done:
                raise
            made = await self._made_after_all(record, error)
        self._keep(record, made)
        if first != self._final(record, record.body) or self._has_deferred(record):
            self._begun[record.key] = Begun(record, made, first)
            return None
        return self._succeeded(record, dropped=to.dropped)

    def _keep(self, record: Record, made: Made) -> None:
        self._on_made(record.key, made.id)
        self._ids[record.key] = made.id
        self._new.add(made.id)
        self._rows[made.id] = made.raw

    def _has_deferred(self, record: Record) -> bool:
        return any(each.form != "name" and each.target not in self._ids for each in record.references)

    def _take_up(self, record: Record, identifier: str) -> None:
        """Go on from what an earlier run left at the destination."""
        found = self._destination.records[self._destination.keys[identifier]]
        first = put_back(found.body, found.references, lambda each: self._destination.ids[each.target])
        self._begun[record.key] = Begun(record, Made(identifier, self._rows[identifier]), first)

    async def _finish(self, begun: Begun) -> Outcome:
        record = begun.record
        lost = tuple(sorted({each.target for each in record.references if self._is_missing(each)}))
        if lost:
            return _outcome(self._actions[record.key], "failed", reason="waits-for", waits_for=lost)
        if self._is_over():
            return _outcome(self._actions[record.key], "failed", reason="not-tried")
        to = Sender(self._api, self._fields, self._rows, self._new)
        await KINDS[record.kind].finish(to, begun.made, self._final(record, record.body), begun.first)
        return self._succeeded(record, dropped=to.dropped)

    def _is_missing(self, reference: Reference) -> bool:
        return reference.form != "name" and reference.target in self._actions and reference.target not in self._ids

    async def _fill(self, record: Record, action: Action) -> Outcome:
        """Put supplied secrets where an earlier run left its marker, and leave all else as it is."""
        identifier = str(action.id)
        live = self._secrets.revealed[identifier]
        wanted = {
            each.pointer: self._secrets.supplied[each.slot]
            for each in record.secrets
            if each.slot in self._secrets.supplied and still_marked(live, each)
        }
        to = Sender(self._api, self._fields, self._rows, self._new)
        names = sorted({pointer.split("/")[1] for pointer in wanted})
        await KINDS[record.kind].update(to, Made(identifier), replace_all(live, wanted), names)
        return _outcome(action, "succeeded")

    # Ids and secrets

    def _final(self, record: Record, body: Body) -> Body:
        """The body as the destination is to have it, as far as ids are known."""
        full = put_back(body, record.references, self._value)
        values = {
            each.pointer: self._secrets.supplied.get(each.slot, marker(each))
            for each in record.secrets
            if _has(full, each.pointer)
        }
        return replace_all(full, values)

    def _value(self, reference: Reference) -> str:
        return self._ids.get(reference.target, NIL_ID)

    def _value_or_key(self, reference: Reference) -> str:
        return self._ids.get(reference.target, reference.target)

    # When the server says no, or nothing

    def _succeeded(self, record: Record, *, dropped: tuple[str, ...]) -> Outcome:
        return msgspec.structs.replace(_outcome(self._actions[record.key], "succeeded"), dropped=dropped)

    def _failed(self, record: Record, error: ServerError) -> Outcome:
        action = self._actions[record.key]
        if isinstance(error, AccessDenied | Unreachable):
            self._has_ended = True
        if isinstance(error, RequestRejected) and any(text in error.detail for text in _TIER_TEXTS):
            return _outcome(action, "skipped", reason="tier-limit", detail=error.detail)
        reason = "rejected" if isinstance(error, RequestRejected) else "unreachable"
        return _outcome(action, "failed", reason=reason, detail=error.message)

    async def _exists_now(self, record: Record, error: RequestRejected) -> Outcome:
        found = await self._look_again(record)
        if found is None:
            raise error
        self._ids[record.key] = found.id
        self._rows[found.id] = found.raw
        return _outcome(self._actions[record.key], "skipped", reason="exists-now")

    async def _made_after_all(self, record: Record, error: Unreachable) -> Made:
        found = await self._look_again(record)
        if found is None:
            raise error
        return found

    async def _look_again(self, record: Record) -> Made | None:
        """Whether the destination has the record by now."""
        now = describe(await take(self._api, deep=False), everything=True)
        pairs = match([record], now)
        identifier = now.ids.get(pairs.get(record.key, ""))
        if identifier is None or identifier in self._ids.values():
            return None
        return Made(identifier, now.rows[identifier])


def _has(body: Body, pointer: str) -> bool:
    try:
        resolve(body, pointer)
    except LookupError:
        return False
    return True


def _outcome(action: Action, state: State, *, reason: str | None = None, **more: Json) -> Outcome:
    details = {"missing_secrets": action.missing_secrets, "waits_for": action.waits_for} | more
    return Outcome(action.key, action.kind, state, reason or action.reason, **details)
