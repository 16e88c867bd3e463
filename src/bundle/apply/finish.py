"""Finishes what was created inert, at the end of an import, and puts right what a late write undid.

Rules:

1. Where a server keeps no names unique, importers first agree on which of several equal resources remains (``race``).
2. What starts to run gets its final form only after all creates; so do updates that switch something on.
3. Where writes were not answered, what took several is looked at once more: a late one may have undone later ones.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import Sequence

import msgspec

from bundle.apply.confirm import Confirmation, Seen
from bundle.apply.outcomes import REFUSED, Outcome, outcome_of, words_of
from bundle.apply.race import Claim, Settled, settle
from bundle.apply.state import State, Unfinished
from bundle.apply.updates import Updates
from bundle.errors import RequestRejected, ServerError, Unreachable, listed
from bundle.kinds import KINDS
from bundle.kinds.protocols import Made
from bundle.model import Key
from bundle.plan.differences import between
from bundle.plan.intended import Intended

_NOT_FOUND = 404


class Finish:
    """The last phase of an import."""

    def __init__(self, state: State, look: Confirmation, updates: Updates) -> None:
        self._state = state
        self._look = look
        self._updates = updates
        self._is_last_round = False

    async def run(self, waves: Sequence[Sequence[Intended]]) -> None:
        """Agree on what remains, and finish it; again, where others withdrew something meanwhile."""
        state = self._state
        for is_last in state.control.patience.attempts():
            self._is_last_round = is_last
            await self._agree()
            for wave in waves:
                await self._finish_wave(wave)
            if state.unfinished.keys() <= state.outcomes.keys():
                break
        await self._confirm([record for wave in waves for record in wave])

    # Agreeing with other importers

    async def _agree(self) -> None:
        groups: dict[str, list[Unfinished]] = defaultdict(list)
        for each in self._state.unfinished.values():
            if self._state.is_unsettled(each.record.key):
                groups[each.record.kind].append(each)
        for group in () if self._state.is_over else groups.values():
            await self._agree_on(group)

    async def _agree_on(self, group: Sequence[Unfinished]) -> None:
        state = self._state
        claims = [Claim(each.record, each.made.id, str(state.final(each.record)["name"])) for each in group]
        try:
            settled = await settle(claims, state.api, self._look, state.ids, self._withdraw)
        except ServerError as error:
            for each in group:
                state.note(await state.failed(each.record, error))
        else:
            for each in group:
                self._accept(each, settled[each.record.key])

    async def _withdraw(self, kind: str, made: Made) -> None:
        await KINDS[kind].delete(self._state.sender(), made)

    def _accept(self, unfinished: Unfinished, settled: Settled) -> None:
        """Go on with what remains, or leave it at that."""
        state, record = self._state, unfinished.record
        is_own = settled.made.id == unfinished.made.id
        state.found(record.key, settled.made)
        if settled.is_finished:
            state.note(outcome_of(state.actions[record.key], "succeeded") if is_own else state.left_alone(record))
            del state.unfinished[record.key]
        elif not is_own:
            state.control.witness.made(record.key, None)
            state.actions[record.key] = msgspec.structs.replace(state.actions[record.key], reason="completed")
            state.unfinished[record.key] = Unfinished(record, settled.made, {})

    # Finishing

    async def _finish_wave(self, wave: Sequence[Intended]) -> None:
        """Turn what was created inert into its final form, also where that is another one by now."""
        async with asyncio.TaskGroup() as group:
            for record in wave:
                if self._is_to_finish(record):
                    group.create_task(self._finish_one(record))

    def _is_to_finish(self, record: Intended) -> bool:
        state = self._state
        outcome, unfinished = state.outcomes.get(record.key), state.unfinished.get(record.key)
        if outcome is None or unfinished is None:
            return outcome is None
        return outcome.state == "succeeded" and unfinished.first != state.final(record)

    async def _finish_one(self, record: Intended) -> None:
        async with self._state.slots:
            if self._updates.is_waiting(record.key):
                await self._state.perform(record, self._updates.update_late(record))
            elif record.key in self._state.unfinished:
                await self._state.perform(record, self._finish(self._state.unfinished[record.key]))
            else:
                self._state.note(outcome_of(self._state.actions[record.key], "failed", reason="unreachable"))

    async def _finish(self, unfinished: Unfinished) -> Outcome | None:
        state, record = self._state, unfinished.record
        obstacle = state.obstacle(record)
        if obstacle is not None:
            return obstacle
        to = state.sender()
        for is_last in state.control.patience.attempts():
            full = state.final(record)
            try:
                await KINDS[record.kind].finish(to, unfinished.made, full, unfinished.first)
                break
            except Unreachable as error:
                seen = await self._changed(unfinished) if error.maybe_done and not is_last else None
                if seen is None:
                    raise
                unfinished = Unfinished(record, seen.made, seen.body)
            except RequestRejected as error:
                if error.status == _NOT_FOUND and not self._is_last_round and state.is_unsettled(record.key):
                    return None
                return await self._finish_partly(unfinished, error)
        await self._note_time(record, unfinished.made)
        state.unfinished[record.key] = Unfinished(record, unfinished.made, full)
        return state.succeeded(record, dropped=to.dropped)

    async def _finish_partly(self, unfinished: Unfinished, error: RequestRejected) -> Outcome:
        """Leave what was created without what no request takes, and switched off: it is not what it was.

        Raises:
            RequestRejected: nothing is taken.
        """
        state, record, kind = self._state, unfinished.record, KINDS[unfinished.record.kind]
        full = state.final(record)
        for form in kind.eased(record.body, error.names) if error.status in REFUSED else ():
            lesser = state.completed(record, form)
            with contextlib.suppress(RequestRejected):
                await kind.finish(state.sender(), unfinished.made, lesser, unfinished.first)
                places = listed([each.pointer for each in between(full, lesser)])
                said = state.actions[record.key].detail
                detail = f"without {places}: {said or words_of(error)}"
                return outcome_of(state.actions[record.key], "failed", reason="created-partly", detail=detail)
        raise error

    async def _note_time(self, record: Intended, made: Made) -> None:
        """Note when what has supplied secrets was finished: a rollback knows by it that nobody has set one since."""
        state = self._state
        if made.id in state.new and state.has_supplied(record):
            with contextlib.suppress(ServerError):
                raw = await state.sender().get(KINDS[record.kind].path + "/{id}", id=made.id)
                state.control.witness.made(record.key, made.id, raw.get("updated"))

    async def _changed(self, unfinished: Unfinished) -> Seen | None:
        """What an unanswered last step left behind, to go on from there."""
        seen = await self._look.await_change(unfinished.record, unfinished.made.id, unfinished.first)
        if seen is not None:
            self._state.found(unfinished.record.key, seen.made)
        return seen

    # Looking once more

    async def _confirm(self, records: Sequence[Intended]) -> None:
        """See that what took several writes is as it is to be: an unanswered one may have come over later ones."""
        state, known = self._state, 0
        for _ in range(state.control.patience.tries):
            if state.api.unanswered == known or state.is_over:
                break
            known = state.api.unanswered
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(state.stop.wait(), state.control.patience.settle_seconds)
            async with asyncio.TaskGroup() as group:
                for record in records:
                    if self._took_several_writes(record.key):
                        group.create_task(state.perform(record, self._confirm_one(record)))

    def _took_several_writes(self, key: Key) -> bool:
        is_changed = key in self._state.unfinished or self._state.actions[key].verb == "update"
        return is_changed and self._state.outcomes[key].state == "succeeded"

    async def _confirm_one(self, record: Intended) -> Outcome | None:
        state = self._state
        seen = await self._look.await_until(record, state.ids[record.key], lambda _: True)
        if seen is None or seen.is_equal:
            return None
        async with state.slots:
            if record.key in state.unfinished:
                return await self._finish(Unfinished(record, seen.made, seen.body))
            return await self._updates.again(record, state.actions[record.key], seen)
