"""Carries out a plan: creates what is missing, in waves, and activates at the end.

Rules:

1. A wave starts when the one before has ended. What a failed resource's
   dependents wait for is named; they are blocked, not tried.
2. Whatever would start to run by itself is made inert and marked first
   (``Kind.pending``), and turned into its final form after all creates.
3. A write whose answer was lost, and one that the server calls a duplicate,
   is looked up at the destination; it is never simply sent again.
4. Every record ends in exactly one outcome.
5. An update writes at once what makes nothing run; what does is written at
   the end, with the activations.
6. Once the destination refuses the credentials (401), or is away beyond the
   client's retry budget and does not answer a probe, nothing more is tried. A
   403 concerns one resource. Once Cloud says that its plan allows no more of a
   kind, no more of that kind is tried.
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
from bundle.errors import AccessDenied, PlanLimit, RequestRejected, ServerError, Unreachable
from bundle.kinds import KINDS
from bundle.kinds.base import Made, Raw
from bundle.model import Api, Body, Event, Json, Key, Placed, Record, Reference
from bundle.plan import Action, Plan, Secrets, is_marked_first, localized, mark, needs
from bundle.references import NIL_ID, put_back
from bundle.second_look import Patience, SecondLook, Seen, is_ours
from bundle.secrets import marker, still_marked
from bundle.snapshot import OnEvent
from bundle.twins import Claim, Stand, settle
from bundle.update import Change, change_to

OnMade = Callable[[Key, str | None], None]
State = Literal["succeeded", "skipped", "failed", "blocked"]

_AT_ONCE = 16
# As many as a rate of 625 requests a minute needs; and no more than these are on their way when a limit is told.
_AT_ONCE_ON_CLOUD = 4
# The one unsupported thing that nobody's documentation says will be skipped.
_OUTSTANDING = "too-large"
_NOT_FOUND = 404
_CONFLICT = 409
_UNAUTHORIZED = 401


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


class Late(msgspec.Struct, frozen=True):
    """An update of which some fields are still to be written."""

    record: Record
    names: frozenset[str]


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
    stops_at_failure: bool = False,
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
        on_made: told the id of each resource as soon as it stands at the destination, None where another made it.
        stop: once set, nothing new is begun.
        patience: how long the late effect of an unanswered write is waited for.
        stops_at_failure: begin nothing new once a resource has failed.

    Returns:
        One outcome for each record, in the order of ``records``.
    """
    plain = [placed.record for placed in records]
    stop, patience = stop or asyncio.Event(), patience or Patience()
    run = _Run(plan, plain, api, destination, fields, secrets, on_event, on_made, stop, patience)
    run.stops_at_failure = stops_at_failure
    waves: dict[int, list[Record]] = defaultdict(list)
    for placed in records:
        waves[placed.wave].append(placed.record)
    for wave in sorted(waves):
        await run.make(waves[wave])
    await run.conclude([waves[wave] for wave in sorted(waves)])
    return tuple(run.outcomes[placed.record.key] for placed in records)


