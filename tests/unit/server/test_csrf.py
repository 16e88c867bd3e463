"""bundle.server.csrf: the token against forged requests."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from bundle.errors import AccessDenied
from bundle.server.client import PrefectApi
from bundle.server.target import Target
from support.fake_server import (
    WORKSPACE,
    FakeServer,
    create,
    everything,
    get,
    ok,
    put,
    read,
    status,
)


def _csrf_server(*, refusals: int = 0, token_status: int = 200, token: Any = "t") -> FakeServer:
    left = refusals

    def handle(request: httpx.Request) -> httpx.Response:
        nonlocal left
        if request.url.path.endswith("/csrf-token"):
            return status(token_status, {"token": token, "detail": "CSRF protection is disabled."})
        if request.method != "GET" and left > 0:
            left -= 1
            return status(403, {"detail": "Invalid CSRF token or client identifier."})
        return ok([])

    return FakeServer(handle, csrf=True)


def test_csrf_token_is_fetched_once_and_late() -> None:
    """GETs need no token; the first other request fetches one, which the rest share."""
    server = _csrf_server()

    async def steps(api: PrefectApi) -> None:
        await get(api)
        assert len(server.requests) == 1
        await asyncio.gather(read(api), create(api), everything(api))

    server.run(steps)
    tokens = [request for request in server.requests if request.url.path.endswith("/csrf-token")]
    posts = [request for request in server.requests if request.method == "POST"]
    assert len(tokens) == 1
    assert all(post.headers["Prefect-Csrf-Token"] == "t" for post in posts)
    assert {post.headers["Prefect-Csrf-Client"] for post in posts} == {tokens[0].url.params["client"]}


@pytest.mark.parametrize("code", [404, 422])
def test_csrf_is_off_where_the_server_has_none(code: int) -> None:
    """An old server, or one without protection, is asked for a token once."""
    server = _csrf_server(token_status=code)

    async def steps(api: PrefectApi) -> None:
        await put(api)
        await put(api)

    server.run(steps)
    assert [request.method for request in server.requests] == ["GET", "PUT", "PUT"]


def test_csrf_token_is_renewed_once() -> None:
    """An expired token is replaced, also for an unrepeatable write; a second refusal is final."""
    server = _csrf_server(refusals=1)
    server.run(create)
    assert [request.method for request in server.requests] == ["GET", "POST", "GET", "POST"]
    assert isinstance(_csrf_server(refusals=9).fail(create), AccessDenied)


@pytest.mark.parametrize("token", ["a\r\nX: y", "", 7, None])
def test_a_token_that_is_none_is_not_sent(token: Any) -> None:
    """What cannot stand in a header is not taken for a token."""
    server = _csrf_server(token=token)
    server.run(put)
    assert "Prefect-Csrf-Token" not in server.requests[-1].headers


def test_csrf_is_not_used_for_cloud() -> None:
    """Cloud has no such route, so it is not asked."""
    server = FakeServer(ok(), target=Target(name="cloud", url=f"https://api.prefect.cloud/api/{WORKSPACE}"))
    server.run(put)
    assert len(server.requests) == 1


def test_other_failures_of_the_token_are_the_answer() -> None:
    """A server that denies the token denies the request."""
    assert isinstance(_csrf_server(token_status=401).fail(put), AccessDenied)
