"""bundle.server.retry: what is sent again, and what is not."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from bundle.errors import RequestRejected, Unreachable
from bundle.server.client import PrefectApi
from bundle.server.retry import RetryPolicy
from bundle.server.target import Retries, Target
from support.fake_server import (
    BUSY,
    LOST,
    REFUSED,
    STALL,
    URL,
    WORKSPACE,
    Answer,
    FakeServer,
    Step,
    coded,
    create,
    everything,
    get,
    ok,
    put,
    read,
    status,
)


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
