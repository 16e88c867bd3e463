"""bundle.server.refusals: what a caller gets to see."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Iterable
from typing import Any

import httpx
import pytest

from bundle.errors import AccessDenied, PlanLimit, RequestRejected
from bundle.server.client import PrefectApi
from bundle.server.target import SecretText, Target
from support.fake_server import (
    CANARY,
    WORKSPACE,
    Answer,
    FakeServer,
    Step,
    create,
    get,
    ok,
    put,
    read,
    status,
)


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
