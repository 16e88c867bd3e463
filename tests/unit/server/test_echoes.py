"""bundle.server.echoes: what of a server's own words a caller gets to see."""

from __future__ import annotations

from typing import Any

import pytest

from bundle.errors import RequestRejected
from bundle.server.target import SecretText
from support.fake_server import CANARY, FakeServer, get, put, status


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
    "settings",
    [
        {"auth": "bearer", "credentials": SecretText(CANARY)},
        {"auth": "basic", "credentials": SecretText(f"admin:{CANARY}")},
        {"headers": (("X-Token", SecretText(CANARY)),)},
    ],
)
def test_detail_never_repeats_our_credentials(settings: dict[str, Any]) -> None:
    """A text that holds the key, the password or a custom header is dropped, also for a request without a body."""
    error = FakeServer(status(404, {"detail": f"no account for {CANARY}"}), **settings).fail(get)
    assert isinstance(error, RequestRejected)
    assert error.detail == ""


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        (
            "for field 'env.A'. Failure reason: {CANARY} is not of type 'array', 'null'",
            ("env.A", "must be of type array, null"),
        ),
        (". Failure reason: 'x' is a required property", ("", "lacks a required member")),
        (
            " for field 'n'. Failure reason: CANARY is not valid under any of the given schemas",
            ("n", "fits none of the allowed forms"),
        ),
        (" for field 'n'. Failure reason: CANARY is less than CANARY", ("n", "does not conform to its schema")),
        (" for field 'n'. Failure reason: 1 is not of type 'CANARY'", ("n", "does not conform to its schema")),
    ],
)
def test_a_text_on_a_schema_tells_the_place_and_the_rule(text: str, fields: tuple[str, str]) -> None:
    """What a server writes around the value is told, and the value is not."""
    told = f"Error creating deployment: Validation failed {text.strip()}".replace("failed .", "failed.")
    error = FakeServer(status(422, {"detail": told.replace("CANARY", CANARY)})).fail(put)
    assert isinstance(error, RequestRejected)
    assert error.fields == (fields,)
    assert (error.detail, CANARY in error.explanation) == ("", False)
    assert error.names == frozenset()
