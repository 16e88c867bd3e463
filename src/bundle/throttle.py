"""How many writes are in flight: as many as this server carries, found while writing.

A Prefect server on SQLite is fastest with one write in flight and answers 503
to more; on PostgreSQL about four are best, and a few more do little harm. The
limit therefore starts at 2 and moves by what is seen:

* up to 4, a window of answers without a refusal: one more;
* from there, a window that took no longer than at the limit before: one more;
* a window that took so much longer that nothing was gained: one back, and no
  new try for twice as many windows as the last time;
* a 429, a 503 or a timeout: half, and no new try for many windows.

What one answer takes depends more on what was written than on how many writes
are in flight, so up to 4 only a sharp fall of the rate counts: refusals, not
latency, tell SQLite from PostgreSQL.

Only requests that filled the limit count: a trickle says nothing about how
much more the server would carry.

``AdaptiveLimit`` is the rule and knows no clock; ``Throttle`` applies it to tasks.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

LEAST, FIRST, MOST = 1, 2, 16
_USUAL = 4  # what a server without refusals carries
_LEAST_WINDOW = 8
_MOST_PATIENCE = 64
_PATIENCE_AFTER_REFUSAL = 16


class AdaptiveLimit:
    """A limit that rises while the server keeps up and falls when it does not."""

    def __init__(self, *, first: int = FIRST, least: int = LEAST, most: int = MOST) -> None:
        self.current = first
        self.generation = 0  # counts the changes; what began under an older limit says nothing about this one
        self._least = least
        self._most = most
        self._patience = 1  # windows to wait after a step back, doubled by each
        self._wait = 0
        self._before: float | None = None  # mean seconds one step below, while a rise is on trial
        self._begin_window()

    def succeeded(self, seconds: float, *, generation: int) -> None:
        """Take in one answer, and how long it took; the end of a window may move the limit."""
        if generation != self.generation:
            return
        self._answers += 1
        self._seconds += seconds
        if self._answers >= max(_LEAST_WINDOW, 4 * self.current if self.current > _USUAL else 0):
            self._end_window(self._seconds / self._answers)

    def overloaded(self, *, generation: int) -> None:
        """Halve the limit; answers to requests sent before the last change are old news."""
        if generation == self.generation:
            self._retreat(self.current // 2, least_patience=_PATIENCE_AFTER_REFUSAL)

    def _end_window(self, mean: float) -> None:
        self._begin_window()
        if self._before is not None and mean > self._before * self._useful_growth():
            self._retreat(self.current - 1)
            return
        if self._before is not None:
            self._before = None
            self._patience = max(1, self._patience // 2)
        if self._wait > 0:
            self._wait -= 1
        elif self.current < self._most:
            self._before = mean
            self._move(self.current + 1)

    def _useful_growth(self) -> float:
        """The growth of latency at which a step up no longer pays.

        From n to n + 1 in flight, a factor of (n + 1) / n means that nothing
        was gained. Half of that growth is the bar, but up to the usual limit
        one and a half times that factor.
        """
        below = max(1, self.current - 1)
        return 1.5 * self.current / below if self.current <= _USUAL else 1 + 0.5 / below

    def _retreat(self, limit: int, *, least_patience: int = 1) -> None:
        self._before = None
        self._patience = min(max(2 * self._patience, least_patience), _MOST_PATIENCE)
        self._wait = self._patience
        self._move(max(self._least, limit))

    def _move(self, limit: int) -> None:
        self.current = limit
        self.generation += 1
        self._begin_window()

    def _begin_window(self) -> None:
        self._answers = 0
        self._seconds = 0.0


class Slot:
    """The right to have one request in flight; it remembers what the request met."""

    def __init__(self) -> None:
        self.is_overloaded = False
        self.is_answered = False

    def answered(self) -> None:
        """Say that the server answered; how long it took is counted."""
        self.is_answered = True

    def overloaded(self) -> None:
        """Say that the server could not keep up: 429, 503 or no answer in time."""
        self.is_overloaded = True


class Throttle:
    """An asyncio limiter whose limit is an ``AdaptiveLimit``; one for each server, used in one event loop."""

    def __init__(self, limit: AdaptiveLimit | None = None, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._limit = AdaptiveLimit() if limit is None else limit
        self._clock = clock
        self._waiting: deque[asyncio.Future[None]] = deque()
        self.in_flight = 0

    @property
    def limit(self) -> int:
        """How many may be in flight now; the ones already out are not called back."""
        return self._limit.current

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[Slot]:
        """Wait for a free slot and hold it for one request (not while waiting to repeat it)."""
        await self._enter()
        slot, started, generation = Slot(), self._clock(), self._limit.generation
        is_full = self.in_flight >= self.limit
        try:
            yield slot
        finally:
            self.in_flight -= 1
            if slot.is_overloaded:
                self._limit.overloaded(generation=generation)
            elif slot.is_answered and is_full:
                self._limit.succeeded(self._clock() - started, generation=generation)
            self._wake()

    async def _enter(self) -> None:
        while self.in_flight >= self.limit:
            turn = asyncio.get_running_loop().create_future()
            self._waiting.append(turn)
            try:
                await turn
            except asyncio.CancelledError:
                self._wake()  # the turn may have been given already; hand it on
                raise
        self.in_flight += 1

    def _wake(self) -> None:
        free = self.limit - self.in_flight
        while self._waiting and free > 0:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                free -= 1
