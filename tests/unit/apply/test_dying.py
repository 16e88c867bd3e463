"""A destination that goes away for good in the middle of an import."""

from __future__ import annotations

import asyncio
from collections import Counter

import httpx

from bundle.operations.import_ import Result, carry_out, prepare
from support.fake_prefect import FakePrefect
from support.offline import api_of, run
from support.seeded import seeded
from support.tampering import Tampering

MOST_SECONDS = 240


def dying(fake: FakePrefect) -> Tampering:
    """The way to a fake server behind a gateway; from the 60th write on connections break off."""

    def before(_request: httpx.Request) -> None:
        if len(fake.writes) >= 60:
            raise httpx.ReadError("broken off")

    return Tampering(fake, before)


def test_an_import_insists_no_longer_than_one_look_takes() -> None:
    """However many writes are in doubt, they wait for the same look at the destination, and the account is whole."""

    async def replay() -> tuple[Result, float]:
        async with api_of(fake, dying(fake)) as api:
            result = await carry_out(await prepare(bundle, api), api)
            return result, asyncio.get_running_loop().time()

    bundle, fake = seeded(), FakePrefect(seed=1)
    result, seconds = run(replay())

    reasons = Counter(outcome.reason for outcome in result.outcomes)
    assert reasons["unreachable"] > 1
    assert sum(reasons.values()) == len(bundle.records)
    assert seconds < MOST_SECONDS


def test_a_stray_cancellation_is_a_lost_answer() -> None:
    """Where the HTTP library cancels a request that nobody told it to, its record fails, and the account is whole."""
    bundle, fake = seeded(), FakePrefect(seed=1)

    def before(request: httpx.Request) -> None:
        if request.url.path.endswith("/variables/"):
            raise asyncio.CancelledError

    async def replay() -> Result:
        async with api_of(fake, Tampering(fake, before)) as api:
            return await carry_out(await prepare(bundle, api), api)

    reasons = {outcome.key: outcome.reason for outcome in run(replay()).outcomes}

    variables = {key for key in reasons if key.startswith("variable:")}
    assert {reasons[key] for key in variables} == {"unreachable"}
    assert len(reasons) == len(bundle.records)
    assert "created" in reasons.values()
