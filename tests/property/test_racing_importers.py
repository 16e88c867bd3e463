"""Several imports of one bundle into one destination at the same time, interleaved in every way."""

from __future__ import annotations

import asyncio
import functools
import os
import random
from collections.abc import Sequence

import httpx
import pytest

from bundle.operations.import_ import Result, carry_out, prepare
from support.fake_prefect import FakePrefect
from support.moving import bundle_of, import_into
from support.offline import api_of, run
from support.seeded import seeded
from support.tampering import KilledError, is_write

# A few seeds in every run, hundreds when asked for.
SEEDS = range(int(os.environ.get("XFER_RACE_SEEDS", "4")))


class Way(httpx.AsyncBaseTransport):
    """One importer's way to the fake server: requests and answers take their time, and it may end at a write."""

    def __init__(self, fake: FakePrefect, seed: str, *, last_write: int | None = None) -> None:
        self._fake = fake
        self._random = random.Random(seed)
        self._left = last_write

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await request.aread()
        await self._pause()
        if self._left is not None:
            self._left -= is_write(request)
            if self._left < 0:
                raise KilledError
        answer = self._fake.handle(request)
        self._stamp(request, answer)
        await self._pause()
        return answer

    async def _pause(self) -> None:
        await asyncio.sleep(self._random.random())

    def _stamp(self, request: httpx.Request, answer: httpx.Response) -> None:
        """Servers stamp a row before it comes to light, so that the later one may look like the older."""
        if request.method == "POST" and request.url.path.endswith("/automations/") and self._random.random() < 0.5:
            row = self._fake.tables["automations"][answer.json()["id"]]
            row["created"] = f"2000-01-01T00:00:{self._random.randrange(60):02}Z"


def race(fake: FakePrefect, ways: Sequence[Way]) -> list[Result | BaseException]:
    """What becomes of as many imports as there are ways, begun at once."""
    bundle = seeded()

    async def one(way: Way) -> Result:
        async with api_of(fake, way) as api:
            return await carry_out(await prepare(bundle, api), api)

    async def together() -> list[Result | BaseException]:
        return await asyncio.gather(*(one(way) for way in ways), return_exceptions=True)

    return run(together())


def counts(fake: FakePrefect) -> dict[str, int]:
    """How many rows of each kind there are, those included that an export leaves out."""
    return {name: len(rows) for name, rows in fake.tables.items()}


@functools.cache
def clean() -> dict[str, int]:
    """The same after one import that nobody disturbs."""
    fake = FakePrefect(seed=1)
    import_into(fake, seeded())
    return counts(fake)


@pytest.mark.parametrize("seed", SEEDS)
def test_importers_that_race_end_as_one(seed: int) -> None:
    """Each run accounts for everything, and the destination holds each resource once."""
    fake = FakePrefect(seed=1)

    results = race(fake, [Way(fake, f"{seed} {number}") for number in range(2 + seed % 2)])

    for result in results:
        assert isinstance(result, Result)
        assert {outcome.state for outcome in result.outcomes} <= {"succeeded", "skipped"}
    assert bundle_of(fake).manifest.content_digest == seeded().manifest.content_digest
    assert counts(fake) == clean()
    fake.reset()
    import_into(fake, seeded())
    assert fake.writes == []


@pytest.mark.parametrize("seed", SEEDS)
def test_an_importer_killed_in_a_race_leaves_nothing_behind(seed: int) -> None:
    """What one of two left behind, the other one or the next run takes up or takes away."""
    fake = FakePrefect(seed=1)
    ways = [Way(fake, f"{seed} lives"), Way(fake, f"{seed} dies", last_write=random.Random(seed).randrange(230))]

    race(fake, ways)
    import_into(fake, seeded())

    assert bundle_of(fake).manifest.content_digest == seeded().manifest.content_digest
    assert counts(fake) == clean()
    fake.reset()
    import_into(fake, seeded())
    assert fake.writes == []
