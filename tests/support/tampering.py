"""The way to a fake server on which somebody tampers with requests and answers."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import httpx

from support.fake_prefect import FakePrefect

Before = Callable[[httpx.Request], httpx.Response | None]
After = Callable[[httpx.Request, httpx.Response], httpx.Response]


def is_write(request: httpx.Request) -> bool:
    """Whether a request changes anything."""
    return request.method != "GET" and not request.url.path.endswith(("/filter", "/count"))


class Tampering(httpx.AsyncBaseTransport):
    """Calls ``before`` with each request, whose answer, if it gives one, takes the place of the server's.

    ``after`` is called with the request and the server's answer, and says what arrives. Either may raise.
    """

    def __init__(self, fake: FakePrefect, before: Before | None = None, after: After | None = None) -> None:
        self.fake = fake
        self._before = before
        self._after = after

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await request.aread()
        instead = self._before(request) if self._before else None
        if instead is not None:
            return instead
        response = self.fake.handle(request)
        return self._after(request, response) if self._after else response


class KilledError(BaseException):
    """What a process that is killed does not live to see."""


def killing(fake: FakePrefect, k: int, *, is_sent: bool) -> Tampering:
    """Lets writes through up to the k-th, counted from 0; nothing comes back of that one, and nothing goes after it."""
    writes, is_dead = itertools.count(), False

    def before(request: httpx.Request) -> None:
        nonlocal is_dead
        is_last = not is_dead and is_write(request) and next(writes) == k
        if is_dead or (is_last and not is_sent):
            is_dead = True
            raise KilledError
        is_dead = is_last

    def after(_request: httpx.Request, response: httpx.Response) -> httpx.Response:
        if is_dead:
            raise KilledError
        return response

    return Tampering(fake, before, after)
