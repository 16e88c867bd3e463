"""An import as a whole: every record ends once, whatever the destination answers, or stops to answer."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import httpx
import pytest

from bundle.operations.import_ import Result, carry_out, prepare
from support.fake_prefect import FakePrefect
from support.moving import bundle_of
from support.offline import api_of, run, speaking_to
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
    source, fake = FakePrefect(), FakePrefect(seed=1)
    with speaking_to(source) as api:
        api.post("/flows/", name="etl")
        for name in ("a", "b"):
            api.post("/variables/", name=name, value=1)
    bundle = bundle_of(source)

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


@pytest.mark.parametrize("answer", [{}, [], None, "x", {"id": None}, {"id": 7}, {"id": "../.."}])
def test_an_answer_without_an_id_is_looked_up(answer: Any) -> None:
    """What an answer does not say is looked up at the destination, and nothing is made twice."""
    bundle, fake = seeded(), FakePrefect(seed=1)

    def after(request: httpx.Request, response: httpx.Response) -> httpx.Response:
        is_creation = request.method == "POST" and request.url.path.endswith("/") and response.status_code == 201
        return httpx.Response(201, json=answer) if is_creation else response

    async def replay() -> Result:
        async with api_of(fake, Tampering(fake, after=after)) as api:
            return await carry_out(await prepare(bundle, api), api)

    result = run(replay())

    assert len(result.outcomes) == len(bundle.records)
    assert {each.state for each in result.outcomes if each.kind in {"variable", "flow", "block"}} <= {
        "succeeded",
        "skipped",
    }
    assert bundle_of(fake).manifest.content_digest == bundle.manifest.content_digest
