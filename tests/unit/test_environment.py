"""bundle.environment: what was read becomes records, the same ones however it was written down."""

from __future__ import annotations

import asyncio
from typing import Any

from bundle.environment import describe
from bundle.snapshot import Reading, take
from fake_prefect import FakePrefect
from offline import api_of, import_into, seeded


def reading() -> Reading:
    fake = FakePrefect(seed=1)
    import_into(fake, seeded())

    async def run() -> Reading:
        async with api_of(fake) as api:
            return await take(api, deep=True)

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
