"""The adaptive limit: as many writes in flight as this server can take, found while writing.

A Prefect server on SQLite is fastest with one write in flight; with more it
is slower for all, returns 503, and may hang for a minute
(docs/decisions/0012). On PostgreSQL about four are best. The limit therefore
starts at 1 and moves by what is seen:

* a window of responses: one more, on trial;
* a trial that brought less than an eighth of what one more could bring: one back,
  and no new try for a few windows, twice as many as the last time;
* a trial after which less was done than before: the same, for many windows;
* a 429, a 503 or a timeout: half, and no new try for many windows.

The time of a response depends more on what was written than on how many writes
are in flight, so only equal work is compared: responses of the same route. A
trial in which nothing can be compared is taken back, and repeated later.

Only requests sent while the limit was full count: fewer say nothing about how
much more the server would take.

``AdaptiveLimit`` is the algorithm and knows no clock; ``Limiter`` applies it to tasks.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from statistics import median

LEAST, MOST = 1, 16
_WINDOW = 8
_LONGEST_TRIAL = 2 * _WINDOW
_KEPT = 4 * _WINDOW
_LEAST_GAIN = 1 / 8
_MOST_PATIENCE = 64
_PATIENCE_AFTER_HARM = 16


class _Seen:
    """How long the latest responses took, by work."""

    def __init__(self) -> None:
        self.responses = 0
        self._seconds: dict[str, deque[float]] = defaultdict(lambda: deque(maxlen=_KEPT))

    def add(self, work: str, seconds: float) -> None:
        self.responses += 1
        self._seconds[work].append(seconds)

    def merge(self, other: _Seen) -> None:
        for work, seconds in other._seconds.items():
            self._seconds[work].extend(seconds)

    def growth_since(self, before: _Seen) -> float | None:
        """How many times as long as before the same work takes; None where there is none to compare.

        Medians: the first response of a kind, and any while something else is busy, can take many times as long.
        """
        shared = [(each, before._seconds[work]) for work, each in self._seconds.items() if work in before._seconds]
        if not shared:
            return None
        then = sum(len(now) * median(earlier) for now, earlier in shared)
        return sum(len(now) * median(now) for now, _ in shared) / then if then else 1.0


class AdaptiveLimit:
    """A limit that rises while the server keeps up and falls when it does not; the algorithm alone."""

    def __init__(self, *, first: int = LEAST, least: int = LEAST, most: int = MOST) -> None:
        self.current = first
        self.generation = 0  # counts the changes; what began under an older limit says nothing about this one
        self._least = least
        self._most = most
        self._patience = 1  # windows to wait after a step back, doubled by each
        self._wait = 1  # the first responses of a server that has just started are not typical
        self._is_trial = False
        self._known: dict[int, _Seen] = defaultdict(_Seen)  # by limit
        self._window = _Seen()

    def succeeded(self, seconds: float, *, generation: int, work: str = "") -> None:
        """Count one response, how long it took, and for what work; the end of a window may move the limit."""
        if generation != self.generation:
            return
        self._window.add(work, seconds)
        if self._window.responses >= max(_WINDOW, 2 * self.current):
            self._end_window()

    def overloaded(self, *, generation: int) -> None:
        """Halve the limit; responses to requests sent before the last change are ignored."""
        if generation == self.generation:
            self._retreat(self.current // 2, least_patience=_PATIENCE_AFTER_HARM)

    def _end_window(self) -> None:
        if self._is_trial:
            self._judge()
        else:
            self._learn()

    def _judge(self) -> None:
        """Go on with a step up that pays, and take back one that does not; one without a clear result is tried anew."""
        below = self.current - 1
        growth = self._window.growth_since(self._known[below])
        if growth is None:
            if self._window.responses >= _LONGEST_TRIAL:
                self._wait = 1
                self._move(below)
        elif growth > self.current / (below + _LEAST_GAIN):
            self._retreat(below, least_patience=_PATIENCE_AFTER_HARM if growth > self.current / below else 1)
        else:
            self._is_trial = False
            self._patience = max(1, self._patience // 2)
            self._learn()

    def _learn(self) -> None:
        """Keep what a window showed; then one more is tried, unless the last try was not long ago."""
        self._known[self.current].merge(self._window)
        self._window = _Seen()
        if self._wait > 0:
            self._wait -= 1
        elif self.current < self._most:
            self._move(self.current + 1, is_trial=True)

    def _retreat(self, limit: int, *, least_patience: int) -> None:
        self._patience = min(max(2 * self._patience, least_patience), _MOST_PATIENCE)
        self._wait = self._patience
        self._move(max(self._least, limit))

    def _move(self, limit: int, *, is_trial: bool = False) -> None:
        self.current = limit
        self.generation += 1
        self._is_trial = is_trial
        self._window = _Seen()


class Slot:
    """The right to have one request in flight; it remembers what the request met."""

    def __init__(self) -> None:
        self.is_overloaded = False
        self.is_answered = False

    def answered(self) -> None:
        """Say that the server answered; how long it took is counted."""
        self.is_answered = True

    def overloaded(self) -> None:
        """Say that the server could not keep up: 429, 503 or no response in time."""
        self.is_overloaded = True


class Limiter:
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
    async def slot(self, work: str = "") -> AsyncIterator[Slot]:
        """Wait for a free slot and hold it for one request (not while waiting to repeat it).

        ``work`` distinguishes requests that take a server longer than others: their route.
        """
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
                self._limit.succeeded(self._clock() - started, generation=generation, work=work)
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
