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
6. Where writes were not answered, what took several is looked at once more at
   the end, and put right: a late one may have undone later ones.
7. Once the destination refuses the credentials (401), or is away beyond the
   client's retry budget and does not answer a probe, nothing more is tried. A
   403 concerns one resource. Once Cloud says that its plan allows no more of a
   kind, no more of that kind is tried.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter, defaultdict
from collections.abc import Sequence

import msgspec

from bundle.apply.confirm import Patience, SecondLook, Seen, is_ours
from bundle.apply.outcomes import Outcome, Refusals, outcome_of
from bundle.apply.race import Claim, Stand, settle
from bundle.apply.state import Standing
from bundle.apply.updates import Rewriter
from bundle.environment.describe import Environment
from bundle.environment.read import OnEvent
from bundle.errors import RequestRejected, ServerError, Unreachable
from bundle.kinds import KINDS
from bundle.kinds.base import Made
from bundle.model import Api, Body, Event, Json, Key, Placed, Record, Reference
from bundle.plan.actions import Action, Plan, Secrets
from bundle.plan.capabilities import Fields
from bundle.plan.compare import needs
from bundle.plan.matching import is_marked_first, mark
from bundle.record.references import put_back

_AT_ONCE = 16
# As many as a rate of 625 requests a minute needs; and no more than these are on their way when a limit is told.
_AT_ONCE_ON_CLOUD = 4
# The one unsupported thing that nobody's documentation says will be skipped.
_OUTSTANDING = "too-large"
_NOT_FOUND = 404
_CONFLICT = 409


