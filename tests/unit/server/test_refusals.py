"""bundle.server.refusals: what a caller gets to see."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Iterable
from typing import Any

import httpx
import pytest

from bundle.errors import AccessDenied, PlanLimit
from bundle.server.target import SecretText
from support.fake_server import (
    CANARY,
    Answer,
    FakeServer,
    create,
    get,
    ok,
    status,
)


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
    assert "bundle.server.client" in caplog.text


def test_log_line(caplog: pytest.LogCaptureFixture) -> None:
    """Each attempt is one line: method, path, status, time, attempt; the libraries below say nothing."""
    caplog.set_level(logging.DEBUG)
    FakeServer(status(503), ok()).run(lambda api: api.get("/flows/1?x=y"))
    lines = [record.getMessage() for record in caplog.records if record.name != "asyncio"]
    assert lines == ["GET /flows/1: 503, 0 ms, attempt 1", "GET /flows/1: 200, 0 ms, attempt 2"]


def test_a_proxy_that_wants_a_password_is_named() -> None:
    """A 407, and a refused tunnel, point at the variables of the proxy."""
    assert "https_proxy" in str(FakeServer(status(407)).fail(get).hint)
    assert "https_proxy" in str(FakeServer(httpx.ProxyError("407")).fail(get).hint)
