"""Looks at the destination again, when the answer to a write was lost or was a conflict.

A create that was not answered may have been carried out, at once or a little
later. What is found counts as ours only by the mark that it carries, or, for
kinds that carry none, by equal content while we are in doubt.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence

import msgspec

from bundle.apply.control import Patience
from bundle.environment.describe import Environment
from bundle.environment.snapshot import read_destination
from bundle.errors import ServerError, Unreachable
from bundle.kinds import KINDS
from bundle.kinds.protocols import Made
from bundle.model import Api, Body, Key, Record
from bundle.plan.differences import differences_of
from bundle.plan.intended import Intended
from bundle.plan.matching import are_equal, match
from bundle.record.references import put_back


class Seen(msgspec.Struct, frozen=True):
    """What the destination has for a record: its body with ids, and how it relates to the record."""

    made: Made
    body: Body
    is_pending: bool
    is_equal: bool


class Confirmation:
    """Looks for records at one destination.

    ``ids`` and ``new`` are those of the run as they are when a look is over:
    the id of each key known so far, and the ids of what this run made or took up.
    """

    def __init__(
        self, api: Api, records: Sequence[Intended], patience: Patience, *, ids: Mapping[Key, str], new: Collection[str]
    ) -> None:
        self._api = api
        self._records = records
        self.patience = patience
        self._ids = ids
        self._new = new
        self._reading = asyncio.Lock()
        self._asked = self._answered = 0
        self._failed = 0
        self._failure: ServerError | None = None
        self._now: Environment | None = None
        self._pairs: Mapping[Key, Key] = {}

    async def find(self, record: Intended) -> Seen | None:
        """What the destination has for a record by now, other than what has a known id already."""
        await self._read()
        return self.recall(record)

    def recall(self, record: Intended) -> Seen | None:
        """What the last look saw of a record, None also where nobody has looked yet."""
        key = self._pairs.get(record.key)
        if key is None or self._now is None:
            return None
        found = self._now.records[key]
        seen = self._seen(record, found, self._now)
        return seen if not seen.is_pending or KINDS[record.kind].continues(record.body, found.body) else None

    async def await_ours(self, record: Intended) -> Seen | None:
        """Wait until a create that may have been carried out shows; None when it does not in time."""
        for _ in range(self.patience.rounds):
            seen = await self.find(record)
            if seen is not None and is_ours(record, seen, in_doubt=True):
                return seen
            await asyncio.sleep(self.patience.pause_seconds)
        return None

    async def await_change(self, record: Intended, identifier: str, before: Body) -> Seen | None:
        """Wait until an existing resource is not what it was, or time is up; None when it is gone."""
        return await self.await_until(record, identifier, lambda seen: seen.body != before)

    async def await_until(self, record: Intended, identifier: str, is_there: Callable[[Seen], bool]) -> Seen | None:
        """Wait until an existing resource is as it is to be, or time is up; None when it is gone."""
        seen = None
        for _ in range(self.patience.rounds):
            now = await self._read()
            key = now.keys.get(identifier)
            seen = None if key is None else self._seen(record, now.records[key], now)
            if seen is None or is_there(seen):
                break
            await asyncio.sleep(self.patience.pause_seconds)
        return seen

    async def finished(self, records: Sequence[Intended], *, excluding: Collection[str]) -> dict[Key, Made]:
        """Equal resources for some records, other than those with certain ids.

        What they refer to is compared by name: which of several equal ones remains may not be clear yet.
        """
        now = _without(await self._read(), excluding)
        pairs = match(records, now)
        equal = {
            each.key: now.ids[pairs[each.key]]
            for each in records
            if each.key in pairs and are_equal(each, now.records[pairs[each.key]])
        }
        return {key: Made(identifier, now.rows[identifier]) for key, identifier in equal.items()}

    async def _read(self) -> Environment:
        """A reading that began after it was asked for; all who wait for one share it, or its failure."""
        self._asked += 1
        asked = self._asked
        async with self._reading:
            if self._now is None or self._answered < asked:
                if self._failure is not None and self._failed >= asked:
                    raise self._failure
                covered = self._asked
                try:
                    now = await read_destination(self._api)
                    self._refuse_unreadable(now)
                except ServerError as failure:
                    self._failed, self._failure = covered, failure
                    raise
                unmade = [record for record in self._records if record.key not in self._ids]
                self._pairs = match(unmade, _without(now, set(self._ids.values())))
                self._now, self._answered = now, covered
            return self._now

    def _refuse_unreadable(self, now: Environment) -> None:
        """Refuse a look that does not show whether something was made: it would be made twice.

        Raises:
            Unreachable: a kind cannot be read any more.
        """
        hidden = sorted(now.unseen.kinds.keys() & {record.kind for record in self._records})
        if hidden:
            raise Unreachable(
                f"the destination does not let {hidden[0]} be read any more",
                hint="see whether the credentials still permit it, then run the same command again",
            )

    def _seen(self, record: Intended, found: Record, now: Environment) -> Seen:
        identifier = now.ids[found.key]
        raw = now.rows[identifier]
        body = put_back(found.body, found.references, lambda each: now.ids[each.target])
        keys = now.keys
        pairs = {each.target: keys.get(self._ids.get(each.target, ""), each.target) for each in record.references}
        return Seen(
            Made(identifier, raw),
            body,
            is_pending=KINDS[record.kind].is_pending(raw, record.body, record.mark, self._new.__contains__),
            is_equal=not any(differences_of(record, found, pairs, is_deep=False)),
        )


def _without(now: Environment, identifiers: Collection[str]) -> Environment:
    kept = {key: record for key, record in now.records.items() if now.ids[key] not in identifiers}
    return msgspec.structs.replace(now, records=kept)


def is_ours(record: Intended, seen: Seen, *, in_doubt: bool) -> bool:
    """Whether what was found is what we made.

    Kinds that carry a mark are known by it; others by equal content, and only while an answer is missing.
    """
    return seen.is_pending or (in_doubt and seen.is_equal and not record.is_marked_first)
