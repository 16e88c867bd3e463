"""Creates what is missing, wave by wave, and updates what differs.

Rules:

1. What a failed resource's dependents wait for is named; they are blocked, not tried.
2. Whatever would start to run by itself is created inert and marked (``Kind.pending``), to be finished at the end.
3. A write whose answer was lost, and one that the server calls a duplicate, is looked up at the destination; it is
   never simply sent again.
4. What a server refuses as it is is created in a lesser form (``Kind.eased``); the rest is set at the end.
5. What is refused because of the plan of a Cloud workspace is not tried again for the same kind.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import Iterator, Sequence

from bundle.apply.confirm import Confirmation, Seen, is_ours
from bundle.apply.outcomes import REFUSED, Outcome, outcome_of
from bundle.apply.state import State, Unfinished
from bundle.apply.updates import Updates
from bundle.errors import RequestRejected, Unreachable
from bundle.kinds import KINDS
from bundle.kinds.protocols import Made
from bundle.model import Body, Key, Reference
from bundle.plan.actions import Action
from bundle.plan.compare import needs, parent_of
from bundle.plan.intended import Intended
from bundle.record.references import put_back

# The one unsupported thing that nobody's documentation says will be skipped.
_OUTSTANDING = "too-large"
_CONFLICT = 409


class Creation:
    """The first phase of an import."""

    def __init__(self, state: State, look: Confirmation, updates: Updates) -> None:
        self._state = state
        self._look = look
        self._updates = updates

    async def wave(self, wave: Sequence[Intended]) -> None:
        """Do what is to be done with the records of a wave; kinds of a reference cycle one after the other."""
        keys = {record.key for record in wave}
        is_cycle = any(each.target in keys for record in wave for each in record.references)
        ranks = sorted({KINDS[record.kind].rank for record in wave}) if is_cycle else [None]
        for rank in ranks:
            lanes: dict[str, list[Intended]] = defaultdict(list)
            for record in wave:
                if rank is None or KINDS[record.kind].rank == rank:
                    lanes[self._lane(record)].append(record)
            async with asyncio.TaskGroup() as group:
                for lane in lanes.values():
                    group.create_task(self._run_lane(lane, keys))

    def _lane(self, record: Intended) -> str:
        kind = KINDS[record.kind]
        body = put_back(record.body, record.references, self._id_or_key) if kind.has_lanes else {}
        return f"{record.kind}/{kind.lane(body)}" if kind.has_lanes else record.key

    def _id_or_key(self, reference: Reference) -> str:
        return self._state.ids.get(reference.target, reference.target)

    async def _run_lane(self, lane: list[Intended], wave: set[Key]) -> None:
        for record in sorted(lane, key=lambda each: KINDS[each.kind].lane_order(each.body)):
            async with self._state.slots:
                await self._state.perform(record, self._one(record, wave))

    async def _one(self, record: Intended, wave: set[Key]) -> Outcome | None:
        action = self._state.actions[record.key]
        if action.verb in {"skip", "unsupported"}:
            return outcome_of(action, "failed" if action.reason == _OUTSTANDING else "skipped", detail=action.detail)
        missing = self._missing_needs(record, wave)
        skipped = self._state.outcomes.get(parent_of(record) or "")
        if skipped is not None and skipped.key in missing and skipped.state == "skipped":
            return outcome_of(action, "skipped", reason=skipped.reason, detail=skipped.detail)
        if action.verb == "blocked" or (missing and not self._state.is_over):
            return outcome_of(action, "blocked", reason="waits-for", waits_for=missing or action.waits_for)
        if self._state.is_over:
            return self._state.untried(record)
        return await self._act(record, action)

    def _missing_needs(self, record: Intended, wave: set[Key]) -> tuple[Key, ...]:
        """Targets in the bundle that are neither at the destination nor still to come in this wave."""
        state = self._state
        targets = needs(record, state.actions[record.key]) & state.actions.keys()
        return tuple(
            sorted(key for key in targets if key not in state.ids and (key in state.outcomes or key not in wave))
        )

    async def _act(self, record: Intended, action: Action) -> Outcome | None:
        if action.verb == "fill":
            return await self._updates.fill(record, action)
        if action.verb == "complete":
            self._take_up(record, str(action.id))
            return None
        if action.verb == "update":
            return await self._updates.update(record, action)
        seen = self._look.recall(record)
        if seen is not None and (KINDS[record.kind].unique_names or seen.is_pending or seen.is_equal):
            return self._take_over(record, seen, in_doubt=False)
        return await self._create(record)

    def _take_up(self, record: Intended, identifier: str) -> None:
        """Go on from what an earlier run left at the destination."""
        state = self._state
        state.control.witness.made(record.key, identifier)
        _, first = state.read_before(identifier)
        state.unfinished[record.key] = Unfinished(record, Made(identifier, state.rows[identifier]), first)

    async def _create(self, record: Intended) -> Outcome | None:
        state = self._state
        full = state.refusals.full(record.kind)
        if full is not None:
            return outcome_of(state.actions[record.key], "skipped", reason="tier-limit", detail=full)
        state.control.witness.trying(record.key)
        first = state.first(record)
        try:
            return await self._create_as(record, first)
        except RequestRejected as error:
            for lesser in self._lesser(record, first, error):
                with contextlib.suppress(RequestRejected):
                    return await self._create_as(record, lesser)
            raise

    def _lesser(self, record: Intended, first: Body, error: RequestRejected) -> Iterator[Body]:
        """What may be created where the first form was refused; other requests set the rest at the end."""
        kind = KINDS[record.kind]
        for form in kind.eased(record.body, error.names) if error.status in REFUSED else ():
            lesser = self._state.completed(record, kind.marked(form, record.mark))
            if lesser != first:
                yield lesser

    async def _create_as(self, record: Intended, first: Body) -> Outcome | None:
        """Create a resource in a first form.

        Raises:
            ServerError: the destination refuses it, or does not answer.
        """
        state, kind = self._state, KINDS[record.kind]
        to = state.sender(record.mark)
        for is_last in state.control.patience.attempts():
            try:
                made = await kind.create(to, first)
            except RequestRejected as error:
                if error.status != _CONFLICT:
                    raise
                return await self._after_conflict(record, error)
            except Unreachable as error:
                if not error.maybe_done:
                    raise
                seen = await self._look.await_ours(record)
                if seen is not None:
                    return self._adopt(record, seen)
                if is_last:
                    raise
            else:
                begin = self._share if to.is_existing else self._begin
                return begin(record, made, first, dropped=to.dropped)
        raise AssertionError("the last try returns or raises")

    def _share(self, record: Intended, made: Made, first: Body, *, dropped: tuple[str, ...] = ()) -> Outcome | None:
        """Somebody else made it since the plan: it is used, and finished where it is not, but is not ours to delete."""
        state = self._state
        state.control.witness.made(record.key, None)
        state.found(record.key, made)
        if state.leave_open(record, made, first, dropped=dropped):
            return None
        is_equal = all(made.raw.get(name) == value for name, value in first.items())
        return state.succeeded(record) if is_equal else state.left_alone(record)

    def _begin(self, record: Intended, made: Made, first: Body, *, dropped: tuple[str, ...] = ()) -> Outcome | None:
        """Note what exists at the destination; it is done unless it is still to be finished."""
        self._state.made(record.key, made)
        is_open = self._state.leave_open(record, made, first, dropped=dropped)
        return None if is_open else self._state.succeeded(record)

    def _adopt(self, record: Intended, seen: Seen) -> Outcome | None:
        """Go on with what we created without having got the answer."""
        if seen.is_equal and not seen.is_pending:
            self._state.made(record.key, seen.made, is_answered=False)
            return self._state.succeeded(record)
        return self._begin(record, seen.made, seen.body)

    async def _after_conflict(self, record: Intended, error: RequestRejected) -> Outcome | None:
        """Somebody has it: we ourselves, by an attempt whose answer was lost, or somebody else."""
        seen = await self._look.find(record)
        if seen is None:
            raise error
        return self._take_over(record, seen, in_doubt=error.maybe_done)

    def _take_over(self, record: Intended, seen: Seen, *, in_doubt: bool) -> Outcome | None:
        """Take up what is ours; what is another's is left alone, and serves."""
        if is_ours(record, seen, in_doubt=in_doubt):
            return self._adopt(record, seen)
        self._state.found(record.key, seen.made)
        return self._state.left_alone(record)
