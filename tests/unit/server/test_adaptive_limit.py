"""bundle.server.adaptive_limit: the number of writes in flight follows what the server carries."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from bundle.server.adaptive_limit import AdaptiveLimit, Limiter


def _drive(limit: AdaptiveLimit, latency: Callable[[int], float], requests: int) -> None:
    """Feed a limit with answers of a server whose latency depends on how many are in flight."""
    for _ in range(requests):
        limit.succeeded(latency(limit.current), generation=limit.generation)


def test_starts_at_one() -> None:
    """A new limit allows one write: on SQLite a second one is too many."""
    assert AdaptiveLimit().current == 1


def test_rises_to_the_most_while_latency_stays() -> None:
    """A server that never slows down is given the most, and not more."""
    limit = AdaptiveLimit()
    _drive(limit, lambda _: 0.01, 2000)
    assert limit.current == 16


def test_stays_at_one_where_two_are_refused() -> None:
    """Where a second write in flight is refused (SQLite), trials are given up and get rare."""
    limit = AdaptiveLimit()
    refusals = []
    for number in range(3000):
        if limit.current == 1:
            limit.succeeded(0.01, generation=limit.generation)
        else:
            refusals.append(number)
            limit.overloaded(generation=limit.generation)
    assert limit.current == 1
    assert len(refusals) < 15
    assert refusals[1] - refusals[0] >= 128


def test_stays_at_one_where_two_take_twice_as_long() -> None:
    """Where nothing is gained (SQLite), the limit is one but for short trials that get rarer."""
    limit = AdaptiveLimit()
    seen = []
    for _ in range(3000):
        limit.succeeded(0.01 * limit.current, generation=limit.generation)
        seen.append(limit.current)
    assert max(seen) == 2
    assert seen[:100].count(2) < 40
    assert seen[-1500:].count(1) > 1400


def test_harm_is_remembered_longer_than_a_vain_try() -> None:
    """A step up after which less was done than before is not tried again for a hundred answers."""
    limit = AdaptiveLimit()
    seen = []
    for _ in range(130):
        limit.succeeded(0.01 if limit.current == 1 else 0.05, generation=limit.generation)
        seen.append(limit.current)
    assert seen.count(2) == 8


def test_a_first_answer_that_takes_long_is_no_measure() -> None:
    """A server that has just begun, or is busy once, does not make a second write in flight look good."""
    limit = AdaptiveLimit()
    seen = []
    for number in range(100):
        limit.succeeded(0.3 if number % 8 == 0 else 0.01 * limit.current, generation=limit.generation)
        seen.append(limit.current)
    assert max(seen) == 2
    assert seen.count(2) < 40


def test_only_equal_work_is_compared() -> None:
    """Slower kinds of writes that follow quicker ones do not keep the limit down."""
    limit = AdaptiveLimit()
    for number in range(400):
        work, seconds = ("quick", 0.01) if number % 3 else ("slow", 0.2)
        limit.succeeded(seconds, generation=limit.generation, work=work)
    assert limit.current == 16


def test_a_trial_that_shows_nothing_is_repeated() -> None:
    """Where the work changes just when one more is tried, the step is taken back and tried again."""
    limit = AdaptiveLimit()
    for _ in range(16):
        limit.succeeded(0.01, generation=limit.generation, work="first")
    assert limit.current == 2
    seen = []
    for _ in range(60):
        limit.succeeded(0.01, generation=limit.generation, work="second")
        seen.append(limit.current)
    assert seen[14:16] == [2, 1]
    assert seen[-1] >= 2


def test_finds_the_knee() -> None:
    """Where latency grows beyond four in flight (PostgreSQL), the limit settles at four or one beside it."""
    limit = AdaptiveLimit()
    _drive(limit, lambda current: 0.01 * max(1.0, current / 4), 3000)
    assert limit.current in {4, 5}


def test_halves_when_overloaded() -> None:
    """An overload halves the limit, but never below one."""
    limit = AdaptiveLimit(first=9)
    seen = []
    for _ in range(5):
        limit.overloaded(generation=limit.generation)
        seen.append(limit.current)
    assert seen == [4, 2, 1, 1, 1]


def test_one_burst_of_refusals_counts_once() -> None:
    """Refusals of requests that were sent before the last change do not halve again."""
    limit = AdaptiveLimit(first=8)
    generation = limit.generation
    for _ in range(8):
        limit.overloaded(generation=generation)
    assert limit.current == 4


def test_recovers_after_an_overload() -> None:
    """After an overload the limit rises again, later than it would have."""
    limit = AdaptiveLimit(first=4)
    limit.overloaded(generation=limit.generation)
    _drive(limit, lambda _: 0.01, 100)
    assert limit.current == 2
    _drive(limit, lambda _: 0.01, 200)
    assert limit.current > 2


def test_old_answers_say_nothing() -> None:
    """Answers to requests from before the last change do not fill a window."""
    limit = AdaptiveLimit()
    for _ in range(100):
        limit.succeeded(0.01, generation=limit.generation - 1)
    assert limit.current == 1


def test_never_more_in_flight_than_the_limit() -> None:
    """However many tasks want to, only as many as the limit are inside."""

    async def run() -> int:
        limiter = Limiter(AdaptiveLimit(first=3, most=3))
        most = 0

        async def write() -> None:
            nonlocal most
            async with limiter.slot() as slot:
                most = max(most, limiter.in_flight)
                await asyncio.sleep(0)
                slot.answered()

        await asyncio.gather(*(write() for _ in range(50)))
        assert limiter.in_flight == 0
        return most

    assert asyncio.run(run()) == 3


def test_slots_report_overload() -> None:
    """A slot that met an overload lowers the limit of its limiter."""

    async def run() -> int:
        limiter = Limiter(AdaptiveLimit(first=4))
        async with limiter.slot() as slot:
            slot.overloaded()
        return limiter.limit

    assert asyncio.run(run()) == 2


@pytest.mark.parametrize(("tasks", "expected"), [(1, 2), (3, 3)])
def test_a_trickle_says_nothing(tasks: int, expected: int) -> None:
    """Only requests that fill the limit make it rise."""

    async def run() -> int:
        limiter = Limiter(AdaptiveLimit(most=3), clock=lambda: 0.0)

        async def write() -> None:
            for _ in range(30):
                async with limiter.slot() as slot:
                    await asyncio.sleep(0)
                    slot.answered()

        await asyncio.gather(*(write() for _ in range(tasks)))
        return limiter.limit

    assert asyncio.run(run()) == expected


def test_a_failed_request_frees_its_slot_and_teaches_nothing() -> None:
    """An exception inside a slot frees it and does not count as an answer."""

    async def run() -> None:
        limiter = Limiter(AdaptiveLimit(first=1))
        for _ in range(30):
            with pytest.raises(ValueError, match="broken"):
                async with limiter.slot():
                    raise ValueError("broken")
        assert (limiter.in_flight, limiter.limit) == (0, 1)

    asyncio.run(run())


def test_a_cancelled_wait_passes_its_turn_on() -> None:
    """A task cancelled just when it was given a turn does not keep the others waiting."""

    async def run() -> list[str]:
        limiter = Limiter(AdaptiveLimit(first=1, most=1))
        done: list[str] = []

        async def write(name: str) -> None:
            async with limiter.slot():
                done.append(name)

        async with limiter.slot():
            first = asyncio.create_task(write("first"))
            second = asyncio.create_task(write("second"))
            await asyncio.sleep(0)
        first.cancel()
        await asyncio.wait_for(second, timeout=1)
        return done

    assert asyncio.run(run()) == ["second"]