class _Run:
    """The state of one import: ids known so far, outcomes so far."""

    def __init__(
        self,
        plan: Plan,
        records: Sequence[Record],
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
        self._slots = asyncio.Semaphore(_AT_ONCE_ON_CLOUD if api.is_cloud else _AT_ONCE)
        self._ids = plan.external | {action.key: action.id for action in plan.actions if action.id is not None}
        self._rows: dict[str, Raw] = dict(destination.rows)
        self._new = {action.id for action in plan.actions if action.verb == "complete" and action.id is not None}
        self._begun: dict[Key, Begun] = {}
        self._full: dict[str, str] = {}  # kinds of which Cloud's plan allows no more, and its words for that
        self._done: dict[str, int] = defaultdict(int)
        self._total: dict[str, int] = defaultdict(int)
        self._has_ended = False
        self._is_last_round = False
        self._probing = asyncio.Lock()
        self._patience = patience
        self._look = SecondLook(api, records, patience, ids=self._ids, new=self._new)
        for action in plan.actions:
            self._total[action.kind] += 1
        self._keys = destination.keys
        self._late: dict[Key, Late] = {}
        self.stops_at_failure = False
        self.outcomes: dict[Key, Outcome] = {}

    # The phases

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

    async def conclude(self, waves: Sequence[Sequence[Record]]) -> None:
        """Agree on what stands, and finish it; again, where others withdrew something meanwhile."""
        for rounds_left in reversed(range(self._patience.tries)):
            self._is_last_round = rounds_left == 0
            await self.agree()
            for wave in waves:
                await self.activate(wave)
            if self._begun.keys() <= self.outcomes.keys():
                break

    async def agree(self) -> None:
        """Settle with other importers what stands, where the server does not keep names unique."""
        groups: dict[str, list[Begun]] = defaultdict(list)
        for begun in self._begun.values():
            if self._is_unsettled(begun.record.key):
                groups[begun.record.kind].append(begun)
        for group in () if self._is_over() else groups.values():
            try:
                stands = await settle(
                    [self._claim(each) for each in group], self._api, self._look, self._ids, self._withdraw
                )
            except ServerError as error:
                for each in group:
                    self._note(await self._failed(each.record, error))
            else:
                for each in group:
                    self._accept(each, stands[each.record.key])

    def _is_unsettled(self, key: Key) -> bool:
        begun = None if key in self.outcomes else self._begun.get(key)
        return begun is not None and not KINDS[begun.record.kind].unique_names and is_marked_first(begun.record)

    def _claim(self, begun: Begun) -> Claim:
        return Claim(begun.record, begun.made.id, str(self._final(begun.record, begun.record.body)["name"]))

    async def _withdraw(self, kind: str, made: Made) -> None:
        await KINDS[kind].delete(self._sender(), made)

    def _accept(self, begun: Begun, stand: Stand) -> None:
        """Go on with what stands, or leave it at that."""
        key, is_own = begun.record.key, stand.made.id == begun.made.id
        self._ids[key] = stand.made.id
        self._rows[stand.made.id] = stand.made.raw
        if stand.is_finished:
            self._note(_outcome(self._actions[key], "succeeded") if is_own else self._left_alone(begun.record))
            del self._begun[key]
        elif not is_own:
            self._on_made(key, None)
            self._actions[key] = msgspec.structs.replace(self._actions[key], reason="completed")
            self._begun[key] = Begun(begun.record, stand.made, {})

    async def activate(self, wave: Sequence[Record]) -> None:
        """Turn what was made inert into its final form, also where that is another one by now."""
        async with asyncio.TaskGroup() as group:
            for record in wave:
                if self._is_to_finish(record):
                    group.create_task(self._activate_one(record))

    def _is_to_finish(self, record: Record) -> bool:
        outcome, begun = self.outcomes.get(record.key), self._begun.get(record.key)
        if outcome is None or begun is None:
            return outcome is None
        return outcome.state == "succeeded" and begun.first != self._final(record, record.body)

    async def _activate_one(self, record: Record) -> None:
        async with self._slots:
            if record.key in self._late:
                await self._settle(record, self._update_late(self._late[record.key]))
            else:
                await self._settle(record, self._finish(self._begun[record.key]))

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
        self._done[outcome.kind] += outcome.key not in self.outcomes
        self.outcomes[outcome.key] = outcome
        self._has_ended |= self.stops_at_failure and outcome.state == "failed"
        self._on_event(Event("import", outcome.kind, self._done[outcome.kind], self._total[outcome.kind]))

    async def _make_one(self, record: Record, wave: set[Key]) -> Outcome | None:
        action = self._actions[record.key]
        if action.verb in {"skip", "unsupported"}:
            return _outcome(action, "failed" if action.reason == _OUTSTANDING else "skipped", detail=action.detail)
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
        if action.verb == "update":
            return await self._update(record, action)
        seen = self._look.recall(record)
        if seen is not None and (KINDS[record.kind].unique_names or seen.is_pending or seen.is_equal):
            return self._resolve(record, seen, in_doubt=False)
        return await self._create(record)

    def _missing_needs(self, record: Record, wave: set[Key]) -> tuple[Key, ...]:
        """Targets in the bundle that are neither at the destination nor still to come in this wave."""
        targets = needs(record, self._actions[record.key]) & self._actions.keys()
        return tuple(sorted(key for key in targets if key not in self._ids and self._is_lost(key, wave)))

    def _is_lost(self, key: Key, wave: set[Key]) -> bool:
        return key in self.outcomes or key not in wave

    async def _create(self, record: Record) -> Outcome | None:
        kind = KINDS[record.kind]
        if record.kind in self._full:
            return _outcome(self._actions[record.key], "skipped", reason="tier-limit", detail=self._full[record.kind])
        first = self._final(record, kind.pending(record.body, mark(record)))
        to = self._sender(mark(record))
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
                seen = await self._look.await_ours(record)
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
        seen = await self._look.find(record)
        if seen is None:
            raise error
        return self._resolve(record, seen, in_doubt=error.maybe_done)

    def _resolve(self, record: Record, seen: Seen, *, in_doubt: bool) -> Outcome | None:
        """Take up what is ours; what is another's is left alone, and serves."""
        if is_ours(record, seen, in_doubt=in_doubt):
            return self._adopt(record, seen)
        self._ids[record.key] = seen.made.id
        self._rows[seen.made.id] = seen.made.raw
        return self._left_alone(record)

    def _left_alone(self, record: Record) -> Outcome:
        self._on_made(record.key, None)
        return _outcome(self._actions[record.key], "skipped", reason="exists-now")

    def _sender(self, mark_: str = "") -> Sender:
        return Sender(self._api, self._fields, self._rows, self._new, mark_)

    def _keep(self, record: Record, made: Made) -> None:
        self._on_made(record.key, made.id)
        self._ids[record.key] = made.id
        self._new.add(made.id)
        self._rows[made.id] = made.raw

    def _has_deferred(self, record: Record) -> bool:
        """Whether something it refers to is not there yet, or may still give way to another's."""
        return any(
            each.form != "name" and (each.target not in self._ids or self._is_unsettled(each.target))
            for each in record.references
        )

    def _take_up(self, record: Record, identifier: str) -> None:
        """Go on from what an earlier run left at the destination."""
        found = self._destination.records[self._keys[identifier]]
        first = put_back(found.body, found.references, lambda each: self._destination.ids[each.target])
        self._begun[record.key] = Begun(record, Made(identifier, self._rows[identifier]), first)

    async def _finish(self, begun: Begun) -> Outcome | None:
        record = begun.record
        obstacle = self._obstacle(record)
        if obstacle is not None:
            return obstacle
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
            except RequestRejected as error:
                if error.status != _NOT_FOUND or self._is_last_round or not self._is_unsettled(record.key):
                    raise
                return None
        self._begun[record.key] = Begun(record, begun.made, full)
        return self._succeeded(record, dropped=to.dropped)

    def _obstacle(self, record: Record) -> Outcome | None:
        """Why the last step of a record cannot be taken."""
        action = self._actions[record.key]
        needed = needs(record, action)
        lost = {each.target for each in record.references if each.target in needed and self._is_missing(each)}
        if lost:
            return _outcome(action, "failed", reason="waits-for", waits_for=tuple(sorted(lost)))
        return _outcome(action, "failed", reason="not-tried") if self._is_over() else None

    async def _changed(self, begun: Begun) -> Seen | None:
        """What an unanswered last step left behind, to go on from there."""
        seen = await self._look.await_change(begun.record, begun.made.id, begun.first)
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

    # Updating

    async def _update(self, record: Record, action: Action) -> Outcome | None:
        """Write what makes nothing run; the rest waits for the end, or all where something referred to is to come."""
        change = self._change(record, action)
        late = frozenset(KINDS[record.kind].late(change.body, change.names, change.made.raw))
        if self._has_deferred(record):
            late = change.names
        dropped = await self._write(record, change, change.names - late)
        if late:
            self._late[record.key] = Late(record, late)
            return None
        return self._succeeded(record, dropped=dropped)

    async def _update_late(self, late: Late) -> Outcome:
        obstacle = self._obstacle(late.record)
        if obstacle is not None:
            return obstacle
        change = self._change(late.record, self._actions[late.record.key])
        return self._succeeded(late.record, dropped=await self._write(late.record, change, late.names))

    def _change(self, record: Record, action: Action, seen: Seen | None = None) -> Change:
        """What the destination's resource, as read for the plan or seen since, is to become."""
        found = self._destination.records[self._keys[str(action.id)]]
        body = put_back(found.body, found.references, lambda each: self._destination.ids[each.target])
        shown = self._secrets.revealed.get(str(action.id))
        hidden = tuple(each.pointer for each in found.secrets) if shown is None else ()
        raw = self._rows[str(action.id)] if seen is None else seen.made.raw
        # Secrets are shown once, for the plan.
        live = seen.body if seen is not None and not found.secrets else shown or body
        places = [localized(place, self._id_at_destination) for place in action.places]
        made = Made(str(action.id), raw, hidden)
        return change_to(KINDS[record.kind], made, live, self._final(record, record.body), places)

    def _id_at_destination(self, key: Key) -> str:
        return self._destination.ids.get(key) or self._ids.get(key, NIL_ID)

    async def _write(self, record: Record, change: Change, names: frozenset[str]) -> tuple[str, ...]:
        """Write some fields; returns those that the destination does not take.

        An update whose answer was lost is looked at before it is repeated.
        """
        kind, to = KINDS[record.kind], self._sender()
        for last in (*(False,) * (self._patience.tries - 1), True):
            if not names:
                break
            try:
                await kind.update(to, change.made, change.body, names)
                break
            except Unreachable as error:
                seen = None if last or not error.maybe_done else await self._arrived(record, change, names)
                if seen is None:
                    raise
                change = self._change(record, self._actions[record.key], seen)
        return to.dropped

    async def _arrived(self, record: Record, change: Change, names: frozenset[str]) -> Seen | None:
        """What stands there once what was written shows, or time is up; None when it is gone."""
        kind = KINDS[record.kind]
        wanted = kind.comparable(change.body)

        def is_there(seen: Seen) -> bool:
            now = kind.comparable(seen.body)
            return all(now.get(name) == wanted.get(name) for name in names)

        return await self._look.await_until(record, change.made.id, is_there)

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
        outcome = _outcome(self._actions[record.key], "succeeded")
        return msgspec.structs.replace(outcome, dropped=tuple(sorted({*outcome.dropped, *dropped})))

    async def _failed(self, record: Record, error: ServerError) -> Outcome:
        action = self._actions[record.key]
        if isinstance(error, PlanLimit):
            if error.is_full:
                self._full[record.kind] = error.detail
            state: State = "failed" if record.key in self._begun else "skipped"
            return _outcome(action, state, reason="tier-limit", detail=error.detail)
        if isinstance(error, AccessDenied):
            self._has_ended |= error.status == _UNAUTHORIZED
            return _outcome(action, "failed", reason="denied", detail=error.message)
        if isinstance(error, Unreachable):
            await self._probe()
            return _outcome(action, "failed", reason="unreachable", detail=error.message)
        return _outcome(action, "failed", reason="rejected", detail=error.message)

    async def _probe(self) -> None:
        """End the run unless the destination still answers: one resource that it chokes on stops no other.

        Any answer will do; a Cloud workspace has no ``/health``.
        """
        async with self._probing:
            if not self._has_ended:
                try:
                    await self._api.get("/health")
                except RequestRejected as error:
                    self._has_ended = error.status == _UNAUTHORIZED
                except Unreachable:
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
        action.dropped,
    )
