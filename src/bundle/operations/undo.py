"""The writes of a rollback, and how each resource ends."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Literal

import msgspec

from bundle.apply.outcomes import reason_of, refuses_credentials
from bundle.apply.sender import Sender
from bundle.errors import ServerError, Unreachable
from bundle.kinds import KINDS
from bundle.kinds.protocols import Made
from bundle.model import Key
from bundle.plan.actions import REASONS
from bundle.plan.intended import Intended
from bundle.plan.merge import Merged

ROLLBACK_REASONS: Mapping[str, str] = {
    "deleted": "created by the import; deleted",
    "gone": "no longer at the destination",
    "edited": "edited since the import; kept",
    "restored": "changed by the import; restored to what it was",
    "as-before": "already as it was before the import",
    "lost": "something that it referred to before the import is gone; left unchanged",
    "still-needed": "something else at the destination refers to it, or it has flow runs; kept",
    "unreadable": "it, or what may need it, cannot be read at the destination; kept",
    "secret-kept": "a secret that the import filled in is in use; kept",
    "rejected": "the destination refused to delete it, or to change it back",
    **{code: REASONS[code] for code in ("denied", "unreachable", "not-tried")},
}


class Undone(msgspec.Struct, frozen=True):
    """What became of one resource; ``needed_by`` names what still refers to it."""

    key: Key
    kind: str
    state: Literal["succeeded", "skipped", "failed"]
    reason: str
    detail: str = ""
    needed_by: tuple[Key, ...] = ()
    action: Literal["delete", "restore"] = "delete"


class Writer:
    """Writes to the destination, one after the other, until there is a reason to write nothing more."""

    def __init__(self, sender: Sender, stop: asyncio.Event, *, dry_run: bool) -> None:
        self._sender = sender
        self._stop = stop
        self._dry_run = dry_run
        self._has_ended = False

    async def delete(self, record: Intended, identifier: str) -> Undone:
        """Delete what the import made."""
        made = Made(identifier, self._sender.raw(identifier) or {})
        undone = Undone(record.key, record.kind, "succeeded", "deleted")
        return await self._done(undone, lambda: KINDS[record.kind].delete(self._sender, made))

    async def restore(self, undone: Undone, change: Merged) -> Undone:
        """Give back what the import changed."""
        kind = KINDS[undone.kind]
        return await self._done(undone, lambda: kind.update(self._sender, change.made, change.body, change.names))

    async def _done(self, undone: Undone, write: Callable[[], Awaitable[None]]) -> Undone:
        if self._dry_run:
            return undone
        if self._stop.is_set() or self._has_ended:
            return msgspec.structs.replace(undone, state="failed", reason="not-tried")
        try:
            await write()
        except ServerError as error:
            self._has_ended |= refuses_credentials(error) or isinstance(error, Unreachable)
            return msgspec.structs.replace(undone, state="failed", reason=reason_of(error), detail=error.message)
        return undone
