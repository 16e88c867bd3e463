"""The fake server notices when a write of xfer breaks one of its promises."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from support.environment import Canaries, Environment, when
from support.fake_prefect import RUN_HEADER, FakePrefect
from support.fake_prefect.promises import BROKEN
from support.offline import speaking_to

DAILY = {"schedule": {"cron": "@daily"}}
NOTHING = [{"type": "do-nothing"}]


@pytest.fixture(autouse=True)
def _judged_here() -> Iterator[None]:
    yield
    BROKEN.clear()


@pytest.fixture
def fake() -> FakePrefect:
    """A server with a flow, a secret, and an automation that is off."""
    fake = FakePrefect()
    with speaking_to(fake) as api:
        environment = Environment(api, Canaries())
        environment.flow("etl")
        environment.block("secret", "db", {"value": "live"})
        environment.automation("off", when(), NOTHING, enabled=False)
    return fake


def write(fake: FakePrefect, method: str, path: str, body: Any, run: str = "1") -> int:
    """The status of a write of xfer."""
    headers = {"User-Agent": "xfer/1", RUN_HEADER: run}
    with httpx.Client(base_url=fake.url, transport=fake.transport, headers=headers) as http:
        return http.request(method, path, json=body).status_code


def the(fake: FakePrefect, table: str, name: str) -> str:
    """The id of a row by its name."""
    return str(fake.rows(table, name=name)[0]["id"])


def test_an_automation_that_is_created_enabled_is_noticed(fake: FakePrefect) -> None:
    """An automation has to be disabled when it is created."""
    body = {"name": "a", "trigger": when(), "actions": NOTHING}
    with pytest.raises(AssertionError, match="created running"):
        write(fake, "POST", "/automations/", body)


def test_a_deployment_that_is_created_with_an_active_schedule_is_noticed(fake: FakePrefect) -> None:
    """A deployment has to be without active schedules when it is created."""
    body = {"name": "d", "flow_id": the(fake, "flows", "etl"), "schedules": [DAILY]}
    with pytest.raises(AssertionError, match="created running"):
        write(fake, "POST", "/deployments/", body)


def test_an_unfinished_automation_that_is_enabled_is_noticed(fake: FakePrefect) -> None:
    """What carries the mark has to stay disabled."""
    path = f"/automations/{the(fake, 'automations', 'off')}"
    body = {"name": "off", "trigger": when(), "actions": NOTHING, "description": "xfer:pending:0", "enabled": True}
    with pytest.raises(AssertionError, match="unfinished"):
        write(fake, "PUT", path, body)


def test_an_unfinished_deployment_that_gets_an_active_schedule_is_noticed(fake: FakePrefect) -> None:
    """What carries the mark gets schedules that are inactive until they are complete."""
    body = {"name": "d", "flow_id": the(fake, "flows", "etl"), "tags": ["xfer:pending:0"]}
    assert write(fake, "POST", "/deployments/", body) == 201
    path = f"/deployments/{the(fake, 'deployments', 'd')}"

    assert write(fake, "PATCH", path, {"schedules": [DAILY | {"active": False}]}) == 204
    with pytest.raises(AssertionError, match="scheduled"):
        write(fake, "PATCH", path, {"schedules": [DAILY]})


def test_a_creation_after_something_was_switched_on_is_noticed(fake: FakePrefect) -> None:
    """Once a run has switched something on, it may create nothing; another run may."""
    assert write(fake, "PATCH", f"/automations/{the(fake, 'automations', 'off')}", {"enabled": True}) == 204
    assert write(fake, "POST", "/variables/", {"name": "v", "value": 1}, run="2") == 201
    with pytest.raises(AssertionError, match="switched on"):
        write(fake, "POST", "/variables/", {"name": "w", "value": 1})


@pytest.mark.parametrize("value", ["xfer: this secret was not supplied: x", "", None, "another"])
def test_a_live_secret_that_is_written_over_is_noticed(fake: FakePrefect, value: Any) -> None:
    """A placeholder, nothing, or any value that was not supplied over a live secret is noticed."""
    path = f"/block_documents/{the(fake, 'block_documents', 'db')}"
    with pytest.raises(AssertionError, match="live secret"):
        write(fake, "PATCH", path, {"data": {"value": value}})


def test_what_is_allowed_is_not_noticed(fake: FakePrefect) -> None:
    """A supplied secret, a placeholder in an empty place, and whatever others do break no promise."""
    assert fake.promises is not None
    fake.promises.supplied = ("supplied",)
    path = f"/block_documents/{the(fake, 'block_documents', 'db')}"

    assert write(fake, "PATCH", path, {"data": {"value": "supplied"}}) == 204
    with speaking_to(fake) as api:
        api.patch(path, data={"value": "by somebody else"})
        api.create("/automations/", name="a", trigger=when(), actions=NOTHING)
    assert BROKEN == []


def test_a_broken_promise_is_not_forgotten(fake: FakePrefect) -> None:
    """Also when the exception is swallowed, the next write raises it again, and it is kept for the end of the test."""
    body = {"name": "a", "trigger": when(), "actions": NOTHING}
    for path, sent in (("/automations/", body), ("/variables/", {"name": "v", "value": 1})):
        with pytest.raises(AssertionError, match="created running"):
            write(fake, "POST", path, sent)

    assert BROKEN == ["created running"]
