"""The connection to one server: what goes out with a request, and what one attempt to send it came to.

The only module that knows httpx.
"""

from __future__ import annotations

import asyncio
import base64
import logging
import ssl
import zlib
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any, Self

import httpx
import msgspec

from bundle._version import __version__
from bundle.errors import ProfileError
from bundle.record.weight import weight
from bundle.server.inflate import Inflater
from bundle.server.limits import ServerLimits
from bundle.server.redirects import moved_within
from bundle.server.responses import BROKEN_OFF, NO_RESPONSE, PROXY_REFUSED, TOO_LARGE, Call, Response, Sent, executed_by
from bundle.server.target import SecretText, Target
from bundle.server.tls import tls_context, tls_reason

Request = httpx.Request
Transport = httpx.AsyncBaseTransport

_CONNECT_SECONDS = 10.0
_KEEPALIVE_SECONDS = 3.0  # less than the 5 s after which uvicorn closes: a write must not meet a closing connection
_CONNECTIONS = 16
_MOST_REDIRECTS = 4
# Headers that custom headers cannot set: the first two as in Prefect, the rest frame the message.
_RESERVED = frozenset({
    "user-agent", "prefect-csrf-token", "prefect-csrf-client", "content-type", "content-length",
    "transfer-encoding", "connection", "accept-encoding",
})  # fmt: skip


class Connection:
    """The connections to one server, open inside ``async with``; it counts the requests in ``sent``.

    ``proxy`` is the only way to a proxy. ``transport`` takes the place of the network.

    Raises:
        ProfileError: on entering, when the CA file of the target cannot be read or the proxy cannot be used.
    """

    def __init__(
        self, target: Target, *, limits: ServerLimits, transport: Transport | None, proxy: SecretText | None
    ) -> None:
        self.sent = Sent()
        self._limits = limits
        self._target = target
        self._transport = transport
        self._proxy = proxy
        self._http: httpx.AsyncClient | None = None

    async def __aenter__(self) -> Self:
        _silence_libraries()
        self._http = _client(self._target, self._transport, self._proxy)
        return self

    async def __aexit__(self, *error: object) -> None:
        if self._http is not None:
            await self._http.aclose()
            self._http = None

    def request(self, call: Call, csrf: Mapping[str, str]) -> Request:
        """A call made ready to be sent; ``csrf`` are further headers."""
        return self._built(call, self._target.base + call.path, _headers(self._target, call, csrf))

    async def send(self, call: Call, request: Request, *, deadline_seconds: float) -> Response:
        """What one attempt came to, redirects on the same server included."""
        try:
            async with asyncio.timeout(deadline_seconds):
                for _ in range(_MOST_REDIRECTS):
                    response = await self._send_once(call, request)
                    onward = moved_within(str(request.url), response)
                    if onward is None:
                        break
                    request = self._built(call, onward, request.headers)
                return response
        except (httpx.HTTPError, zlib.error, TimeoutError, OSError, asyncio.CancelledError) as error:
            return _lost(error)

    @property
    def _open(self) -> httpx.AsyncClient:
        if self._http is None:
            raise RuntimeError("PrefectApi is used inside 'async with'")
        return self._http

    def _built(self, call: Call, url: str, headers: Mapping[str, str]) -> Request:
        return self._open.build_request(call.method, url, content=call.content, headers=headers)

    async def _send_once(self, call: Call, request: Request) -> Response:
        self.sent = Sent(self.sent.reads + (not call.is_write), self.sent.writes + call.is_write)
        received = await self._open.send(request, stream=True)
        try:
            content = await _content(received, self._limits)
            if received.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
                await _abandon(received)
        finally:
            await received.aclose()
        headers = {name.lower(): value for name, value in received.headers.items()}
        if content is None:
            return Response(received.status_code, headers, reason=TOO_LARGE, executed="maybe", is_final=True)
        response = Response(received.status_code, headers, content)
        return msgspec.structs.replace(response, executed=executed_by(response))


def _client(target: Target, transport: Transport | None, proxy: SecretText | None) -> httpx.AsyncClient:
    seconds = target.timeout_seconds
    try:
        return httpx.AsyncClient(
            transport=transport,
            proxy=None if proxy is None else proxy.reveal(),
            verify=tls_context(target),
            http2=target.http2,
            timeout=httpx.Timeout(seconds, connect=min(_CONNECT_SECONDS, seconds), pool=None),
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


def _silence_libraries() -> None:
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


async def _content(received: httpx.Response, limits: ServerLimits) -> bytes | None:
    """The body after decompression, None when it, or what it decodes to, is larger than it may be.

    Raises:
        httpx.RemoteProtocolError: its end looks like a broken connection, or its coding was not requested.
    """
    coding = received.headers.get("content-encoding", "identity").strip().lower()
    if coding not in {"identity", "gzip"}:
        # Other codings can turn one small chunk into gigabytes before any limit is seen.
        raise httpx.RemoteProtocolError("content coding")
    content = bytearray()
    inflater = Inflater() if coding == "gzip" else None
    # As it arrives: httpx would decompress a whole chunk at once.
    stream: Any = received.stream
    async for chunk in stream:
        for piece in inflater.pieces(chunk) if inflater else (chunk,):
            content += piece
            if len(content) > limits.answer_bytes:
                return None
    if content and (not _has_an_end(received) or (inflater and not inflater.is_whole)):
        raise httpx.RemoteProtocolError("no end")
    return bytes(content) if weight(content) <= limits.answer_memory_bytes else None


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


def _lost(error: BaseException) -> Response:
    """What an attempt without a response came to; foreign texts are dropped, since they may quote the request.

    Raises:
        CancelledError: the task was cancelled. A time limit that runs out inside the HTTP library may leave a
            cancellation that nobody asked for; that is no more than a response that did not come in time.
    """
    task = asyncio.current_task()
    if isinstance(error, asyncio.CancelledError) and task and task.cancelling():
        raise error
    if isinstance(error, httpx.ConnectTimeout):
        return Response(reason="no connection in time", executed="no")
    if isinstance(error, httpx.ConnectError):
        reason, is_final = _connect_reason(error)
        return Response(reason=reason, executed="no", is_final=is_final)
    if isinstance(error, httpx.ProxyError):
        return Response(reason=PROXY_REFUSED, executed="no", is_final=True)
    if isinstance(error, httpx.TimeoutException | TimeoutError | asyncio.CancelledError):
        return Response(reason=NO_RESPONSE, executed="maybe")
    return Response(reason=BROKEN_OFF, executed="maybe")


def _connect_reason(error: BaseException) -> tuple[str, bool]:
    """Why there is no connection, and whether that will stay so."""
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLError):
            return tls_reason(cause), True
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
