"""bundle.server.connection: connections to real sockets."""

from __future__ import annotations

import asyncio
import ssl
import traceback
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trustme

from bundle.errors import BundleError, ProfileError, Unreachable
from bundle.server.client import PrefectApi
from bundle.server.retry import RetryPolicy
from bundle.server.target import SecretText, Target
from support.fake_server import (
    CANARY,
    URL,
    create,
    get,
)


@asynccontextmanager
async def _listening(*answers: bytes, tls: ssl.SSLContext | None = None) -> AsyncIterator[tuple[str, list[int]]]:
    """A server on loopback that gives each request the next answer; yields its URL and the requests per connection."""
    left, connections = list(answers), list[int]()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        number = len(connections)
        connections.append(0)
        while left and await reader.read(65536):
            connections[number] += 1
            writer.write(left.pop(0))
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    async with server:
        port = server.sockets[0].getsockname()[1]
        yield f"{'https' if tls else 'http'}://127.0.0.1:{port}/api", connections


@pytest.mark.parametrize(("first", "expected"), [(b"200 OK", [2]), (b"404 No", [2]), (b"500 No", [1, 1])])
def test_a_connection_is_not_used_again_after_a_5xx(first: bytes, expected: list[int]) -> None:
    """After a 5xx the next request has a connection of its own; after other answers it shares."""

    async def run() -> list[int]:
        rest = b"\r\ncontent-type: application/json\r\ncontent-length: 4\r\n\r\nnull"
        async with _listening(b"HTTP/1.1 " + first + rest, b"HTTP/1.1 200 OK" + rest) as (url, connections):
            policy = RetryPolicy(attempts=1)
            async with PrefectApi(Target(name="dev", url=url), policy=policy) as api:
                for _ in range(2):
                    try:
                        await get(api)
                    except BundleError:
                        continue
            return connections

    assert asyncio.run(run()) == expected


@pytest.mark.parametrize(
    "cut", [b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n[1]", b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n[1]"]
)
def test_a_body_that_may_be_cut_is_not_taken_for_whole(cut: bytes) -> None:
    """An answer that ends with its connection, before its length or without one, is a lost one."""

    async def run() -> None:
        async with _listening(cut) as (url, _):
            policy = RetryPolicy(attempts=1)
            async with PrefectApi(Target(name="dev", url=url), policy=policy) as api:
                with pytest.raises(Unreachable, match="the connection broke off"):
                    await get(api)

    asyncio.run(run())


def test_environment_proxies_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy is used when it is given, and never because the environment names one."""

    async def run() -> None:
        answer = b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n"
        async with _listening(answer + b'"us"') as (url, _), _listening(answer + b'"px"') as (trap, _):
            monkeypatch.setenv("http_proxy", trap)
            monkeypatch.setenv("ALL_PROXY", trap)
            async with PrefectApi(Target(name="dev", url=url)) as api:
                assert await get(api) == "us"
            async with PrefectApi(Target(name="dev", url=url), proxy=SecretText(trap)) as api:
                assert await get(api) == "px"

    asyncio.run(run())


def test_a_tls_failure_is_final() -> None:
    """A server without TLS behind an https URL is not tried again."""

    async def run() -> None:
        async with _listening(b"HTTP/1.1 400 Bad\r\n\r\n") as (url, _):
            api = PrefectApi(Target(name="dev", url=url.replace("http:", "https:")))
            with pytest.raises(Unreachable, match=r"no TLS connection$") as caught:
                async with api:
                    await create(api)
            assert caught.value.hint.endswith(f"If it has no TLS, set it to {url}")

    asyncio.run(run())


def test_whom_a_connection_trusts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The system's authorities are trusted, unless the profile names its own: then that one alone is."""
    system, other = trustme.CA(), trustme.CA()
    files = [str(tmp_path / "system.pem"), str(tmp_path / "other.pem")]
    for authority, file in zip((system, other), files, strict=True):
        authority.cert_pem.write_to_path(file)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    system.issue_cert("127.0.0.1").configure_cert(tls)

    async def ask(ca_file: str | None) -> Any:
        async with (
            _listening(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\ntrue", tls=tls) as (url, _),
            PrefectApi(Target(name="dev", url=url, ca_file=ca_file)) as api,
        ):
            return await get(api)

    with pytest.raises(Unreachable, match="its TLS certificate is not trusted"):
        asyncio.run(ask(None))
    monkeypatch.setenv("SSL_CERT_FILE", files[0])  # where OpenSSL looks for the system's authorities
    assert asyncio.run(ask(None)) is True
    with pytest.raises(Unreachable, match="its TLS certificate is not trusted"):
        asyncio.run(ask(files[1]))


def test_a_server_that_hangs_up_may_want_tls() -> None:
    """Where a server behind an http URL ends the connection without an answer, the https URL is suggested."""

    async def run() -> None:
        async with _listening(b"") as (url, _):
            api = PrefectApi(Target(name="dev", url=url), policy=RetryPolicy(attempts=1))
            with pytest.raises(Unreachable, match="broke off") as caught:
                async with api:
                    await get(api)
            assert caught.value.hint.endswith(f"If it has TLS, set it to {url.replace('http:', 'https:')}")

    asyncio.run(run())


def test_settings_that_cannot_work_are_refused_on_entering() -> None:
    """An unreadable CA file and a proxy that is no URL are refused before any request, without the password."""

    async def enter(api: PrefectApi) -> None:
        async with api:
            raise AssertionError

    target = Target(name="dev", url="https://server.test/api", ca_file="/nowhere/ca.pem")
    with pytest.raises(ProfileError, match=r'profile "dev": the CA file /nowhere/ca\.pem'):
        asyncio.run(enter(PrefectApi(target)))
    for proxy, message in (("gopher", "the proxy is not a valid"), ("socks5", "SOCKS proxy")):
        with pytest.raises(ProfileError, match=message) as caught:
            asyncio.run(enter(PrefectApi(Target(name="dev", url=URL), proxy=SecretText(f"{proxy}://u:{CANARY}@h"))))
        assert CANARY not in "".join(traceback.format_exception(caught.value))


def test_use_outside_the_context_is_a_bug() -> None:
    """A client that was not entered refuses to work."""
    with pytest.raises(RuntimeError, match="async with"):
        asyncio.run(get(PrefectApi(Target(name="dev", url=URL))))
