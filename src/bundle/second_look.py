"""Looks at the destination again, when the answer to a write was lost or told of a conflict.

A create that was not answered may have been carried out, at once or a little
later. What is found counts as ours only by the mark that it carries, or, for
kinds that carry none, by equal content while we are in doubt.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping

import msgspec

from bundle.environment import Environment, describe
from bundle.kinds import KINDS
from bundle.kinds.base import Made
from bundle.model import Api, Body, Key, Record
from bundle.plan import differences_of, mark, match
from bundle.references import put_back
from bundle.snapshot import take


class Patience(msgspec.Struct, frozen=True):
    """How long a late commit is waited for, and how often a create is tried in all."""

    settle_seconds: float = 10.0
    pause_seconds: float = 0.5
    tries: int = 3


class Seen(msgspec.Struct, frozen=True):
    """What the destination has for a record: its body with ids, and how it relates to the record."""

    made: Made
    body: Body
    is_pending: bool
    is_equal: bool


class SecondLook:
    """Looks for records at one destination."""

    def __init__(self, api: Api, patience: Patience) -> None:
        self._api = api
        self._patience = patience

    async def find(self, record: Record, ids: Mapping[Key, str]) -> Seen | None:
        """What the destination has for a record by now, other than what ``ids`` already stand for."""
        now = await self._read(excluding=set(ids.values()))
        found = match([record], now).get(record.key)
        return None if found is None else self._seen(record, now.records[found], now, ids)

    async def await_ours(self, record: Record, ids: Mapping[Key, str]) -> Seen | None:
        """Wait until a create that may have been carried out shows; None when it does not in time."""
        for _ in range(max(1, round(self._patience.settle_seconds / self._patience.pause_seconds))):
            seen = await self.find(record, ids)
            if seen is not None and is_ours(record, seen, in_doubt=True):
                return seen
            await asyncio.sleep(self._patience.pause_seconds)
        return None

    async def await_change(self, record: Record, identifier: str, before: Body, ids: Mapping[Key, str]) -> Seen | None:
        """Wait until an existing resource is not what it was, or time is up; None when it is gone."""
        seen = None
        for _ in range(max(1, round(self._patience.settle_seconds / self._patience.pause_seconds))):
            now = await self._read(excluding=())
            key = now.keys.get(identifier)
            seen = None if key is None else self._seen(record, now.records[key], now, ids)
            if seen is None or seen.body != before:
                break
            await asyncio.sleep(self._patience.pause_seconds)
        return seen

    async def _read(self, *, excluding: Collection[str]) -> Environment:
        now = describe(await take(self._api, deep=False), everything=True)
        kept = {key: record for key, record in now.records.items() if now.ids[key] not in excluding}
        return msgspec.structs.replace(now, records=kept)

    def _seen(self, record: Record, found: Record, now: Environment, ids: Mapping[Key, str]) -> Seen:
        identifier = now.ids[found.key]
        raw = now.rows[identifier]
        body = put_back(found.body, found.references, lambda each: now.ids[each.target])
        keys = now.keys
        pairs = {each.target: keys.get(ids.get(each.target, ""), each.target) for each in record.references}
        return Seen(
            Made(identifier, raw),
            body,
            is_pending=KINDS[record.kind].is_pending(raw, record.body, mark(record), set(ids.values()).__contains__),
            is_equal=not any(differences_of(record, found, pairs, is_deep=False)),
        )


def is_ours(record: Record, seen: Seen, *, in_doubt: bool) -> bool:
    """Whether what was found is what we made.

    Kinds that carry a mark are known by it; others by equal content, and only while an answer is missing.
    """
    carries_mark = KINDS[record.kind].pending(record.body, mark(record)) != record.body
    return seen.is_pending or (in_doubt and seen.is_equal and not carries_mark)
