"""bundle.client: what is sent, what is sent again, and what a caller gets to see."""

from __future__ import annotations

import asyncio
import gzip
import io
import json
import logging
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from bundle.errors import AccessDenied, BundleError, PlanLimit, ProfileError, RequestRejected, Unreachable
from bundle.model import Api
from bundle.server.adaptive_limit import AdaptiveLimit, Throttle
from bundle.server.client import PrefectApi
from bundle.server.responses import Sent
from bundle.server.retry import RetryPolicy
from bundle.server.target import Retries, SecretText, Target

CANARY = "pnu_CANARY0123456789"
URL = "http://server.test:4200/prefix/api"
WORKSPACE = "accounts/11111111-2222-3333-4444-555555555555/workspaces/aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"

Answer = httpx.Response | Exception
Step = Callable[[PrefectApi], Awaitable[Any]]


class FakeServer:
    """Answers from a list, the last one for ever; keeps requests and the waits between them."""

    def __init__(self, *answers: Answer, target: Target | None = None, **settings: Any) -> None:
        self.answers = list(answers)
        self.requests: list[httpx.Request] = []
        self.waits: list[float] = []
        self.now = 0.0
        self.target = target or Target(name="dev", url=URL, **{"csrf": False, **settings})
        self.sent = Sent()

    def handle(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, httpx.ReadTimeout):
            self.now += self.target.timeout_seconds
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += seconds

    def run(self, step: Step, *, policy: RetryPolicy | None = None) -> Any:
        """Do one thing with a client of this server."""

        async def run() -> Any:
            api = PrefectApi(
                self.target,
                policy=policy,
                transport=httpx.MockTransport(self.handle),
                clock=lambda: self.now,
                sleep=self.sleep,
                jitter=lambda: 0.5,
            )
            async with api:
                try:
                    return await step(api)
                finally:
                    self.sent = api.sent

        return asyncio.run(run())

    def fail(self, step: Step, *, policy: RetryPolicy | None = None) -> BundleError:
        """Do one thing that must fail, and give the failure."""
        with pytest.raises(BundleError) as caught:
            self.run(step, policy=policy)
        return caught.value


def ok(value: Any = True, status: int = 200) -> httpx.Response:  # noqa: FBT002 - a JSON value
    return httpx.Response(status, json=value)


def status(code: int, body: Any = None, **headers: str) -> httpx.Response:
    return httpx.Response(code, json=body, headers={name.replace("_", "-"): value for name, value in headers.items()})


def coded(content: bytes, coding: str) -> httpx.Response:
    """An answer that is decoded only when the client reads it."""
    headers = {"content-encoding": coding, "content-length": str(len(content))}
    return httpx.Response(200, stream=httpx.ByteStream(content), headers=headers)


async def get(api: PrefectApi) -> Any:
    return await api.get("/health")


async def read(api: PrefectApi) -> Any:
    return await api.read("/flows/count", {})


async def create(api: PrefectApi) -> Any:
    return await api.write("POST", "/automations/", {"name": "a"}, repeatable=False)


async def put(api: PrefectApi) -> Any:
    return await api.write("PUT", "/saved_searches/", {"name": "a"}, repeatable=True)


async def everything(api: PrefectApi) -> list[list[Any]]:
    return [page async for page in api.pages("/flows/filter", {"sort": "CREATED_DESC", "limit": 5})]


REFUSED = httpx.ConnectError("no")
REFUSED.__cause__ = ConnectionRefusedError()
LOST = httpx.ReadError("lost")
STALL = httpx.ReadTimeout("stall")
BUSY = {"exception_message": "Service Unavailable"}


# -- What is sent -----------------------------------------------------------------------------------------------------


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


# -- Pages ------------------------------------------------------------------------------------------------------------


