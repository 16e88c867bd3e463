"""Carries out a plan: creates what is missing, in waves, and activates at the end.

Rules:

1. A wave starts when the one before has ended. What a failed resource's
   dependents wait for is named; they are blocked, not tried.
2. Whatever would start to run by itself is made inert and marked first
   (``Kind.pending``), and turned into its final form after all creates.
3. A write whose answer was lost, and one that the server calls a duplicate,
   is looked up at the destination; it is never simply sent again.
4. Every record ends in exactly one outcome.
5. Once the destination denies access, or is away beyond the client's retry
   budget and does not answer a probe, nothing more is tried.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Literal

import msgspec

from bundle.canonical import replace_all, stands
from bundle.destination import Fields, Sender
from bundle.environment import Environment
from bundle.errors import AccessDenied, RequestRejected, ServerError, Unreachable
from bundle.kinds import KINDS
from bundle.kinds.base import Made, Raw
from bundle.model import Api, Body, Event, Json, Key, Placed, Record, Reference
from bundle.plan import Action, Plan, Secrets, mark
from bundle.references import NIL_ID, put_back
from bundle.second_look import Patience, SecondLook, Seen, is_ours
from bundle.secrets import marker, still_marked
from bundle.snapshot import OnEvent

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
    patience: Patience | None = None,
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
        patience: how long the late effect of an unanswered write is waited for.

    Returns:
        One outcome for each record, in the order of ``records``.
    """
    run = _Run(
        plan, api, destination, fields, secrets, on_event, on_made, stop or asyncio.Event(), patience or Patience()
    )
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
        patience: Patience,
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
        self._probing = asyncio.Lock()
        self._patience = patience
        self._look = SecondLook(api, patience)
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
            outcome = await self._failed(record, error)
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
        first = self._final(record, kind.pending(record.body, mark(record)))
        to = self._sender()
        for last in (*(False,) * (self._patience.tries - 1), True):
            try:
                made = await kind.create(to, first)
            except RequestRejected as error:
                if error.status != _CONFLICT:
                    raise
                return await self._resolve_conflict(record, error)
            except Unreachable as error:
                if not error.maybe_done:
                    raise
                seen = await self._look.await_ours(record, self._ids)
                if seen is not None:
                    return self._adopt(record, seen)
                if last:
                    raise
            else:
                return self._begin(record, made, first, dropped=to.dropped)
        raise AssertionError("the last try returns or raises")

    def _begin(self, record: Record, made: Made, first: Body, *, dropped: tuple[str, ...] = ()) -> Outcome | None:
        """Note what stands at the destination; it is done unless it is still to be finished."""
        self._keep(record, made)
        if first != self._final(record, record.body) or self._has_deferred(record):
            self._begun[record.key] = Begun(record, made, first)
            return None
        return self._succeeded(record, dropped=dropped)

    def _adopt(self, record: Record, seen: Seen) -> Outcome | None:
        """Go on with what we made without having been told."""
        if seen.is_equal and not seen.is_pending:
            self._keep(record, seen.made)
            return self._succeeded(record, dropped=())
        return self._begin(record, seen.made, seen.body)

    async def _resolve_conflict(self, record: Record, error: RequestRejected) -> Outcome | None:
        """Somebody has it: we ourselves, by an attempt whose answer was lost, or somebody else."""
        seen = await self._look.find(record, self._ids)
        if seen is None:
            raise error
        if is_ours(record, seen, in_doubt=error.maybe_done):
            return self._adopt(record, seen)
        self._ids[record.key] = seen.made.id
        self._rows[seen.made.id] = seen.made.raw
        return _outcome(self._actions[record.key], "skipped", reason="exists-now")

    def _sender(self) -> Sender:
        return Sender(self._api, self._fields, self._rows, self._new)

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
        to = self._sender()
        for last in (*(False,) * (self._patience.tries - 1), True):
            full = self._final(record, record.body)
            try:
                await KINDS[record.kind].finish(to, begun.made, full, begun.first)
                break
            except Unreachable as error:
                seen = await self._changed(begun) if error.maybe_done and not last else None
                if seen is None:
                    raise
                begun = Begun(record, seen.made, seen.body)
        return self._succeeded(record, dropped=to.dropped)

    async def _changed(self, begun: Begun) -> Seen | None:
        """What an unanswered last step left behind, to go on from there."""
        seen = await self._look.await_change(begun.record, begun.made.id, begun.first, self._ids)
        if seen is not None:
            self._rows[begun.made.id] = seen.made.raw
        return seen

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
        to = self._sender()
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
            if stands(full, each.pointer)
        }
        return replace_all(full, values)

    def _value(self, reference: Reference) -> str:
        return self._ids.get(reference.target, NIL_ID)

    def _value_or_key(self, reference: Reference) -> str:
        return self._ids.get(reference.target, reference.target)

    # When the server says no, or nothing

    def _succeeded(self, record: Record, *, dropped: tuple[str, ...]) -> Outcome:
        return msgspec.structs.replace(_outcome(self._actions[record.key], "succeeded"), dropped=dropped)

    async def _failed(self, record: Record, error: ServerError) -> Outcome:
        action = self._actions[record.key]
        if isinstance(error, RequestRejected) and any(text in error.detail for text in _TIER_TEXTS):
            return _outcome(action, "skipped", reason="tier-limit", detail=error.detail)
        if isinstance(error, AccessDenied):
            self._has_ended = True
            return _outcome(action, "failed", reason="denied", detail=error.message)
        if isinstance(error, Unreachable):
            await self._probe()
            return _outcome(action, "failed", reason="unreachable", detail=error.message)
        return _outcome(action, "failed", reason="rejected", detail=error.message)

    async def _probe(self) -> None:
        """End the run unless the destination still answers: one resource that it chokes on stops no other."""
        async with self._probing:
            if not self._has_ended:
                try:
                    await self._api.get("/health")
                except ServerError:
                    self._has_ended = True


def _outcome(
    action: Action,
    state: State,
    *,
    reason: str | None = None,
    detail: str = "",
    waits_for: tuple[Key, ...] | None = None,
) -> Outcome:
    return Outcome(
        action.key,
        action.kind,
        state,
        reason or action.reason,
        detail,
        action.waits_for if waits_for is None else waits_for,
        action.missing_secrets,
    )
