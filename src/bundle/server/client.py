"""The one way to a Prefect server: authentication, retries, paging, and errors in our words.

Rules that hold for every request:

* It goes to the target and nowhere else: a redirect is followed only where it
  keeps method and body and stays at the same scheme, host and port; proxies and
  netrc files of the environment are not used.
* A write is sent a second time only where that does no harm, or where the
  first surely had no effect.
* What an answer may cost is bounded: bytes after decompression, seconds, pages.
* Nothing of headers, bodies or foreign exception texts is in a message or the log.

The only module that knows httpx. Waiting is our own few lines: libraries for
backoff decide by exception, and here it depends on the request, the status, the
body and two headers whether and how long to wait.
"""

from __future__ import annotations

import asyncio
import base64
import functools
import logging
import random
import re
import ssl
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Literal, Self

import httpx
import msgspec

from bundle import __version__
from bundle.errors import ProfileError, RequestRejected
from bundle.model import Body, Json
from bundle.server.adaptive_limit import Slot, Throttle
from bundle.server.openapi import Accepted, parse_openapi
from bundle.server.profiles import SecretText, Target
from bundle.server.responses import (
    BROKEN_OFF,
    EXPIRED,
    NO_ANSWER,
    NO_TLS,
    OTHER_HOST,
    PROXY_REFUSED,
    UNTRUSTED,
    Call,
    Effort,
    Outcome,
    executed_by,
    failure,
    is_csrf_refusal,
    may_be_too_early,
    may_come_late,
    may_repeat,
    moved_within,
    not_json,
    told_seconds,
)
from bundle.server.urls import url_hint

_log = logging.getLogger("bundle.client")

ANSWER_BYTES = 64 * 1024 * 1024
_NOT_PREFECT = "it does not behave as a Prefect server does: does the URL name one, with nothing between?"
_CONNECT_SECONDS = 10.0
_KEEPALIVE_SECONDS = 3.0  # less than the 5 s after which uvicorn closes: a write must not meet a closing connection
_CONNECTIONS = 16
_READS_IN_FLIGHT = 4
_SAME_PAGES = 10
_LONGEST_BUDGET_SECONDS = 1800.0
_MOST_REDIRECTS = 4

# Headers that custom headers cannot set: the first two as in Prefect, the rest frame the message.
_RESERVED = frozenset({
    "user-agent", "prefect-csrf-token", "prefect-csrf-client", "content-type", "content-length",
    "transfer-encoding", "connection", "accept-encoding",
})  # fmt: skip
_TOO_BUSY = frozenset({429, 503})
# OpenSSL's codes: X509_V_ERR_CERT_HAS_EXPIRED, _HOSTNAME_MISMATCH and _IP_ADDRESS_MISMATCH.
_DISTRUST = {10: EXPIRED, 62: OTHER_HOST, 64: OTHER_HOST}


class RetryPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """How long to insist.

    ``budget_seconds``: after this long no retry of a request begins; waits
    that a 429 asked for are not charged, since they show a server alive, nor
    are the first two attempts that nothing answers in time.
    ``deadline_seconds`` bounds one attempt by our own clock. ``attempts``
    bounds the attempts that a server answered or cut off; 503 (SQLite was
    locked, for as long as others write), refused connections once a server has
    answered, and ``Prefect-Maintenance`` are bounded by the budget alone. ``spread``
    is the part of each wait that is drawn at random, ``codes`` are further
    statuses to try again on, and ``pages`` bounds one listing.
    """

    budget_seconds: float = 60.0
    deadline_seconds: float = 120.0
    attempts: int = 12
    first_attempts: int = 3
    base_seconds: float = 0.1
    longest_seconds: float = 10.0
    longest_told_seconds: float = 120.0
    spread: float = 1.0
    codes: frozenset[int] = frozenset()
    pages: int = 1_000_000

    @classmethod
    def of(cls, target: Target) -> Self:
        """What the settings of a profile ask for.

        Prefect waits 2, 4, 8 … seconds before its retries. As many retries as
        are set mean as long as Prefect would insist, in attempts of our own; 0 means none.
        """
        usual, wish = cls(), target.retries
        policy = cls(
            spread=1.0 if wish.jitter is None else min(1.0, wish.jitter),
            codes=wish.codes,
            deadline_seconds=max(usual.deadline_seconds, 2 * target.timeout_seconds),
        )
        if wish.most is None:
            return policy
        budget = min(2.0 ** min(wish.most + 1, 16) - 2, _LONGEST_BUDGET_SECONDS)
        return msgspec.structs.replace(
            policy,
            budget_seconds=budget,
            attempts=1 if wish.most == 0 else max(usual.attempts, int(budget / 5)),
            first_attempts=min(usual.first_attempts, wish.most + 1),
        )