def _paged(objects: int, cap: int) -> FakeServer:
    server = FakeServer(ok())

    def handle(request: httpx.Request) -> httpx.Response:
        server.requests.append(request)
        offset = json.loads(request.content)["offset"]
        return ok([{"id": number} for number in range(objects)][offset : offset + cap])

    server.handle = handle  # type: ignore[method-assign]
    return server


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
    assert "did not end after 3 pages" in str(endless.fail(everything, policy=RetryPolicy(pages=3)))
    assert "a list" in str(FakeServer(ok({"results": []})).fail(everything))


# -- Retries ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("step", [get, read, everything, put])
@pytest.mark.parametrize(
    "fault",
    [
        REFUSED,
        LOST,
        httpx.ConnectTimeout("t"),
        httpx.ReadTimeout("t"),
        httpx.WriteError("w"),
        httpx.RemoteProtocolError("p"),
        *(status(code) for code in (408, 429, 500, 502, 503, 504)),
    ],
)
def test_what_may_be_repeated_is_repeated(step: Step, fault: Answer) -> None:
    """Reads and repeatable writes survive every passing fault."""
    server = FakeServer(fault, ok([]))
    server.run(step)
    assert len(server.requests) == 2
    assert len(server.waits) == 1


@pytest.mark.parametrize("fault", [REFUSED, httpx.ConnectTimeout("t"), status(408), status(429), status(503, BUSY)])
def test_an_unrepeatable_write_is_repeated_where_nothing_happened(fault: Answer) -> None:
    """A write that surely was not carried out is sent again."""
    server = FakeServer(fault, ok({"id": 1}))
    assert server.run(create) == {"id": 1}
    assert server.sent.writes == 2


@pytest.mark.parametrize(
    "fault",
    [
        LOST,
        httpx.ReadTimeout("t"),
        httpx.WriteError("w"),
        httpx.RemoteProtocolError("p"),
        *(status(code) for code in (500, 502, 503, 504)),
        status(503, {"detail": "upstream"}),
        httpx.Response(201, content=b'{"id": 1', headers={"content-type": "application/json"}),
        coded(b"(\xb5/\xfd", "zstd"),
        coded(b"not compressed", "gzip"),
    ],
)
def test_an_unrepeatable_write_is_not_repeated_where_it_may_have_happened(fault: Answer) -> None:
    """A write that may have been carried out is sent once, and the caller is told."""
    server = FakeServer(fault)
    error = server.fail(create)
    assert isinstance(error, Unreachable)
    assert error.maybe_done
    assert server.sent.writes == 1


@pytest.mark.parametrize("code", [400, 401, 403, 404, 405, 409, 422, 501])
def test_refusals_are_final(code: int) -> None:
    """A refusal is not retried and keeps its status."""
    server = FakeServer(status(code, {"detail": "no"}))
    error = server.fail(put)
    assert isinstance(error, RequestRejected)
    assert (error.status, len(server.requests)) == (code, 1)
    assert f"PUT /saved_searches/ on server.test:4200: {'access denied (' if code in {401, 403} else ''}status" in str(
        error
    )


def test_a_500_is_retried_once() -> None:
    """A second 500 is an answer, not a fault."""
    server = FakeServer(status(500, {"exception_message": "Internal Server Error"}))
    error = server.fail(get)
    assert isinstance(error, RequestRejected)
    assert (error.status, error.detail, len(server.requests)) == (500, "Internal Server Error", 2)


def test_an_outage_ends_in_unreachable() -> None:
    """Attempts are bounded, waits grow, and the error says what was seen."""
    server = FakeServer(status(502))
    error = server.fail(get)
    assert isinstance(error, Unreachable)
    assert str(error) == "GET /health on server.test:4200: status 502 after 12 attempts"
    assert server.waits == [0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0, 5.0, 5.0]
    assert not error.maybe_done


def test_a_busy_server_is_given_the_whole_budget() -> None:
    """A 503 means that SQLite was locked: it is tried again until the budget is used up."""
    server = FakeServer(status(503))
    error = server.fail(get)
    assert isinstance(error, Unreachable)
    assert 50 < sum(server.waits) <= 60


