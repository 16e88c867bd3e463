"""One connection to a server: TLS, proxy, headers, and what one attempt to send a request came to.

Beside ``client`` the only module that knows httpx.
"""

from __future__ import annotations

import asyncio
import base64
import logging
import ssl
from collections.abc import Iterator, Mapping
from typing import Any

import httpx

from bundle._version import __version__
from bundle.errors import ProfileError
from bundle.server.responses import (
    BROKEN_OFF,
    EXPIRED,
    NO_RESPONSE,
    NO_TLS,
    OTHER_HOST,
    PROXY_REFUSED,
    UNTRUSTED,
    Call,
    Response,
)
from bundle.server.target import SecretText, Target

RESPONSE_BYTES = 64 * 1024 * 1024
_CONNECT_SECONDS = 10.0
_KEEPALIVE_SECONDS = 3.0  # less than the 5 s after which uvicorn closes: a write must not meet a closing connection
_CONNECTIONS = 16
# Headers that custom headers cannot set: the first two as in Prefect, the rest frame the message.
_RESERVED = frozenset({
    "user-agent", "prefect-csrf-token", "prefect-csrf-client", "content-type", "content-length",
    "transfer-encoding", "connection", "accept-encoding",
})  # fmt: skip
# OpenSSL's codes: X509_V_ERR_CERT_HAS_EXPIRED, _HOSTNAME_MISMATCH and _IP_ADDRESS_MISMATCH.
_DISTRUST = {10: EXPIRED, 62: OTHER_HOST, 64: OTHER_HOST}


def open_connection(
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


def silence_transport_loggers() -> None:
    """Keep the libraries below from logging: they write URLs, and hpack writes headers."""
    for name in ("httpx", "httpcore", "hpack", "h2"):
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)


def headers_of(target: Target, call: Call, csrf: Mapping[str, str]) -> dict[str, str]:
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


async def content_of(received: httpx.Response) -> bytes | None:
    """The decoded body, None when it is larger than it may be.

    Raises:
        httpx.RemoteProtocolError: its end looks like a broken connection, or its coding was not asked for.
    """
    coding = received.headers.get("content-encoding", "identity").strip().lower()
    if coding not in {"identity", "gzip"}:
        # Other codings can turn one small chunk into gigabytes before any limit is seen.
        raise httpx.RemoteProtocolError("content coding")
    chunks, size = [], 0
    async for chunk in received.aiter_bytes():
        size += len(chunk)
        if size > RESPONSE_BYTES:
            return None
        chunks.append(chunk)
    if size and not _has_an_end(received):
        raise httpx.RemoteProtocolError("no length")
    return b"".join(chunks)


def _has_an_end(response: httpx.Response) -> bool:
    headers = response.headers
    return "content-length" in headers or "transfer-encoding" in headers or response.http_version == "HTTP/2"


async def abandon(response: httpx.Response) -> None:
    """Close the connection after a 5xx: uvicorn drops it after a 500, and the next request would meet its end.

    An HTTP/2 connection is shared by other requests and stays.
    """
    stream: Any = response.extensions.get("network_stream")
    if stream is not None and response.http_version != "HTTP/2":
        await stream.aclose()


def lost(error: BaseException) -> Response:
    """The response of an attempt without an answer; foreign texts are dropped, since they may quote the request.

    Raises:
        CancelledError: the task was told to end. A time limit that runs out inside the HTTP library may leave a
            cancellation that nobody asked for; that is no more than an answer that did not come in time.
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
