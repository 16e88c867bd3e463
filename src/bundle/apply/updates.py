"""Writes over resources that a destination has: the fields that differ, and secrets where markers stand."""

from __future__ import annotations

from bundle.apply.confirm import SecondLook, Seen
from bundle.apply.state import Standing
from bundle.errors import Unreachable
from bundle.kinds import KINDS
from bundle.kinds.base import Made
from bundle.model import Key, Record
from bundle.plan.actions import Action, Secrets
from bundle.plan.differences import localized
from bundle.plan.merge import Change, change_to
from bundle.record.pointers import replace_all
from bundle.record.references import NIL_ID
from bundle.record.secrets import still_marked


class Rewriter:
    """Works out what an existing resource is to become, and writes parts of it."""

    def __init__(self, standing: Standing, look: SecondLook, secrets: Secrets) -> None:
        self._standing = standing
        self._look = look
        self._secrets = secrets

    def change(self, record: Record, action: Action, seen: Seen | None = None) -> Change:
        """What the destination's resource, as read for the plan or seen since, is to become."""
        identifier = str(action.id)
        found, body = self._standing.read_before(identifier)
        shown = self._secrets.revealed.get(identifier)
        hidden = tuple(each.pointer for each in found.secrets) if shown is None else ()
        raw = self._standing.rows[identifier] if seen is None else seen.made.raw
        # Secrets are shown once, for the plan.
        live = seen.body if seen is not None and not found.secrets else shown or body
        places = [localized(place, self._id) for place in action.places]
        made = Made(identifier, raw, hidden)
        return change_to(KINDS[record.kind], made, live, self._standing.final(record, record.body), places)

    def _id(self, key: Key) -> str:
        return self._standing.before.ids.get(key) or self._standing.ids.get(key, NIL_ID)

    async def write(
        self, record: Record, action: Action, names: frozenset[str], change: Change | None = None
    ) -> tuple[str, ...]:
        """Write some fields of a change; returns those that the destination does not take.

        An update whose answer was lost is looked at before it is repeated.

        Raises:
            ServerError: the destination refuses, or does not answer.
        """
        kind, to = KINDS[record.kind], self._standing.sender()
        change = change or self.change(record, action)
        for is_last in self._look.patience.attempts() if names else ():
            try:
                await kind.update(to, change.made, change.body, names)
                break
            except Unreachable as error:
                seen = None if is_last or not error.maybe_done else await self._arrived(record, change, names)
                if seen is None:
                    raise
                change = self.change(record, action, seen)
        return to.dropped

    async def _arrived(self, record: Record, change: Change, names: frozenset[str]) -> Seen | None:
        """What stands there once what was written shows, or time is up; None when it is gone."""
        kind = KINDS[record.kind]
        wanted = kind.comparable(change.body)

        def is_there(seen: Seen) -> bool:
            now = kind.comparable(seen.body)
            return all(now.get(name) == wanted.get(name) for name in names)

        return await self._look.await_until(record, change.made.id, is_there)

    async def fill(self, record: Record, action: Action) -> None:
        """Put supplied secrets where an earlier run left its marker, and leave all else as it is."""
        identifier = str(action.id)
        live = self._secrets.revealed[identifier]
        wanted = {
            each.pointer: self._secrets.supplied[each.slot]
            for each in record.secrets
            if each.slot in self._secrets.supplied and still_marked(live, each)
        }
        names = sorted({pointer.split("/")[1] for pointer in wanted})
        to = self._standing.sender()
        await KINDS[record.kind].update(to, Made(identifier), replace_all(live, wanted), names)