def test_a_repeated_write_that_ends_in_doubt_says_so() -> None:
    """When a repeatable write gets no answer at all, it may still have been carried out."""
    error = FakeServer(LOST).fail(put)
    assert isinstance(error, Unreachable)
    assert error.maybe_done


def test_a_wrong_url_is_not_tried_for_long() -> None:
    """A server that never answered is given three attempts."""
    server = FakeServer(REFUSED)
    assert "connection refused after 3 attempts" in str(server.fail(get))


def test_a_restart_is_waited_for() -> None:
    """A server that answered before may refuse connections for as long as the budget."""

    async def steps(api: PrefectApi) -> None:
        await get(api)
        await create(api)

    server = FakeServer(ok(), *[REFUSED] * 10, ok())
    server.run(steps)
    assert server.sent.writes == 11
    down = FakeServer(ok(), REFUSED)
    error = down.fail(steps)
    assert isinstance(error, Unreachable)
    assert (down.now <= 60, error.maybe_done) == (True, False)
    assert sum(down.waits) > 50


def test_a_stall_leaves_time_to_ask_again() -> None:
    """Two attempts without an answer in time, each as long as the budget, are followed by a third, and no more."""
    server = FakeServer(STALL, STALL, ok())
    server.run(get)
    assert len(server.requests) == 3
    silent = FakeServer(STALL)
    silent.fail(get)
    assert len(silent.requests) == 3


def test_maintenance_does_not_use_up_attempts() -> None:
    """A server in maintenance is waited for within the budget, however many attempts that takes."""
    server = FakeServer(*[status(503, Prefect_Maintenance="true")] * 10, ok())
    server.run(get)
    assert len(server.requests) == 11
    down = FakeServer(status(503, Prefect_Maintenance="true"))
    down.fail(get)
    assert 50 < down.now <= 60


DATE = "Sun, 22 Nov 2026 22:00:00 GMT"


@pytest.mark.parametrize(
    ("headers", "least", "most"),
    [
        ({"Retry_After": "7"}, 7, 8),
        ({"Retry_After": "0.5"}, 0.5, 1),
        ({"Retry_After": "Sun, 22 Nov 2026 22:00:30 GMT", "Date": DATE}, 30, 31),
        ({"Retry_After": "Sun, 22 Nov 2026 21:00:00 GMT", "Date": DATE}, 0, 1),
        ({"Retry_After": "Sun, 22 Nov 2026 22:00:30 GMT"}, 0, 1),
        ({"Retry_After": "999999"}, 120, 121),
        ({"Retry_After": "-5"}, 0, 1),
        ({"Retry_After": "nan"}, 0, 1),
        ({"Retry_After": "soon"}, 0, 1),
    ],
)
def test_retry_after_is_heeded(headers: dict[str, str], least: float, most: float) -> None:
    """A 429 is waited out as told, in seconds or until a date, up to two minutes; senseless values are ignored."""
    server = FakeServer(status(429, **headers), ok())
    server.run(get)
    assert least <= server.waits[0] <= most


def test_told_waits_of_a_429_are_not_an_outage() -> None:
    """A rate limit outlasts the outage budget, but not the attempts; a 503 does not."""
    limited = FakeServer(*[status(429, Retry_After="50")] * 4, ok())
    limited.run(get)
    assert limited.now > 200
    assert len(FakeServer(status(429, Retry_After="50")).fail(get).args) == 1
    down = FakeServer(status(503, Retry_After="50"))
    down.fail(get)
    assert len(down.requests) == 2


