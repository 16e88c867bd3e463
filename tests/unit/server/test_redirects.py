"""bundle.server.redirects, and what a response may cost."""

from __future__ import annotations

import asyncio
import gzip
import io

import httpx
import pytest

from bundle.errors import Unreachable
from bundle.server.adaptive_limit import AdaptiveLimit, Limiter
from bundle.server.client import PrefectApi
from bundle.server.responses import Sent
from bundle.server.retry import RetryPolicy
from bundle.server.target import SecretText, Target
from support.fake_server import (
    CANARY,
    URL,
    FakeServer,
    coded,
    create,
    get,
    ok,
    put,
    read,
    status,
)


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
@pytest.mark.parametrize(
    "there", ["http://evil.test/trap", "http://u:p@server.test:4200/x", "", "http://[/", "//evil/x"]
)
def test_redirects_to_elsewhere_are_not_followed(code: int, there: str) -> None:
    """A redirect to another server is an error that names the target, and not where it points."""
    server = FakeServer(status(code, Location=there))
    error = server.fail(get)
    assert len(server.requests) == 1
    assert "server.test:4200" in str(error)
    assert "evil" not in f"{error} {error.hint}"
    assert "final URL" in str(error.hint)


@pytest.mark.parametrize("code", [307, 308])
@pytest.mark.parametrize("there", ["/elsewhere/api/flows/count", "http://SERVER.test:4200/elsewhere/api/flows/count"])
def test_redirects_on_the_same_server_are_followed(code: int, there: str) -> None:
    """A redirect that keeps method and body and stays on the server is followed, and counted."""
    server = FakeServer(status(code, Location=there), ok(7), auth="bearer", credentials=SecretText(CANARY))
    assert server.run(read) == 7
    first, second = server.requests
    assert str(second.url) == "http://server.test:4200/elsewhere/api/flows/count"
    assert (second.method, second.content) == (first.method, first.content)
    assert second.headers["authorization"] == f"Bearer {CANARY}"
    assert server.sent == Sent(reads=2)


def test_redirects_end() -> None:
    """A server that redirects in a circle is given up."""
    server = FakeServer(status(307, Location="/prefix/api/health"))
    assert "redirected" in str(server.fail(get))
    assert len(server.requests) == 4


@pytest.mark.parametrize("code", [301, 302, 307, 308])
def test_a_redirect_to_https_says_what_to_set(code: int) -> None:
    """The usual redirect, to https on the same host, is not followed, but the URL to set is said."""
    server = FakeServer(status(code, Location="https://server.test/prefix/api/flows/count?x=1"))
    assert server.fail(read).hint == "set PREFECT_API_URL to https://server.test/prefix/api"
    assert len(server.requests) == 1


def test_a_proxy_that_wants_a_password_is_named() -> None:
    """A 407, and a refused tunnel, point at the variables of the proxy."""
    assert "https_proxy" in str(FakeServer(status(407)).fail(get).hint)
    assert "https_proxy" in str(FakeServer(httpx.ProxyError("407")).fail(get).hint)


def test_large_answers_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer is cut off by its decoded size, so a compressed bomb gains nothing; a plain one of the size passes."""
    monkeypatch.setattr("bundle.server.connection.RESPONSE_BYTES", 1000)
    buffer = io.BytesIO()
    with gzip.open(buffer, "wb") as bomb:
        bomb.write(b" " * 100_000)
    server = FakeServer(coded(buffer.getvalue(), "gzip"))
    assert "too large" in str(server.fail(get))
    assert len(server.requests) == 1
    assert FakeServer(ok("x" * 998)).run(get) == "x" * 998


def test_compressed_answers_are_read() -> None:
    """The compression that is asked for is understood."""
    assert FakeServer(coded(gzip.compress(b"[1]"), "gzip")).run(get) == [1]


@pytest.mark.parametrize("content", [b"<html>", b"[1", b"\xff", b'"\\ud800"', b"[" * 100_000])
def test_answers_that_are_not_json_are_refused(content: bytes) -> None:
    """A page, or broken JSON, is an error with a hint at the URL."""
    server = FakeServer(
        httpx.Response(200, content=content), target=Target(name="dev", url="http://server.test:4200", csrf=False)
    )
    error = server.fail(get)
    assert "is not JSON" in str(error)
    assert "http://server.test:4200/api" in str(error.hint)


def test_null_and_nothing_are_answers() -> None:
    """JSON null and an empty body both read as None."""
    assert FakeServer(httpx.Response(200, content=b" null ")).run(get) is None
    assert FakeServer(httpx.Response(204)).run(get) is None


def test_an_attempt_ends_at_its_deadline() -> None:
    """A server that never finishes is given up by our own clock, and the write is in doubt."""

    async def stall(request: httpx.Request) -> httpx.Response:
        await asyncio.sleep(60)
        return httpx.Response(200, request=request)

    async def run() -> None:
        policy = RetryPolicy(deadline_seconds=0.01)
        target = Target(name="dev", url=URL, csrf=False)
        async with PrefectApi(target, policy=policy, transport=httpx.MockTransport(stall)) as api:
            with pytest.raises(Unreachable, match="no response in time") as caught:
                await create(api)
            assert caught.value.maybe_done
            assert api.limiter.limit == 1

    asyncio.run(run())


def test_reads_and_writes_are_bounded() -> None:
    """At most four reads, and as many writes as the limiter allows, are in flight."""
    most = {"GET": 0, "PUT": 0}
    now = {"GET": 0, "PUT": 0}

    async def handle(request: httpx.Request) -> httpx.Response:
        now[request.method] += 1
        most[request.method] = max(most[request.method], now[request.method])
        await asyncio.sleep(0)
        now[request.method] -= 1
        return ok()

    async def run() -> None:
        target = Target(name="dev", url=URL, csrf=False)
        async with PrefectApi(
            target, transport=httpx.MockTransport(handle), limiter=Limiter(AdaptiveLimit(first=2))
        ) as api:
            await asyncio.gather(*(get(api) for _ in range(20)), *(put(api) for _ in range(8)))

    asyncio.run(run())
    assert most == {"GET": 4, "PUT": 2}
