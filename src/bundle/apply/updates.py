"""Writes over resources that a destination has: the fields that differ, and secrets where placeholders are.

Rules:

1. An update writes at once what makes nothing run; what does, or waits for something, is written at the end.
2. An update whose answer was lost is looked at before it is repeated.
"""

from __future__ import annotations

from bundle.apply.confirm import Confirmation, Seen
from bundle.apply.outcomes import Outcome, outcome_of
from bundle.apply.state import State
from bundle.environment.reveal import shown_row
from bundle.errors import Unreachable, listed
from bundle.kinds import KINDS
from bundle.kinds.protocols import Made
from bundle.model import Key
from bundle.plan.actions import Action
from bundle.plan.intended import Intended
from bundle.plan.merge import Merged, merged
from bundle.plan.secret_values import SecretValues
from bundle.record.pointers import exists, replace_all, resolve
from bundle.record.references import NIL_ID
from bundle.record.secrets import still_marked


class Updates:
    """Works out what an existing resource is to become, and writes parts of it."""

    def __init__(self, state: State, look: Confirmation, secrets: SecretValues) -> None:
        self._state = state
        self._look = look
        self._secrets = secrets
        self._late: dict[Key, frozenset[str]] = {}

    async def update(self, record: Intended, action: Action) -> Outcome | None:
        """Write what makes nothing run; the rest waits for the end, or all where something referred to is to come."""
        change = self._merged(record, action)
        late = frozenset(KINDS[record.kind].late(change.body, change.names, change.made.raw))
        if self._state.has_deferred(record):
            late = change.names
        dropped = await self._write(record, action, change.names - late, change)
        if late:
            self._late[record.key] = late
            self._state.written |= {record.key} if change.names - late else set()
            return None
        return self._state.succeeded(record, dropped=dropped)

    def is_waiting(self, key: Key) -> bool:
        """Whether fields of an update are still to be written."""
        return key in self._late

    async def update_late(self, record: Intended) -> Outcome:
        """Write the fields that waited for the end."""
        obstacle = self._state.obstacle(record)
        if obstacle is not None:
            return obstacle
        action = self._state.actions[record.key]
        dropped = await self._write(record, action, self._late[record.key], self._merged(record, action))
        return self._state.succeeded(record, dropped=dropped)

    async def again(self, record: Intended, action: Action, seen: Seen) -> Outcome:
        """Write everything once more over what was seen."""
        change = self._merged(record, action, seen)
        return self._state.succeeded(record, dropped=await self._write(record, action, change.names, change))

    async def fill(self, record: Intended, action: Action) -> Outcome:
        """Put supplied secrets where an earlier run left its placeholder, leave all else as it is, and look at it."""
        identifier = str(action.id)
        live = self._secrets.revealed[identifier]
        wanted = {
            each.pointer: self._secrets.supplied[each.slot]
            for each in record.secrets
            if each.slot in self._secrets.supplied and still_marked(live, each)
        }
        names = sorted({pointer.split("/")[1] for pointer in wanted})
        to = self._state.sender()
        await KINDS[record.kind].update(to, Made(identifier), replace_all(live, wanted), names)
        found = await shown_row(self._state.api, record.kind, identifier)
        lost = [
            place for place, value in wanted.items() if not (exists(found, place) and resolve(found, place) == value)
        ]
        if lost:
            return outcome_of(action, "failed", reason="secret-not-kept", detail=listed(lost))
        return outcome_of(action, "succeeded")

    def _merged(self, record: Intended, action: Action, seen: Seen | None = None) -> Merged:
        """What the destination's resource, as read for the plan or seen since, is to become."""
        identifier = str(action.id)
        found, body = self._state.read_before(identifier)
        shown = self._secrets.revealed.get(identifier)
        hidden = tuple(each.pointer for each in found.secrets) if shown is None else ()
        raw = self._state.rows[identifier] if seen is None else seen.made.raw
        # Secrets are shown once, for the plan.
        live = seen.body if seen is not None and not found.secrets else shown or body
        places = [each.at(self._id) for each in action.to_write]
        made = Made(identifier, raw, hidden)
        return merged(KINDS[record.kind], made, live, self._state.final(record), places)

    def _id(self, key: Key) -> str:
        return self._state.before.ids.get(key) or self._state.ids.get(key, NIL_ID)

    async def _write(self, record: Intended, action: Action, names: frozenset[str], change: Merged) -> tuple[str, ...]:
        """Write some fields of a change; returns those that the destination does not take.

        Raises:
            ServerError: the destination refuses, or does not answer.
        """
        kind, to = KINDS[record.kind], self._state.sender()
        for is_last in self._state.control.patience.attempts() if names else ():
            try:
                await kind.update(to, change.made, change.body, names)
                break
            except Unreachable as error:
                seen = None if is_last or not error.maybe_done else await self._arrived(record, change, names)
                if seen is None:
                    raise
                change = self._merged(record, action, seen)
        return to.dropped

    async def _arrived(self, record: Intended, change: Merged, names: frozenset[str]) -> Seen | None:
        """What is there once what was written shows, or time is up; None when it is gone."""
        kind = KINDS[record.kind]
        wanted = kind.comparable(change.body)

        def is_there(seen: Seen) -> bool:
            now = kind.comparable(seen.body)
            return all(now.get(name) == wanted.get(name) for name in names)

        return await self._look.await_until(record, change.made.id, is_there)