def test_the_retries_of_a_profile() -> None:
    """PREFECT_CLIENT_MAX_RETRIES means as long as Prefect would insist; 0 means one attempt, whatever the fault."""
    for fault in (status(502), status(503), status(429, Retry_After="1"), LOST, REFUSED):
        none = FakeServer(fault, retries=Retries(most=0))
        none.fail(get)
        assert len(none.requests) == 1
    few, many = (FakeServer(status(502), retries=Retries(most=most)) for most in (2, 7))
    few.fail(get)
    many.fail(get)
    assert 2 < few.now <= 6
    assert 200 <= many.now <= 254
    assert RetryPolicy.of(Target(name="dev", url=URL)) == RetryPolicy()


def test_the_jitter_of_a_profile() -> None:
    """PREFECT_CLIENT_RETRY_JITTER_FACTOR says how much the waits vary; 0 makes them exact."""
    exact = FakeServer(*[status(502)] * 3, ok(), retries=Retries(jitter=0.0))
    exact.run(get)
    assert exact.waits == [0.1, 0.2, 0.4]
    half = FakeServer(status(502), ok(), retries=Retries(jitter=0.5))
    half.run(get)
    assert half.waits == pytest.approx([0.075])


def test_further_codes_of_a_profile() -> None:
    """PREFECT_CLIENT_RETRY_EXTRA_CODES are tried again, but no write that the server may have carried out."""
    extra = Retries(codes=frozenset({404, 423}))
    for step in (get, put):
        server = FakeServer(status(404), status(423), ok(), retries=extra)
        server.run(step)
        assert len(server.requests) == 3
    once = FakeServer(status(423), ok(), retries=extra)
    assert isinstance(once.fail(create), RequestRejected)
    assert len(once.requests) == 1


def test_the_timeout_of_a_profile_is_not_cut_short() -> None:
    """A profile may wait for an answer longer than we would."""
    assert RetryPolicy.of(Target(name="dev", url=URL, timeout_seconds=600.0)).deadline_seconds == 1200.0


# -- CSRF -------------------------------------------------------------------------------------------------------------


def _csrf_server(*, refusals: int = 0, token_status: int = 200, token: Any = "t") -> FakeServer:
    server = FakeServer(ok(), csrf=True)
    left = refusals

    def handle(request: httpx.Request) -> httpx.Response:
        nonlocal left
        server.requests.append(request)
        if request.url.path.endswith("/csrf-token"):
            return status(token_status, {"token": token, "detail": "CSRF protection is disabled."})
        if request.method != "GET" and left > 0:
            left -= 1
            return status(403, {"detail": "Invalid CSRF token or client identifier."})
        return ok([])

    server.handle = handle  # type: ignore[method-assign]
    return server


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


# -- Bounds -----------------------------------------------------------------------------------------------------------


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
            assert api.throttle.limit == 1

    asyncio.run(run())


def test_reads_and_writes_are_bounded() -> None:
    """At most four reads, and as many writes as the throttle allows, are in flight."""
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
            target, transport=httpx.MockTransport(handle), throttle=Throttle(AdaptiveLimit(first=2))
        ) as api:
            await asyncio.gather(*(get(api) for _ in range(20)), *(put(api) for _ in range(8)))

    asyncio.run(run())
    assert most == {"GET": 4, "PUT": 2}


# -- Errors -----------------------------------------------------------------------------------------------------------


def test_validation_errors_of_prefect_3() -> None:
    """A 422 tells where and of what type the faults are, and neither values nor messages."""
    fault = {"type": "extra_forbidden", "loc": ["body", "tags", 0], "msg": CANARY, "input": CANARY}
    body = {"exception_message": CANARY, "exception_detail": [fault, "x", {"loc": 3}], "request_body": CANARY}
    error = FakeServer(status(422, body)).fail(put)
    assert isinstance(error, RequestRejected)
    assert error.fields == (("body.tags.0", "extra_forbidden"), ("", ""))
    assert error.detail == ""
    assert CANARY not in f"{error!r} {vars(error)}"


