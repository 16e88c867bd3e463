"""The fake server answers what a real one answers, so that tests against the fake mean something."""

from __future__ import annotations

import httpx
import pytest

from bundle.server.process import Server
from conftest import PREFECT
from support.emulator import ABSENT, ADDED, KEY, Cloud
from support.fake_prefect import FIELDS, FakePrefect
from support.scenarios import SCENARIOS
from support.scenarios.talk import Talk


@pytest.mark.parametrize("name", SCENARIOS)
def test_fake_answers_like_a_server(name: str, destination_server: Server) -> None:
    """Each scenario gets the same answers from the fake and from a real server."""
    fake = FakePrefect(version=PREFECT)
    real = list(Talk(destination_server.url).run(SCENARIOS[name]))

    assert real == list(Talk(fake.url, fake.transport).run(SCENARIOS[name]))


@pytest.mark.parametrize("name", SCENARIOS)
def test_an_emulated_workspace_answers_like_a_server(name: str, destination_server: Server) -> None:
    """But for what Cloud lacks and adds, each scenario gets the same answers from the emulated Cloud as well."""
    scenario = [ask for ask in SCENARIOS[name] if not ask.path.startswith(ABSENT) and "metric" not in str(ask.body)]
    fake = FakePrefect()
    with Cloud(destination_server.url) as cloud:
        emulated = list(Talk(cloud.url, key=KEY, without=ADDED).run(scenario))

    assert emulated == list(Talk(fake.url, fake.transport, without=ADDED).run(scenario))


def test_every_body_of_the_fake_is_compared() -> None:
    """Each route of the fake that takes a body is written to, with success, in some scenario."""
    written: set[str] = set()
    for scenario in SCENARIOS.values():
        fake = FakePrefect()
        list(Talk(fake.url, fake.transport).run(scenario))
        written |= {seen.route for seen in fake.writes if seen.status < httpx.codes.BAD_REQUEST}

    assert FIELDS.keys() <= written
