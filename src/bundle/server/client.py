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
import functools
import logging
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Literal, Self

import httpx
import msgspec

from bundle.errors import RequestRejected
from bundle.model import Body, Json
from bundle.server.adaptive_limit import Slot, Throttle
from bundle.server.connection import abandon, content_of, headers_of, lost, open_connection, silence_transport_loggers
from bundle.server.csrf import Csrf, is_csrf_refusal
from bundle.server.openapi import Accepted, parse_openapi
from bundle.server.redirects import moved_within
from bundle.server.refusals import decoded, failure
from bundle.server.responses import Call, Response, Sent, executed_by
from bundle.server.retry import Effort, RetryPolicy, may_be_too_early, may_come_late, may_repeat
from bundle.server.target import SecretText, Target
from bundle.server.urls import url_hint

_log = logging.getLogger("bundle.server.client")
_NOT_PREFECT = "this does not look like a Prefect API; check the URL and any proxy"
_READS_IN_FLIGHT = 4
_SAME_PAGES = 10
_MOST_REDIRECTS = 4
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
        throttle: Throttle | None = None,
        proxy: SecretText | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._target = target
        self._policy = RetryPolicy.of(target) if policy is None else policy
        self._throttle = Throttle(clock=clock) if throttle is None else throttle
        self._reads = asyncio.Semaphore(_READS_IN_FLIGHT)
        self._clock, self._sleep, self._jitter = clock, sleep, jitter
        self._csrf = Csrf(is_on=target.csrf and not target.is_cloud)
        self._sent = Sent()
        self._unanswered = 0
        self._has_answered = False
        self._connect = functools.partial(open_connection, target, transport, proxy)
        self._http: httpx.AsyncClient | None = None

    async def __aenter__(self) -> Self:
        silence_transport_loggers()
        self._http = self._connect()
        return self

    async def __aexit__(self, *error: object) -> None:
        if self._http is not None:
            await self._http.aclose()
            self._http = None

    @property
    def url(self) -> str:
        """The API URL without credentials, for people; of an embedded server, where its data is."""
        return self._target.url

    @property
    def is_cloud(self) -> bool:
        """Whether the URL names a Prefect Cloud workspace."""
        return self._target.is_cloud

    @property
    def sent(self) -> Sent:
        """The requests sent up to now."""
        return self._sent

    @property
    def unanswered(self) -> int:
        """Writes that the server may have got and did not answer itself; each may take effect late."""
        return self._unanswered

    @property
    def throttle(self) -> Throttle:
        """The limiter of this server's writes."""
        return self._throttle

    async def get(self, path: str) -> Json:
        """The decoded answer of ``GET path``.

        Raises:
            RequestRejected: the server refused, with status 404 where there is nothing.
            AccessDenied: 401 or 403.
            Unreachable: no answer within the retry budget.
        """
        return await self._json(Call("GET", path))

    async def read(self, path: str, body: Body) -> Json:
        """The answer of a ``POST`` that only reads (``/filter``, ``/count``); raises as ``get``."""
        return await self._json(Call("POST", path, body))

    async def pages(self, path: str, body: Body | None = None) -> AsyncIterator[list[Json]]:
        """Pages of ``POST path`` (a ``/filter`` route) until an empty one; raises as ``get``.

        ``limit`` is never sent: above the server's own limit it is a 422. A
        short page ends nothing, since that limit may be any number.
        """
        fixed = {name: value for name, value in (body or {}).items() if name != "limit"}
        offset, last, repeats = 0, None, 0
        for _ in range(self._policy.pages):
            page = await self.read(path, {**fixed, "offset": offset})
            if not isinstance(page, list):
                raise self._odd(path, "did not answer with a list", hint=url_hint(self.url) or _NOT_PREFECT)
            if not page:
                return
            # A row that is new at the front pushes the same rows onto the next page, once or twice.
            repeats = repeats + 1 if page == last else 0
            if repeats >= _SAME_PAGES:
                raise self._odd(path, "returned the same page over and over: it ignores the offset", hint=_NOT_PREFECT)
            yield page
            offset, last = offset + len(page), page
        raise self._odd(path, f"did not end after {self._policy.pages} pages", hint=_NOT_PREFECT)

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
            Unreachable: no answer; ``maybe_done`` is true where the server may have carried it out.
        """
        call = Call(method, path, body, is_write=True, repeatable=repeatable)
        effort = Effort(started=self._clock())
        response = await self._exchange(call, effort)
        if response.status == httpx.codes.OK and not effort.is_doubtful:
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
            if error.status == httpx.codes.NOT_FOUND:
                return None
            raise

    # -- One request with its retries ---------------------------------------------------------------------------------

    async def _json(self, call: Call) -> Json:
        return decoded(self._target, call, await self._exchange(call, Effort(started=self._clock())))

    async def _exchange(self, call: Call, effort: Effort) -> Response:
        """Send until there is an answer below 300, or no reason to go on; ``effort`` counts."""
        renewed = False
        while True:
            token = await self._csrf.token_for(call, self.get)
            response = await self._attempt(call, token, effort)
            if response.is_response and response.status < httpx.codes.MULTIPLE_CHOICES:
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
        # Made before its turn: while one request is on its way, the next is got ready.
        request = self._request(call, self._target.base + call.path, token)
        async with self._turn(call) as slot:
            started = self._clock()
            response = await self._transmit(call, request, token)
            seconds = self._clock() - started
            if response.status in _TOO_BUSY or (not response.is_response and response.executed == "maybe"):
                slot.overloaded()
            elif response.is_response:
                slot.answered()
        effort.add(call, response, seconds)
        self._unanswered += may_come_late(call, response)
        self._has_answered |= response.status > 0
        end = response.reason or response.status
        _log.debug("%s: %s, %.0f ms, attempt %d", call.place, end, 1000 * seconds, effort.attempts)
        return response

    def _turn(self, call: Call) -> AbstractAsyncContextManager[Slot]:
        return self._throttle.slot(call.work) if call.is_write else self._read_turn()

    @asynccontextmanager
    async def _read_turn(self) -> AsyncIterator[Slot]:
        async with self._reads:
            yield Slot()

    def _count(self, call: Call) -> None:
        before = self._sent
        self._sent = Sent(before.reads + (not call.is_write), before.writes + call.is_write)

    # -- One attempt --------------------------------------------------------------------------------------------------

    async def _transmit(self, call: Call, request: httpx.Request, token: str | None) -> Response:
        try:
            async with asyncio.timeout(self._policy.deadline_seconds):
                for _ in range(_MOST_REDIRECTS):
                    response = await self._stream(call, request)
                    onward = moved_within(str(request.url), response)
                    if onward is None:
                        break
                    request = self._request(call, onward, token)
                return response
        except (httpx.HTTPError, TimeoutError, OSError, asyncio.CancelledError) as error:
            return lost(error)

    @property
    def _client(self) -> httpx.AsyncClient:
        if self._http is None:
            raise RuntimeError("PrefectApi is used inside 'async with'")
        return self._http

    def _request(self, call: Call, url: str, token: str | None) -> httpx.Request:
        headers = headers_of(self._target, call, self._csrf.headers(token))
        return self._client.build_request(call.method, url, content=call.content, headers=headers)

    async def _stream(self, call: Call, request: httpx.Request) -> Response:
        self._count(call)
        received = await self._client.send(request, stream=True)
        try:
            content = await content_of(received)
            if received.status_code >= httpx.codes.INTERNAL_SERVER_ERROR:
                await abandon(received)
        finally:
            await received.aclose()
        headers = {name.lower(): value for name, value in received.headers.items()}
        if content is None:
            reason = "a response that is too large"
            return Response(received.status_code, headers, reason=reason, executed="maybe", is_final=True)
        response = Response(received.status_code, headers, content)
        return msgspec.structs.replace(response, executed=executed_by(response))

    def _odd(self, path: str, what: str, *, hint: str) -> RequestRejected:
        return RequestRejected(f"POST {path} on {self._target.host} {what}", status=200, hint=hint)