def test_validation_errors_of_older_servers() -> None:
    """The shape of pydantic 1, under detail, is understood too; a text is not a list of faults."""
    body = {"detail": [{"loc": ["body", "x"], "msg": "extra fields", "type": "value_error.extra"}]}
    error = FakeServer(status(422, body)).fail(put)
    assert isinstance(error, RequestRejected)
    assert error.fields == (("body.x", "value_error.extra"),)
    text = FakeServer(status(422, {"detail": "CSRF protection is disabled."})).fail(put)
    assert isinstance(text, RequestRejected)
    assert text.fields == ()


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        ({"detail": "Variable not found."}, "Variable not found."),
        ({"exception_message": "Object not found"}, "Object not found"),
        ({"detail": "red \x1b[31m\n" + "x" * 600}, "red  [31m " + "x" * 490),
        ({"detail": 7}, ""),
        (["detail"], ""),
    ],
)
def test_detail_is_the_servers_own_text(body: Any, detail: str) -> None:
    """Only texts are taken, printable and short."""
    error = FakeServer(status(404, body)).fail(get)
    assert isinstance(error, RequestRejected)
    assert error.detail == detail


@pytest.mark.parametrize(
    ("sent", "text", "is_kept"),
    [
        ({"name": "etl"}, "flow etl exists", True),
        ({"job_variables": {"env": {"TOKEN": CANARY}}}, f"Validation failed: '{CANARY}' is not of type", False),
        ({"value": [f"line\n{CANARY}"]}, f"'line\\n{CANARY}' is bad", False),
        ({"data": {"name": "opensesame"}}, "'opensesame' is bad", False),
        ({"value": 123456}, "123456 is too large", False),
        ({"value": CANARY + "x" * 1000}, f"{CANARY}... is too long", False),
        ({"description": "a flow that exists", "paused": True, "n": None}, "flow exists", True),
    ],
)
def test_detail_never_repeats_what_was_sent(sent: Any, text: str, is_kept: bool) -> None:  # noqa: FBT001 - a column
    """A text that holds a value of the request is dropped; its name alone may stand."""
    server = FakeServer(status(409, {"detail": text}))
    error = server.fail(lambda api: api.write("POST", "/x/", sent, repeatable=True))
    assert isinstance(error, RequestRejected)
    assert error.detail == (text if is_kept else "")


@pytest.mark.parametrize(
    ("text", "is_full"),
    [
        ("You have reached the maximum number of deployments", True),
        ("Your plan does not support hybrid work pools", False),
    ],
)
def test_limits_of_a_plan_are_told_from_denied_access(text: str, *, is_full: bool) -> None:
    """A 403 about a limit of the plan concerns one kind of object, not the access."""
    error = FakeServer(status(403, {"detail": text})).fail(create)
    assert isinstance(error, PlanLimit)
    assert (error.status, error.detail, error.is_full) == (403, text, is_full)
    assert "choose a higher plan" in error.hint


@pytest.mark.parametrize(
    "answer", [{"detail": [{"msg": "Maximum Number"}]}, {"exception_message": "maximum number of x"}]
)
def test_limits_of_a_plan_are_known_in_any_form(answer: Any) -> None:
    """The words count wherever they stand in the answer, and also where they repeat a value that was sent."""
    server = FakeServer(status(403, answer))
    error = server.fail(lambda api: api.write("POST", "/x/", {"description": "number of x"}, repeatable=True))
    assert isinstance(error, PlanLimit)
    assert error.detail == "the workspace holds as many of these as its plan allows"


@pytest.mark.parametrize(
    ("credentials", "hint"), [(SecretText("k"), 'credentials of profile "dev" were refused'), (None, "has no cred")]
)
def test_denied_access_names_the_profile(credentials: SecretText | None, hint: str) -> None:
    """A 401 says which profile's credentials are missing or refused."""
    server = FakeServer(status(401, {"exception_message": "Unauthorized"}), auth="bearer", credentials=credentials)
    error = server.fail(get)
    assert isinstance(error, AccessDenied)
    assert hint in str(error.hint)


CLOUD = Target(name="c", url=f"https://api.prefect.cloud/api/{WORKSPACE}")