class Sent(msgspec.Struct, frozen=True):
    """How many requests went out, retries included; a POST that only reads is a read."""

    reads: int = 0
    writes: int = 0


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
        self._csrf = _Csrf(is_on=target.csrf and not target.is_cloud)
        self._sent = Sent()
        self._unanswered = 0
        self._has_answered = False
        self._connect = functools.partial(_connection, target, transport, proxy)
        self._http: httpx.AsyncClient | None = None

    async def __aenter__(self) -> Self:
        _silence_transport_loggers()
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
                raise self._odd(
                    path, "answered the same page over and over: it does not heed the offset", hint=_NOT_PREFECT
                )
            yield page
            offset, last = offset + len(page), page
        raise self._odd(path, f"did not end after {self._policy.pages} pages", hint=_NOT_PREFECT)

    async def write(
        self, method: Literal["POST", "PUT", "PATCH", "DELETE"], path: str, body: Json = None, *, repeatable: bool
    ) -> Json:
        """Send one write; ``repeatable`` says that sending it twice does no harm.

        Returns the decoded answer, None when it has no body.

        Raises:
            RequestRejected: the server refused it.
            AccessDenied: 401 or 403.
            Unreachable: no answer; ``maybe_done`` is true where the server may have carried it out.
        """
        return await self._json(Call(method, path, body, is_write=True, repeatable=repeatable))

    async def accepted_fields(self) -> Accepted | None:
        """What the request bodies of this server may hold (``GET /openapi.json``); None where it does not tell.

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
        outcome = await self._exchange(call)
        if not outcome.content:
            return None
        value = outcome.json
        if value is None and outcome.content.strip() != b"null":
            raise not_json(self._target, call, outcome)
        return value

    async def _exchange(self, call: Call) -> Outcome:
        """Send until there is an answer below 300, or no reason to go on."""
        effort = Effort(started=self._clock())
        renewed = False
        while True:
            token = await self._csrf_token(call)
            outcome = await self._attempt(call, token, effort)
            if outcome.is_answer and outcome.status < httpx.codes.MULTIPLE_CHOICES:
                return outcome
            if token is not None and not renewed and is_csrf_refusal(outcome):
                renewed = True
                self._csrf.forget(token)
                continue
            delay = self._delay(call, outcome, effort)
            if delay is None:
                raise failure(self._target, call, outcome, effort, is_known=self._has_answered)
            await self._sleep(delay)

    def _delay(self, call: Call, outcome: Outcome, effort: Effort) -> float | None:
        """How long to wait before the next attempt; None when there is to be none."""
        codes = self._policy.codes
        if self.is_cloud and may_be_too_early(call, outcome, effort):
            codes |= {outcome.status}
        if not may_repeat(call, outcome, effort, codes) or self._is_spent(outcome, effort):
            return None
        delay, told = self._backoff(effort), told_seconds(outcome.headers)
        if told is not None:
            delay += min(told, self._policy.longest_told_seconds)
        elapsed = self._clock() - effort.started
        if told is not None and outcome.status == httpx.codes.TOO_MANY_REQUESTS:
            effort.excused_seconds += delay
        is_within = elapsed + delay - effort.excused_seconds <= self._policy.budget_seconds
        return delay if is_within else None

    def _backoff(self, effort: Effort) -> float:
        """Exponential, with full jitter by default: clients that failed together do not come back together."""
        growth = 2.0 ** min(effort.attempts - 1, 16)
        share = 1.0 - self._policy.spread * (1.0 - self._jitter())
        return share * min(self._policy.longest_seconds, self._policy.base_seconds * growth)

    def _is_spent(self, outcome: Outcome, effort: Effort) -> bool:
        """Whether the attempts are used up: few before the first answer, lest a wrong URL is tried for a minute."""
        if outcome.is_unconnected and not self._has_answered:
            return effort.attempts >= self._policy.first_attempts
        return effort.counted >= self._policy.attempts or self._policy.budget_seconds <= 0

    async def _attempt(self, call: Call, token: str | None, effort: Effort) -> Outcome:
        # Made before its turn: while one request is on its way, the next is got ready.
        request = self._request(call, self._target.base + call.path, token)
        async with self._turn(call) as slot:
            started = self._clock()
            outcome = await self._transmit(call, request, token)
            seconds = self._clock() - started
            if outcome.status in _TOO_BUSY or (not outcome.is_answer and outcome.executed == "maybe"):
                slot.overloaded()
            elif outcome.is_answer:
                slot.answered()
        effort.add(call, outcome, seconds)
        self._unanswered += may_come_late(call, outcome)
        self._has_answered |= outcome.status > 0
        _log.debug(
            "%s: %s, %.0f ms, attempt %d", call.place, outcome.reason or outcome.status, 1000 * seconds, effort.attempts
        )
        return outcome

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

    async def _transmit(self, call: Call, request: httpx.Request, token: str | None) -> Outcome:
        try:
            async with asyncio.timeout(self._policy.deadline_seconds):
                for _ in range(_MOST_REDIRECTS):
                    outcome = await self._stream(call, request)
                    onward = moved_within(str(request.url), outcome)
                    if onward is None:
                        break
                    request = self._request(call, onward, token)
                return outcome
        except (httpx.HTTPError, TimeoutError, OSError) as error:
            return _lost(error)

    @property
    def _client(self) -> httpx.AsyncClient:
        if self._http is None:
            raise RuntimeError("PrefectApi is used inside 'async with'")
        return self._http

    def _request(self, call: Call, url: str, token: str | None) -> httpx.Request:
        headers = _headers(self._target, call, self._csrf.headers(token))
        return self._client.build_request(call.method, url, content=call.content, headers=headers)

    async def _stream(self, call: Call, request: httpx.Request) -> Outcome:
        self._count(call)
        response = await self._client.send(request, stream=True)
        try:
            content = await _content(response)
            if response.status_code >= httpx.codes.INTERNAL_SERVER_ERROR:
                await _abandon(response)
        finally:
            await response.aclose()
        headers_seen = {name.lower(): value for name, value in response.headers.items()}
        if content is None:
            reason = "an answer that is too large"
            return Outcome(response.status_code, headers_seen, reason=reason, executed="maybe", is_final=True)
        outcome = Outcome(response.status_code, headers_seen, content)
        return msgspec.structs.replace(outcome, executed=executed_by(outcome))

    # -- CSRF ---------------------------------------------------------------------------------------------------------

    async def _csrf_token(self, call: Call) -> str | None:
        """The token for everything but GET, fetched before the first such request.

        404 (an old server) and 422 (protection is off) mean that none is needed.
        """
        if call.method == "GET" or not self._csrf.is_on:
            return None
        async with self._csrf.lock:
            if self._csrf.is_on and self._csrf.token is None:
                await self._fetch_csrf_token()
        return self._csrf.token

    async def _fetch_csrf_token(self) -> None:
        try:
            answer = await self.get(f"/csrf-token?client={self._csrf.client}")
        except RequestRejected as error:
            if error.status not in {httpx.codes.NOT_FOUND, httpx.codes.UNPROCESSABLE_ENTITY}:
                raise
            answer = None
        token = answer.get("token") if isinstance(answer, dict) else None
        if isinstance(token, str) and re.fullmatch(r"[\x21-\x7e]+", token):
            self._csrf.token = token
        else:
            self._csrf.is_on = False

    def _odd(self, path: str, what: str, *, hint: str) -> RequestRejected:
        return RequestRejected(f"POST {path} on {self._target.host} {what}", status=200, hint=hint)


class _Csrf:
    """Prefect's protection against forged requests, as a client sees it."""

    def __init__(self, *, is_on: bool) -> None:
        self.is_on = is_on
        self.client = str(uuid.uuid4())
        self.token: str | None = None
        self.lock = asyncio.Lock()

    def headers(self, token: str | None) -> dict[str, str]:
        return {} if token is None else {"Prefect-Csrf-Token": token, "Prefect-Csrf-Client": self.client}

    def forget(self, token: str) -> None:
        """Drop the token, unless another request has replaced it already."""
        if self.token == token:
            self.token = None