class Witness:
    """Told what an import makes; keeps nothing by itself."""

    def trying(self, key: Key) -> None:
        """A resource is going to be made now."""

    def made(self, key: Key, identifier: str | None) -> None:
        """A resource stands at the destination by this run, or (None) by somebody else."""


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
    witness: Witness | None = None,
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
        witness: told of each creation, before and after.
        stop: once set, nothing new is begun.
        patience: how long the late effect of an unanswered write is waited for.
        stops_at_failure: begin nothing new once a resource has failed.

    Returns:
        One outcome for each record, in the order of ``records``.
    """
    run = _Run(
        plan,
        [placed.record for placed in records],
        api,
        Standing(plan, api, destination, fields, secrets),
        secrets,
        on_event=on_event,
        witness=witness or Witness(),
        stop=stop or asyncio.Event(),
        patience=patience or Patience(),
        stops_at_failure=stops_at_failure,
    )
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
        standing: Standing,
        secrets: Secrets,
        *,
        on_event: OnEvent,
        witness: Witness,
        stop: asyncio.Event,
        patience: Patience,
        stops_at_failure: bool,
    ) -> None:
        self._actions = {action.key: action for action in plan.actions}
        self._api = api
        self._on_event = on_event
        self._witness = witness
        self._stop = stop
        self._stops_at_failure = stops_at_failure
        self._slots = asyncio.Semaphore(_AT_ONCE_ON_CLOUD if api.is_cloud else _AT_ONCE)
        self._standing = standing
        self._patience = patience
        self._look = SecondLook(api, records, patience, ids=standing.ids, new=standing.new)
        self._rewriter = Rewriter(standing, self._look, secrets)
        self._refusals = Refusals(api)
        self._begun: dict[Key, Begun] = {}
        self._late: dict[Key, Late] = {}
        self._is_last_round = False
        self._has_failed = False
        self._done: dict[str, int] = defaultdict(int)
        self._total = Counter(action.kind for action in plan.actions)
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
        body = put_back(record.body, record.references, self._id_or_key) if kind.has_lanes else {}
        return f"{record.kind}/{kind.lane(body)}" if kind.has_lanes else record.key

    def _id_or_key(self, reference: Reference) -> str:
        return self._standing.ids.get(reference.target, reference.target)

    async def _make_lane(self, lane: list[Record], wave: set[Key]) -> None:
        for record in sorted(lane, key=lambda each: KINDS[each.kind].lane_order(each.body)):
            async with self._slots:
                await self._settle(record, self._make_one(record, wave))

    async def conclude(self, waves: Sequence[Sequence[Record]]) -> None:
        """Agree on what stands, and finish it; again, where others withdrew something meanwhile."""
        for is_last in self._patience.attempts():
            self._is_last_round = is_last
            await self.agree()
            for wave in waves:
                await self.activate(wave)
            if self._begun.keys() <= self.outcomes.keys():
                break
        await self.confirm([record for wave in waves for record in wave])

    async def confirm(self, records: Sequence[Record]) -> None:
        """See that what took several writes stands: one of them that was not answered may have come over later ones."""
        known = 0
        for _ in range(self._patience.tries):
            if self._api.unanswered == known or self._is_over():
                break
            known = self._api.unanswered
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), self._patience.settle_seconds)
            async with asyncio.TaskGroup() as group:
                for record in records:
                    if self._took_several_writes(record.key):
                        group.create_task(self._settle(record, self._confirm_one(record)))

    def _took_several_writes(self, key: Key) -> bool:
        is_changed = key in self._begun or self._actions[key].verb == "update"
        return is_changed and self.outcomes[key].state == "succeeded"

    async def _confirm_one(self, record: Record) -> Outcome | None:
        seen = await self._look.await_until(record, self._standing.ids[record.key], lambda _: True)
        if seen is None or seen.is_equal:
            return None
        async with self._slots:
            if record.key in self._begun:
                return await self._finish(Begun(record, seen.made, seen.body))
            action = self._actions[record.key]
            change = self._rewriter.change(record, action, seen)
            dropped = await self._rewriter.write(record, action, change.names, change)
            return self._succeeded(record, dropped=dropped)

    async def agree(self) -> None:
        """Settle with other importers what stands, where the server does not keep names unique."""
        groups: dict[str, list[Begun]] = defaultdict(list)
        for begun in self._begun.values():
            if self._is_unsettled(begun.record.key):
                groups[begun.record.kind].append(begun)
        for group in () if self._is_over() else groups.values():
            try:
                stands = await settle(
                    [self._claim(each) for each in group], self._api, self._look, self._standing.ids, self._withdraw
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
        return Claim(begun.record, begun.made.id, str(self._standing.final(begun.record, begun.record.body)["name"]))

    async def _withdraw(self, kind: str, made: Made) -> None:
        await KINDS[kind].delete(self._standing.sender(), made)

    def _accept(self, begun: Begun, stand: Stand) -> None:
        """Go on with what stands, or leave it at that."""
        key, is_own = begun.record.key, stand.made.id == begun.made.id
        self._standing.found(key, stand.made)
        if stand.is_finished:
            self._note(outcome_of(self._actions[key], "succeeded") if is_own else self._left_alone(begun.record))
            del self._begun[key]
        elif not is_own:
            self._witness.made(key, None)
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
        return outcome.state == "succeeded" and begun.first != self._standing.final(record, record.body)

    async def _activate_one(self, record: Record) -> None:
        async with self._slots:
            if record.key in self._late:
                await self._settle(record, self._update_late(self._late[record.key]))
            else:
                await self._settle(record, self._finish(self._begun[record.key]))

    def _is_over(self) -> bool:
        """Stopped by the user, or the destination refuses our credentials or stays away."""
        return self._stop.is_set() or self._refusals.has_ended or (self._stops_at_failure and self._has_failed)

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
        self._has_failed |= outcome.state == "failed"
        self._on_event(Event("import", outcome.kind, self._done[outcome.kind], self._total[outcome.kind]))

    async def _make_one(self, record: Record, wave: set[Key]) -> Outcome | None:
        action = self._actions[record.key]
        if action.verb in {"skip", "unsupported"}:
            return outcome_of(action, "failed" if action.reason == _OUTSTANDING else "skipped", detail=action.detail)
        missing = self._missing_needs(record, wave)
        if action.verb == "blocked" or missing:
            return outcome_of(action, "blocked", reason="waits-for", waits_for=missing or action.waits_for)
        if self._is_over():
            return outcome_of(action, "failed", reason="not-tried")
        return await self._act(record, action)

    async def _act(self, record: Record, action: Action) -> Outcome | None:
        if action.verb == "fill":
            await self._rewriter.fill(record, action)
            return outcome_of(action, "succeeded")
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
        return tuple(sorted(key for key in targets if key not in self._standing.ids and self._is_lost(key, wave)))

    def _is_lost(self, key: Key, wave: set[Key]) -> bool:
        return key in self.outcomes or key not in wave

    async def _create(self, record: Record) -> Outcome | None:
        kind = KINDS[record.kind]
        full = self._refusals.full(record.kind)
        if full is not None:
            return outcome_of(self._actions[record.key], "skipped", reason="tier-limit", detail=full)
        first = self._standing.final(record, kind.pending(record.body, mark(record)))
        to = self._standing.sender(mark(record))
        self._witness.trying(record.key)
        for is_last in self._patience.attempts():
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
                if is_last:
                    raise
            else:
                return self._begin(record, made, first, dropped=to.dropped)
        raise AssertionError("the last try returns or raises")

    def _begin(self, record: Record, made: Made, first: Body, *, dropped: tuple[str, ...] = ()) -> Outcome | None:
        """Note what stands at the destination; it is done unless it is still to be finished."""
        self._keep(record, made)
        if first != self._standing.final(record, record.body) or self._has_deferred(record):
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
        self._standing.found(record.key, seen.made)
        return self._left_alone(record)

    def _left_alone(self, record: Record) -> Outcome:
        self._witness.made(record.key, None)
        return outcome_of(self._actions[record.key], "skipped", reason="exists-now")

    def _keep(self, record: Record, made: Made) -> None:
        self._witness.made(record.key, made.id)
        self._standing.made(record.key, made)

    def _has_deferred(self, record: Record) -> bool:
        """Whether something it refers to is not there yet, or may still give way to another's."""
        return any(
            each.form != "name" and (each.target not in self._standing.ids or self._is_unsettled(each.target))
            for each in record.references
        )

    def _take_up(self, record: Record, identifier: str) -> None:
        """Go on from what an earlier run left at the destination."""
        self._witness.made(record.key, identifier)
        _, first = self._standing.read_before(identifier)
        self._begun[record.key] = Begun(record, Made(identifier, self._standing.rows[identifier]), first)

    async def _finish(self, begun: Begun) -> Outcome | None:
        record = begun.record
        obstacle = self._obstacle(record)
        if obstacle is not None:
            return obstacle
        to = self._standing.sender()
        for is_last in self._patience.attempts():
            full = self._standing.final(record, record.body)
            try:
                await KINDS[record.kind].finish(to, begun.made, full, begun.first)
                break
            except Unreachable as error:
                seen = await self._changed(begun) if error.maybe_done and not is_last else None
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
            return outcome_of(action, "failed", reason="waits-for", waits_for=tuple(sorted(lost)))
        return outcome_of(action, "failed", reason="not-tried") if self._is_over() else None

    async def _changed(self, begun: Begun) -> Seen | None:
        """What an unanswered last step left behind, to go on from there."""
        seen = await self._look.await_change(begun.record, begun.made.id, begun.first)
        if seen is not None:
            self._standing.found(begun.record.key, seen.made)
        return seen

    def _is_missing(self, reference: Reference) -> bool:
        return (
            reference.form != "name"
            and reference.target in self._actions
            and reference.target not in self._standing.ids
        )

    # Updating

    async def _update(self, record: Record, action: Action) -> Outcome | None:
        """Write what makes nothing run; the rest waits for the end, or all where something referred to is to come."""
        change = self._rewriter.change(record, action)
        late = frozenset(KINDS[record.kind].late(change.body, change.names, change.made.raw))
        if self._has_deferred(record):
            late = change.names
        dropped = await self._rewriter.write(record, action, change.names - late, change)
        if late:
            self._late[record.key] = Late(record, late)
            return None
        return self._succeeded(record, dropped=dropped)

    async def _update_late(self, late: Late) -> Outcome:
        obstacle = self._obstacle(late.record)
        if obstacle is not None:
            return obstacle
        dropped = await self._rewriter.write(late.record, self._actions[late.record.key], late.names)
        return self._succeeded(late.record, dropped=dropped)

    # When the server says no, or nothing

    def _succeeded(self, record: Record, *, dropped: tuple[str, ...]) -> Outcome:
        return outcome_of(self._actions[record.key], "succeeded", dropped=dropped)

    async def _failed(self, record: Record, error: ServerError) -> Outcome:
        return await self._refusals.outcome(self._actions[record.key], error, stands=record.key in self._begun)
