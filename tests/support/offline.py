"""Fake servers without network and without waiting.

The clock of the event loop jumps ahead whenever nobody has anything to do, so
seconds cost nothing and every run is the same.
"""

from __future__ import annotations

import asyncio
import itertools
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

import httpx
import msgspec

from bundle.server.client import PrefectApi
from bundle.server.retry import RetryPolicy
from bundle.server.target import SecretText
from support.environment import Api
from support.fake_prefect import RUN_HEADER, FakePrefect
from support.targets import target

T = TypeVar("T")
_runs = itertools.count()


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


def api_of(
    fake: FakePrefect, transport: httpx.AsyncBaseTransport | None = None, policy: RetryPolicy | None = None
) -> PrefectApi:
    """A client of the fake server, for use inside ``run``."""
    clock = asyncio.get_running_loop().time
    way = transport or fake.transport
    there = msgspec.structs.replace(target(fake.url), headers=((RUN_HEADER, SecretText(str(next(_runs)))),))
    return PrefectApi(there, transport=way, policy=policy, clock=clock, jitter=lambda: 1.0)


def speaking_to(fake: FakePrefect) -> Api:
    """Plain HTTP to the fake server."""
    return Api(fake.url, transport=fake.transport)