# -- Connection -------------------------------------------------------------------------------------------------------


def _connection(
    target: Target, transport: httpx.AsyncBaseTransport | None, proxy: SecretText | None
) -> httpx.AsyncClient:
    try:
        return httpx.AsyncClient(
            transport=transport,
            proxy=None if proxy is None else proxy.reveal(),
            verify=_tls(target),
            http2=target.http2,
            timeout=httpx.Timeout(
                target.timeout_seconds, connect=min(_CONNECT_SECONDS, target.timeout_seconds), pool=None
            ),
            limits=httpx.Limits(max_connections=_CONNECTIONS, keepalive_expiry=_KEEPALIVE_SECONDS),
            follow_redirects=False,
            trust_env=False,
        )
    except (ValueError, httpx.InvalidURL):
        # Without its cause, which quotes the proxy's URL and the password in it.
        raise ProfileError(
            "the proxy is not a valid http:// or https:// URL",
            hint="correct https_proxy, http_proxy or all_proxy in the environment, or name the server in no_proxy",
        ) from None
    except ImportError:
        raise ProfileError(
            "the environment names a SOCKS proxy, and the library for it is missing",
            hint="pip install 'httpx[socks]', or set no_proxy for this server",
        ) from None


def _tls(target: Target) -> ssl.SSLContext:
    """Whom to trust: the CA file alone where there is one, else the system's authorities and certifi's."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if not target.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    elif target.base.startswith("https:"):  # loading takes 20 ms; without it nothing is trusted
        try:
            context.load_verify_locations(target.ca_file or _certifi())
        except OSError:
            raise ProfileError(
                f'profile "{target.name}": the CA file {target.ca_file} cannot be read',
                hint="correct PREFECT_API_SSL_CERT_FILE in the profile, or SSL_CERT_FILE in the environment",
            ) from None
        if target.ca_file is None:
            context.load_default_certs()
    return context


def _certifi() -> str:
    import certifi  # noqa: PLC0415 - only https needs it

    return certifi.where()


def _silence_transport_loggers() -> None:
    """Keep the libraries below from logging: they write URLs, and hpack writes headers."""
    for name in ("httpx", "httpcore", "hpack", "h2"):
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)


def _headers(target: Target, call: Call, csrf: Mapping[str, str]) -> dict[str, str]:
    headers = {"Accept": "application/json", "Accept-Encoding": "gzip", **_authorization(target)}
    for name, value in target.headers:
        if name.lower() not in _RESERVED:
            headers = {known: text for known, text in headers.items() if known.lower() != name.lower()}
            headers[name] = value.reveal()
    if call.body is not None:
        headers["Content-Type"] = "application/json"
    return {**headers, "User-Agent": f"xfer/{__version__}", **csrf}


def _authorization(target: Target) -> dict[str, str]:
    if target.credentials is None:
        return {}
    text = target.credentials.reveal()
    if target.auth == "basic":
        return {"Authorization": f"Basic {base64.b64encode(text.encode()).decode()}"}
    return {"Authorization": f"Bearer {text}"}


async def _content(response: httpx.Response) -> bytes | None:
    """The decoded body, None when it is larger than it may be.

    Raises:
        httpx.RemoteProtocolError: its end cannot be told from a broken connection, or its coding was not asked for.
    """
    coding = response.headers.get("content-encoding", "identity").strip().lower()
    if coding not in {"identity", "gzip"}:
        # Other codings can turn one small chunk into gigabytes before any limit is seen.
        raise httpx.RemoteProtocolError("content coding")
    chunks, size = [], 0
    async for chunk in response.aiter_bytes():
        size += len(chunk)
        if size > ANSWER_BYTES:
            return None
        chunks.append(chunk)
    if size and not _has_an_end(response):
        raise httpx.RemoteProtocolError("no length")
    return b"".join(chunks)


def _has_an_end(response: httpx.Response) -> bool:
    headers = response.headers
    return "content-length" in headers or "transfer-encoding" in headers or response.http_version == "HTTP/2"


async def _abandon(response: httpx.Response) -> None:
    """Close the connection after a 5xx: uvicorn drops it after a 500, and the next request would meet its end.

    An HTTP/2 connection is shared by other requests and stays.
    """
    stream: Any = response.extensions.get("network_stream")
    if stream is not None and response.http_version != "HTTP/2":
        await stream.aclose()


# -- What an outcome means --------------------------------------------------------------------------------------------


def _lost(error: Exception) -> Outcome:
    """The outcome of an attempt without an answer; foreign texts are dropped, since they may quote the request."""
    if isinstance(error, httpx.ConnectTimeout):
        return Outcome(reason="no connection in time", executed="no")
    if isinstance(error, httpx.ConnectError):
        reason, is_final = _connect_reason(error)
        return Outcome(reason=reason, executed="no", is_final=is_final)
    if isinstance(error, httpx.ProxyError):
        return Outcome(reason=PROXY_REFUSED, executed="no", is_final=True)
    if isinstance(error, httpx.TimeoutException | TimeoutError):
        return Outcome(reason=NO_ANSWER, executed="maybe")
    return Outcome(reason=BROKEN_OFF, executed="maybe")


def _connect_reason(error: BaseException) -> tuple[str, bool]:
    """Why there is no connection, and whether that will stay so."""
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            return _DISTRUST.get(cause.verify_code, UNTRUSTED), True
        if isinstance(cause, ssl.SSLError):
            return NO_TLS, True
        if isinstance(cause, ConnectionRefusedError):
            return "connection refused", False
    return "no connection", False


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The chain below an error, through exception groups: connecting tries several addresses at once."""
    cause = error.__cause__ or error.__context__
    for part in (cause, *(error.exceptions if isinstance(error, BaseExceptionGroup) else ())):
        if part is not None:
            yield part
            yield from _causes(part)
