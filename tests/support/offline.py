"""Exports and imports against fake servers, in one call each.

No network and no waiting: the clock of the event loop jumps ahead whenever
nobody has anything to do, so seconds cost nothing and every run is the same.
"""

from __future__ import annotations

import asyncio
import functools
import io
import selectors
from collections.abc import Coroutine, Mapping
from typing import Any, TypeVar

import httpx

from bundle.apply.control import Control
from bundle.container.reader import read_bundle
from bundle.container.writer import write_bundle
from bundle.model import Bundle, Json
from bundle.operations.export import Exported, export_environment
from bundle.operations.import_ import Result, carry_out, prepare
from bundle.plan.choices import SKIP, Choices, Conflicts
from bundle.server.client import PrefectApi
from support.edits import EDITS, There
from support.environment import PLANTS, Api, Canaries, Environment
from support.fake_prefect import FakePrefect
from support.moving import CREATED, target

T = TypeVar("T")


class _Selector(selectors.SelectSelector):
    """Never waits; time that would have been waited is added up."""

    seconds = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self.seconds += timeout or 0.0
        return super().select(0)


class _Loop(asyncio.SelectorEventLoop):
    """An event loop in which time passes by itself."""

    def __init__(self) -> None:
        self._jumping = _Selector()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.seconds


def run(work: Coroutine[Any, Any, T]) -> T:
    """The result of some work with fake servers."""
    with asyncio.Runner(loop_factory=_Loop) as runner:
        return runner.run(work)


def api_of(fake: FakePrefect, transport: httpx.AsyncBaseTransport | None = None) -> PrefectApi:
    """A client of the fake server, for use inside ``run``."""
    clock = asyncio.get_running_loop().time
    return PrefectApi(target(fake.url), transport=transport or fake.transport, clock=clock, jitter=lambda: 1.0)


def exported(fake: FakePrefect) -> Exported:
    """What an export of the fake server finds."""

    async def export() -> Exported:
        async with api_of(fake) as source:
            return await export_environment(source, created=CREATED)

    return run(export())


def bundle_of(fake: FakePrefect) -> Bundle:
    """The environment of the fake server as a bundle that was written and read."""
    found = exported(fake)
    buffer = io.BytesIO()
    write_bundle(found.header, found.records, buffer)
    return read_bundle(io.BytesIO(buffer.getvalue()))


def speaking_to(fake: FakePrefect) -> Api:
    """Plain HTTP to the fake server."""
    api = Api(fake.url)
    api._http.close()
    api._http = httpx.Client(base_url=fake.url, transport=fake.transport)
    return api


@functools.cache
def seeded() -> Bundle:
    """The whole seeded environment."""
    fake = FakePrefect()
    with speaking_to(fake) as api:
        environment = Environment(api, Canaries())
        for plant in PLANTS:
            plant(environment)
    return bundle_of(fake)


def import_into(
    fake: FakePrefect,
    bundle: Bundle,
    transport: httpx.AsyncBaseTransport | None = None,
    *,
    inert: bool = False,
    on_conflict: Conflicts = SKIP,
    secrets: Mapping[str, Json] | None = None,
    aborts_at_failure: bool = False,
) -> Result:
    """Replay a bundle into the fake server."""

    async def replay() -> Result:
        async with api_of(fake, transport) as api:
            prepared = await prepare(bundle, api, Choices(on_conflict, inert=inert), secrets=secrets)
            return await carry_out(prepared, api, Control(aborts_at_failure=aborts_at_failure))

    return run(replay())


def edited() -> FakePrefect:
    """A destination that holds the seeded environment, and where forty resources were edited since."""
    fake = FakePrefect(seed=1)
    import_into(fake, seeded())
    with speaking_to(fake) as api:
        for each in EDITS:
            each.edit(There(api))
    fake.reset()
    return fake
