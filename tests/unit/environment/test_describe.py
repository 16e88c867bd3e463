"""bundle.environment: what was read becomes records, the same ones however it was written down."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx
import pytest

from bundle.environment.describe import describe
from bundle.environment.read import Reading, changed_kinds, read_rows, server_version
from bundle.kinds.notification_policies import PATH as POLICIES
from support.fake_prefect import FakePrefect
from support.moving import import_into
from support.offline import api_of
from support.seeded import seeded
from support.tampering import Tampering


def reading() -> Reading:
    fake = FakePrefect(seed=1)
    import_into(fake, seeded())

    async def run() -> Reading:
        async with api_of(fake) as api:
            return await read_rows(api, deep=True)

    return asyncio.run(run())


def backwards(value: Any) -> Any:
    """The same JSON value with the members of every object in reverse order."""
    if isinstance(value, dict):
        return {name: backwards(item) for name, item in reversed(value.items())}
    return [backwards(item) for item in value] if isinstance(value, list) else value


def test_the_order_of_members_does_not_matter() -> None:
    """Servers that keep JSON in another order, as PostgreSQL does, give the same records under the same keys."""
    read = reading()
    turned = Reading(backwards(read.rows), read.counts)
    assert describe(turned).records == describe(read).records


POLICY = {
    "id": "6f1f2a52-6f0e-4a52-9d2c-0d9e0c1c2b3a",
    "created": "2026-01-01T00:00:00Z",
    "updated": "2026-01-01T00:00:00Z",
    "is_active": True,
    "state_names": ["Failed"],
    "tags": [],
    "message_template": None,
    "block_document_id": "7a0a3c1e-4a39-4d0d-8f57-0d3c53a9a0f1",
}


def without_automations(fake: FakePrefect) -> Tampering:
    """A server like Prefect 2.20: automations are switched off, and there is a notification policy."""

    def before(request: httpx.Request) -> httpx.Response | None:
        if "/automations/" in request.url.path:
            return httpx.Response(404, json={"detail": "Automations are not enabled"})
        if request.url.path.endswith(f"{POLICIES}/filter"):
            return httpx.Response(200, json=[] if json.loads(request.content).get("offset") else [POLICY])
        return None

    return Tampering(fake, before)


def test_a_policy_that_becomes_an_automation_needs_no_automations() -> None:
    """Where automations are switched off, a policy is read as one, and a second look sees that nothing moved."""

    async def run() -> tuple[int, tuple[str, ...]]:
        fake = FakePrefect(seed=1)
        async with api_of(fake, without_automations(fake)) as api:
            read = await read_rows(api, deep=True, counted=True)
            return len(read.rows["automation"]), await changed_kinds(api, read)

    assert asyncio.run(run()) == (1, ())


@pytest.mark.parametrize("status", [401, 403, 404, 422])
def test_a_server_that_refuses_to_say_its_version_has_none(status: int) -> None:
    """Whatever the refusal is: nothing needs the version, and wrong credentials are refused at the next request."""

    async def run() -> str | None:
        fake = FakePrefect(seed=1)
        async with api_of(fake, Tampering(fake, lambda _: httpx.Response(status, json={}))) as api:
            return await server_version(api)

    assert asyncio.run(run()) is None