async def delete(api: PrefectApi) -> Any:
    return await api.write("DELETE", "/flows/1", repeatable=True)


@pytest.mark.parametrize(
    ("target", "step", "attempts"),
    [(CLOUD, create, 8), (CLOUD, put, 8), (CLOUD, delete, 1), (CLOUD, get, 1), (CLOUD, read, 1), (None, create, 1)],
)
def test_cloud_may_not_find_yet_what_was_just_made(target: Target | None, step: Step, attempts: int) -> None:
    """A write to Cloud that finds nothing is tried again for some seconds, a deletion, a read and a server are not."""
    server = FakeServer(status(404), target=target)
    error = server.fail(step)
    assert isinstance(error, RequestRejected)
    assert (error.status, len(server.requests)) == (404, attempts)
    assert server.now < 10


def test_what_cloud_finds_late_is_done_once() -> None:
    """A creation that must not be repeated is repeated after a 404, since nothing was done."""
    server = FakeServer(status(404), status(404), ok({"id": "1"}), target=CLOUD)
    assert server.run(create) == {"id": "1"}
    assert len(server.requests) == 3


def test_a_request_that_is_too_large_is_called_so() -> None:
    """A 413 says what is wrong and what to do."""
    error = FakeServer(status(413)).fail(create)
    assert "the request is too large, status 413" in str(error)
    assert "smaller" in error.hint


def _faults() -> Iterable[Answer]:
    yield httpx.LocalProtocolError(f"Illegal header value b'Bearer {CANARY}'")
    yield httpx.ConnectError(CANARY)
    yield httpx.DecodingError(CANARY)
    for code in (200, 201, 302, 400, 401, 403, 404, 409, 422, 429, 500, 503):
        yield httpx.Response(code, text=f"<{CANARY}>", headers={"X": CANARY})
        if code >= 400:
            yield status(code, {"detail": f"bad {CANARY}", "request_body": CANARY, "exception_detail": [CANARY]})


@pytest.mark.parametrize("fault", list(_faults()))
def test_no_secret_in_errors_or_logs(fault: Answer, caplog: pytest.LogCaptureFixture) -> None:
    """Whatever goes wrong, no credential, header or body is in the error, its traceback, or any logger's output."""
    caplog.set_level(logging.DEBUG)
    server = FakeServer(
        fault, auth="basic", credentials=SecretText(f"admin:{CANARY}"), headers=(("X", SecretText(CANARY)),)
    )
    error = server.fail(lambda api: api.write("POST", "/x/?k=" + CANARY, {"value": CANARY}, repeatable=True))
    told = "".join(traceback.format_exception(error)) + f"{error!r} {error.hint} {vars(error)}"
    assert CANARY not in told
    assert CANARY not in caplog.text
    assert "bundle.client" in caplog.text


def test_log_line(caplog: pytest.LogCaptureFixture) -> None:
    """Each attempt is one line: method, path, status, time, attempt; the libraries below say nothing."""
    caplog.set_level(logging.DEBUG)
    FakeServer(status(503), ok()).run(lambda api: api.get("/flows/1?x=y"))
    lines = [record.getMessage() for record in caplog.records if record.name != "asyncio"]
    assert lines == ["GET /flows/1: 503, 0 ms, attempt 1", "GET /flows/1: 200, 0 ms, attempt 2"]


# -- What a server accepts --------------------------------------------------------------------------------------------


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


# -- Real connections -------------------------------------------------------------------------------------------------


@asynccontextmanager
async def _listening(*answers: bytes) -> AsyncIterator[tuple[str, list[int]]]:
    """A server on loopback that gives each request the next answer; yields its URL and the requests per connection."""
    left, connections = list(answers), list[int]()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        number = len(connections)
        connections.append(0)
        while left and await reader.read(65536):
            connections[number] += 1
            writer.write(left.pop(0))
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}/api", connections


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
