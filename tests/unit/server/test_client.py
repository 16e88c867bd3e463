"""bundle.server.client: what is sent, and what comes back."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx
import pytest

from bundle.errors import AccessDenied, Unreachable
from bundle.model import Api
from bundle.server.adaptive_limit import AdaptiveLimit, Limiter
from bundle.server.client import PrefectApi
from bundle.server.limits import ServerLimits
from bundle.server.responses import Sent
from bundle.server.retry import RetryPolicy
from bundle.server.target import SecretText, Target
from support.fake_server import (
    CANARY,
    URL,
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


def test_implements_the_seam() -> None:
    """The client is an Api as the model describes it."""
    api: Api = PrefectApi(Target(name="dev", url=URL))
    assert (api.url, api.is_cloud) == (URL, False)


def test_path_prefixes_work() -> None:
    """Paths are appended to the whole API URL, with the encoding of the caller."""
    server = FakeServer(ok())
    server.run(lambda api: api.get("/variables/name/a%2Fb?x=1"))
    assert str(server.requests[0].url) == URL + "/variables/name/a%2Fb?x=1"


def test_headers_of_a_write() -> None:
    """A write carries JSON with its length, the credentials, and who sent it."""
    server = FakeServer(ok(), auth="bearer", credentials=SecretText(CANARY))
    server.run(put)
    headers = server.requests[0].headers
    assert headers["authorization"] == f"Bearer {CANARY}"
    assert headers["user-agent"].startswith("xfer/")
    assert (headers["content-type"], headers["content-length"]) == ("application/json", "12")
    assert headers["accept-encoding"] == "gzip"


def test_write_without_a_body_sends_its_length() -> None:
    """A write without a body has length 0, which Cloud demands, and no content type."""
    server = FakeServer(httpx.Response(204))
    assert server.run(lambda api: api.write("POST", "/x", repeatable=True)) is None
    assert server.requests[0].headers["content-length"] == "0"
    assert "content-type" not in server.requests[0].headers


def test_basic_authentication_and_custom_headers() -> None:
    """Custom headers come last and may replace Authorization, but not what identifies or frames a request."""
    basic = FakeServer(ok(), auth="basic", credentials=SecretText("admin:p:w"))
    basic.run(get)
    assert basic.requests[0].headers["authorization"] == "Basic YWRtaW46cDp3"
    headers = {"AUTHORIZATION": "Custom 1", "User-Agent": "prefect/3", "content-length": "9", "X-One": "1"}
    custom = FakeServer(
        ok(),
        auth="bearer",
        credentials=SecretText("k"),
        headers=tuple((name, SecretText(value)) for name, value in headers.items()),
    )
    custom.run(get)
    seen = custom.requests[0].headers
    assert seen.get_list("authorization") == ["Custom 1"]
    assert seen["user-agent"].startswith("xfer/")
    assert (seen["x-one"], "content-length" in seen) == ("1", False)


def test_counts_what_was_sent() -> None:
    """Reads by POST count as reads, and every attempt counts."""
    server = FakeServer(status(503), ok(), ok(), ok())

    async def steps(api: PrefectApi) -> None:
        await get(api)
        await read(api)
        await put(api)

    server.run(steps)
    assert server.sent == Sent(reads=3, writes=1)


def _paged(objects: int, cap: int) -> FakeServer:
    def page(request: httpx.Request) -> httpx.Response:
        offset = json.loads(request.content)["offset"]
        return ok([{"id": number} for number in range(objects)][offset : offset + cap])

    return FakeServer(page)


@pytest.mark.parametrize(("objects", "cap", "pages"), [(450, 200, 3), (400, 200, 2), (7, 3, 3), (0, 200, 0)])
def test_pages_end_with_an_empty_one(objects: int, cap: int, pages: int) -> None:
    """Whatever the server's own limit is, all objects arrive, and only an empty page ends the listing."""
    server = _paged(objects, cap)
    result = server.run(everything)
    assert [item["id"] for page in result for item in page] == list(range(objects))
    assert len(server.requests) == pages + 1
    bodies = [json.loads(request.content) for request in server.requests]
    assert all(body.keys() == {"sort", "offset"} for body in bodies)


def test_endless_pages_are_refused() -> None:
    """A server that ignores the offset, never ends, or answers no list does not hold the client."""
    assert "same page over and over" in str(FakeServer(ok([1])).fail(everything))
    endless = FakeServer(*(ok([number]) for number in range(9)))
    assert "did not end after 3 pages" in str(endless.fail(everything, limits=ServerLimits(pages=3)))
    assert "a list" in str(FakeServer(ok({"results": []})).fail(everything))


def test_accepted_fields() -> None:
    """The OpenAPI document is read where the server has one; Cloud is not asked."""
    schema: dict[str, Any] = {"properties": {"name": {}}}
    document = {"paths": {"/flows/": {"post": {"requestBody": {"content": {"application/json": {"schema": schema}}}}}}}

    async def step(api: PrefectApi) -> tuple[str, ...] | None:
        accepted = await api.accepted_fields()
        return None if accepted is None else accepted.judge("POST", "/flows/", {"name": 1, "any": 1}).unknown

    assert FakeServer(ok(document)).run(step) == ("/any",)
    assert FakeServer(status(404)).run(step) is None
    cloud = FakeServer(ok(document), target=Target(name="c", url=f"https://api.prefect.cloud/api/{WORKSPACE}"))
    assert cloud.run(step) is None
    assert cloud.requests == []
    assert isinstance(FakeServer(status(401)).fail(step), AccessDenied)


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
