"""The one way to a Prefect server: requests with authentication, retries and paging; errors in our words.

Rules that hold for every request:

* It goes to the target and nowhere else: a redirect is followed only where it
  keeps method and body and stays at the same scheme, host and port; proxies and
  netrc files of the environment are not used.
* A write is sent a second time only where that does no harm, or where the
  first surely had no effect.
* What a response may cost is bounded: bytes after decompression, seconds, pages.
* Nothing of headers, bodies or foreign exception texts is in a message or the log.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from http import HTTPStatus
from typing import Literal, Self

from bundle.errors import AnswerTooLarge, RequestRejected, ServerTooLarge
from bundle.files import MIB
from bundle.model import Body, Json
from bundle.record.canonical import encode
from bundle.record.weight import weight
from bundle.server.adaptive_limit import Limiter, Slot
from bundle.server.connection import Connection, Transport
from bundle.server.csrf import Csrf, is_csrf_refusal
from bundle.server.limits import ServerLimits
from bundle.server.openapi import Accepted, parse_openapi
from bundle.server.refusals import decoded, failure
from bundle.server.responses import Call, Response, Sent
from bundle.server.retry import Effort, RetryPolicy, may_be_too_early, may_come_late, may_repeat
from bundle.server.target import SecretText, Target
from bundle.server.urls import url_hint

_log = logging.getLogger("bundle.server.client")
_NOT_PREFECT = "this does not look like a Prefect API; check the URL and any proxy"
_READS_IN_FLIGHT = 4
_SAME_PAGES = 10
_PAGES: tuple[Body, ...] = ({}, {"limit": 10}, {"limit": 1})
_TOO_BUSY = frozenset({429, 503})


class PrefectApi:
    """One Prefect server over HTTP; implements ``bundle.model.Api``.

    An asynchronous context manager, used in one event loop. ``policy`` None
    means what the profile asks for. ``proxy`` is the only way to a proxy.
    ``transport``, ``clock``, ``sleep`` and ``jitter`` (a number from 0 to 1) are
    there for tests.

    Raises:
        ProfileError: on entering, when the CA file of the target cannot be read or the proxy cannot be used.
    """

    def __init__(
        self,
        target: Target,
        *,
        policy: RetryPolicy | None = None,
        limits: ServerLimits | None = None,
        limiter: Limiter | None = None,
        proxy: SecretText | None = None,
        transport: Transport | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._target = target
        self._policy = RetryPolicy.of(target) if policy is None else policy
        self._limits = ServerLimits() if limits is None else limits
        self._held: dict[bytes, int] = {}
        self._limiter = Limiter(clock=clock) if limiter is None else limiter
        self._reads = asyncio.Semaphore(_READS_IN_FLIGHT)
        self._clock, self._sleep, self._jitter = clock, sleep, jitter
        self._csrf = Csrf(is_on=target.csrf and not target.is_cloud)
        self._unanswered = 0
        self._has_answered = False
        self._connection = Connection(target, limits=self._limits, transport=transport, proxy=proxy)

    async def __aenter__(self) -> Self:
        await self._connection.__aenter__()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._connection.__aexit__(*error)

    @property
    def url(self) -> str:
        """The API URL without credentials, for people; of an ephemeral server, where its data is."""
        return self._target.url

    @property
    def is_cloud(self) -> bool:
        """Whether the URL names a Prefect Cloud workspace."""
        return self._target.is_cloud

    @property
    def sent(self) -> Sent:
        """The requests sent up to now."""
        return self._connection.sent

    @property
    def unanswered(self) -> int:
        """Writes that the server may have received and did not answer itself; each may take effect late."""
        return self._unanswered

    @property
    def limiter(self) -> Limiter:
        """What bounds how many writes are in flight."""
        return self._limiter

    async def get(self, path: str) -> Json:
        """The decoded body of the response to ``GET path``.

        Raises:
            RequestRejected: the server refused, with status 404 where there is nothing.
            AccessDenied: 401 or 403.
            Unreachable: no response within the retry budget.
        """
        return await self._json(Call("GET", path))

    async def read(self, path: str, body: Body) -> Json:
        """The same for a ``POST`` that only reads (``/filter``, ``/count``); raises as ``get``."""
        return await self._json(Call("POST", path, body))

    async def pages(self, path: str, body: Body | None = None) -> AsyncIterator[list[Json]]:
        """Pages of ``POST path`` (a ``/filter`` route) until an empty one; raises as ``get``.

        ``limit`` is not sent, since above the server's own limit it is a 422,
        but where a page is too large. A short page ends nothing, since that
        limit may be any number. A row that is no JSON, or too large by itself,
        is None, and spoils no other.

        Raises:
            ServerTooLarge: all lists that were read take more memory than they may.
        """
        fixed = {name: value for name, value in (body or {}).items() if name != "limit"}
        offset, last, repeats = 0, None, 0
        listing = encode([path, fixed])
        self._held[listing] = 0
        sizes = list(_PAGES)
        for _ in range(self._limits.pages):
            page = await self._page(path, {**fixed, "offset": offset}, listing, sizes)
            if not page:
                return
            if offset + len(page) > self._limits.rows:
                raise self._odd(path, f"listed more than {self._limits.rows} rows", hint=_NOT_PREFECT)
            # A row that is new at the front pushes the same rows onto the next page, once or twice.
            repeats = repeats + 1 if page == last else 0
            if repeats >= _SAME_PAGES:
                raise self._odd(path, "returned the same page over and over: it ignores the offset", hint=_NOT_PREFECT)
            yield page
            offset, last = offset + len(page), page
        raise self._odd(path, f"did not end after {self._limits.pages} pages", hint=_NOT_PREFECT)

    async def _page(self, path: str, body: Body, listing: bytes, sizes: list[Body]) -> list[Json]:
        """One page, of the first of some sizes in which it is not too large; the larger ones are taken away."""
        while True:
            try:
                return await self._charged(path, body | sizes[0], listing)
            except AnswerTooLarge:
                if len(sizes) == 1:
                    return [None]
                del sizes[0]

    async def _charged(self, path: str, body: Body, listing: bytes) -> list[Json]:
        """One page, charged to its listing; one that is read again takes the place of what was read before."""
        call = Call("POST", path, body)
        response = await self._exchange(call, Effort(started=self._clock()))
        self._held[listing] += weight(response.content)
        if sum(self._held.values()) > self._limits.memory_bytes:
            raise ServerTooLarge(
                f"POST {path} on {self._target.host}: the lists of this server take more than "
                f"{self._limits.memory_bytes // MIB} MiB of memory",
                hint="if it really holds that much, set XFER_MEMORY_MIB to what this machine can give",
            )
        page = response.rows
        if page is None:
            decoded(self._target, call, response)
            raise self._odd(path, "did not return a list", hint=url_hint(self.url) or _NOT_PREFECT)
        return page

    async def write(
        self,
        method: Literal["POST", "PUT", "PATCH", "DELETE"],
        path: str,
        body: Json = None,
        *,
        repeatable: bool,
        on_existing: Callable[[], None] = lambda: None,
    ) -> Json:
        """As ``Api.write``.

        Raises:
            RequestRejected: the server refused it.
            AccessDenied: 401 or 403.
            Unreachable: no response; ``maybe_done`` is true where the server may have carried it out.
        """
        call = Call(method, path, body, is_write=True, repeatable=repeatable)
        effort = Effort(started=self._clock())
        response = await self._exchange(call, effort)
        if response.status == HTTPStatus.OK and not effort.is_doubtful:
            on_existing()
        return decoded(self._target, call, response)

    async def accepted_fields(self) -> Accepted | None:
        """What the request bodies of this server may hold (``GET /openapi.json``); None where it does not say.

        Cloud does not serve the document. Raises as ``get``, except for a 404.
        """
        if self.is_cloud:
            return None
        try:
            return parse_openapi(await self.get("/openapi.json"))
        except RequestRejected as error:
            if error.status == HTTPStatus.NOT_FOUND:
                return None
            raise

    # -- One request with its retries ---------------------------------------------------------------------------------

    async def _json(self, call: Call) -> Json:
        return decoded(self._target, call, await self._exchange(call, Effort(started=self._clock())))

    async def _exchange(self, call: Call, effort: Effort) -> Response:
        """Send until a response is below 300 or another attempt is of no use; ``effort`` counts the attempts."""
        renewed = False
        while True:
            token = await self._csrf.token_for(call, self.get)
            response = await self._attempt(call, token, effort)
            if response.has_arrived and response.status < HTTPStatus.MULTIPLE_CHOICES:
                return response
            if token is not None and not renewed and is_csrf_refusal(response):
                renewed = True
                self._csrf.forget(token)
                continue
            delay = self._delay(call, response, effort)
            if delay is None:
                raise failure(self._target, call, response, effort, is_known=self._has_answered)
            await self._sleep(delay)

    def _delay(self, call: Call, response: Response, effort: Effort) -> float | None:
        """How long to wait before the next attempt; None when there is to be none."""
        is_early = self.is_cloud and may_be_too_early(call, response, effort)
        if not may_repeat(call, response, effort, self._policy.codes | ({response.status} if is_early else set())):
            return None
        elapsed = self._clock() - effort.started
        return self._policy.delay(response, effort, elapsed, jitter=self._jitter(), is_known=self._has_answered)

    async def _attempt(self, call: Call, token: str | None, effort: Effort) -> Response:
        # Built before its turn: while one request is in flight, the next is prepared.
        request = self._connection.request(call, self._csrf.headers(token))
        async with self._turn(call) as slot:
            started = self._clock()
            response = await self._connection.send(call, request, deadline_seconds=self._policy.deadline_seconds)
            seconds = self._clock() - started
            if response.status in _TOO_BUSY or (not response.has_arrived and response.executed == "maybe"):
                slot.overloaded()
            elif response.has_arrived:
                slot.answered()
        effort.add(call, response, seconds)
        self._unanswered += may_come_late(call, response)
        self._has_answered |= response.status > 0
        end = response.reason or response.status
        _log.debug("%s: %s, %.0f ms, attempt %d", call.place, end, 1000 * seconds, effort.attempts)
        return response

    def _turn(self, call: Call) -> AbstractAsyncContextManager[Slot]:
        return self._limiter.slot(call.work) if call.is_write else self._read_turn()

    @asynccontextmanager
    async def _read_turn(self) -> AsyncIterator[Slot]:
        async with self._reads:
            yield Slot()

    def _odd(self, path: str, what: str, *, hint: str) -> RequestRejected:
        return RequestRejected(f"POST {path} on {self._target.host} {what}", status=200, hint=hint)
