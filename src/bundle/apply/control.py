"""How an import is steered while it runs: who is informed, what stops it, how long it waits."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import msgspec

from bundle.environment.read import OnEvent, ignore
from bundle.model import Key


class Witness:
    """Informed of what an import creates; keeps nothing by itself."""

    def trying(self, key: Key) -> None:
        """A resource is about to be created."""

    def made(self, key: Key, identifier: str | None, updated: str | None = None) -> None:
        """A resource exists at the destination, created by this run or (None) by somebody else.

        ``updated`` is the time that the server answered this run's own write with, None where it gave no answer.
        """


class Patience(msgspec.Struct, frozen=True):
    """How long a late commit is waited for, and how often a create is tried in all."""

    settle_seconds: float = 10.0
    pause_seconds: float = 0.5
    tries: int = 3

    def attempts(self) -> Iterator[bool]:
        """As many attempts as there may be; each says whether it is the last one."""
        return (number == self.tries for number in range(1, self.tries + 1))

    @property
    def rounds(self) -> int:
        """How often to look while waiting."""
        return max(1, round(self.settle_seconds / self.pause_seconds))


class Control(msgspec.Struct, frozen=True):
    """What the caller of an import decides about its course.

    ``on_event`` is called with the progress, ``witness`` before and after each creation. Once ``stop`` is set, or with
    ``aborts_at_failure`` once a resource has failed, nothing new is begun. ``patience``: how long the late effect of
    an unanswered write is waited for.
    """

    on_event: OnEvent = ignore
    witness: Witness = Witness()
    stop: asyncio.Event | None = None
    patience: Patience = Patience()
    aborts_at_failure: bool = False
