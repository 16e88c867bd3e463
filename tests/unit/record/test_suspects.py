"""Obvious secrets that no schema declares: what is found, what is not, and what is shown of them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundle.model import Record
from bundle.plan.execution_surface import surfaces
from bundle.record.canonical import make_record
from bundle.record.pointers import resolve
from bundle.record.secret_names import Told
from bundle.record.suspects import masked, suspects, told_at
from support.secrets_corpus import cases

CORPUS = list(cases())
PAGE = (Path(__file__).parents[3] / "docs" / "secrets.md").read_text()


def test_the_corpus_is_found_as_documented() -> None:
    """Of the corpus at least 95 % are found, with at most 2 % false alarms; docs/secrets.md has the very figures."""
    places = [(case, place) for case in CORPUS for place in case.secrets]
    found = sum(place in suspects(case.body) for case, place in places)
    alarms = sum(place not in case.secrets for case in CORPUS for place in suspects(case.body))
    with_secrets = sum(bool(case.secrets) for case in CORPUS)
    without = len(CORPUS) - with_secrets

    assert (with_secrets >= 200, without >= 400) == (True, True)
    assert found >= 0.95 * len(places)
    assert alarms <= 0.02 * without
    assert dict(re.findall(r"(?m)^\| (bodies .*|places .*|false .*) \| (.*) \|$", PAGE)) == {
        "bodies with secrets": str(with_secrets),
        "bodies without": str(without),
        "places found": f"{found} of {len(places)}",
        "false alarms": str(alarms),
    }


def test_no_found_secret_of_the_corpus_is_shown() -> None:
    """Of every value that is suspected, the secret part is hidden, and what is around it in a text can be read."""
    for case in CORPUS:
        shown = masked(case.body)
        for place in suspects(case.body).keys() & case.secrets.keys():
            text = resolve(shown, place)
            assert "***" in text
            assert not any(part in text for part in case.secrets[place])


def test_what_is_not_suspected_is_shown_as_it_is() -> None:
    """Nothing is changed in a body without suspects."""
    assert all(masked(case.body) == case.body for case in CORPUS if not suspects(case.body))


def test_only_the_secret_part_of_a_command_is_hidden() -> None:
    """All that runs can be read, behind a secret too."""
    command = (
        "psql postgres://etl:hunter2@db/dwh -c 'x' --token=abc1 && curl -H 'Authorization: Bearer abc123456' https://x"
    )
    assert masked(command) == (
        "psql postgres://etl:***@db/dwh -c 'x' --token=*** && curl -H 'Authorization: Bearer ***' https://x"
    )


def test_no_secret_of_the_corpus_is_in_the_execution_surface() -> None:
    """What would run is listed without the secrets in it."""
    for case in CORPUS:
        if set(case.secrets) <= suspects(case.body).keys():
            text = str(surfaces([_deployment(case.body)]).entries)
            assert not any(part in text for parts in case.secrets.values() for part in parts if len(part) > 3)


def _deployment(body: dict[str, Any]) -> Record:
    fields = {"name": "nightly", "flow_id": "", "job_variables": {"commands": _commands(body)}}
    return make_record("deployment:etl/nightly", {**fields, **body}, (), ())


def _commands(body: dict[str, Any]) -> list[str]:
    commands = body.get("data", {}).get("commands")
    return commands if isinstance(commands, list) else []


@pytest.mark.parametrize(
    ("body", "places"),
    [
        ({"name": "db_password", "value": 271828}, {"/value": "number"}),
        ({"name": "db_password", "value": True}, {}),
        ({"password": ["a1", "b2"]}, {"/password/0": "string", "/password/1": "string"}),
        ({"name": "DB-PASSWORD", "data": {"value": "x1"}}, {"/data/value": "string"}),
        ({"name": "db-password", "data": {"host": "db"}}, {}),
        ({"token": "********"}, {}),
    ],
)
def test_names_and_types(body: Any, places: dict[str, str]) -> None:
    """Numbers and lists under a telling name count, and the name of the resource does; the type of each is told."""
    assert suspects(body) == places


def test_names_around_a_place_tell_of_it() -> None:
    """A place is told of by its siblings, and by what is around it, whether or not there is a value."""
    body = {"env": [{"name": "DB_PASSWORD", "value": "x"}], "secrets": {}}
    assert told_at(body, "/env/0/value") is Told.ALL
    assert told_at(body, "/env/0/name") is Told.NOTHING
    assert told_at(body, "/secrets/any") is Told.ALL
    assert told_at(None, "/a/password/0") is Told.ALL


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from(["[{", '{"a":', "-p", "://:"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text() | st.just("password"), inner, max_size=4),
    max_leaves=20,
)


@given(JSON)
def test_any_json_can_be_looked_at(value: Any) -> None:
    """Nothing raises, and what is shown has no suspects but those that are hidden already."""
    assert set(suspects(masked(value))) <= set(suspects(value))


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000, '"[' * 100_000])
def test_json_in_texts_is_bounded(text: str) -> None:
    """Text that begins like very deep JSON is a text like any other."""
    assert suspects({"a": text}) == {}


@pytest.mark.parametrize(
    "unit",
    ["x", "0a", "a+", "eyJ", "a://", "a://b:", "-----BEGIN ", "ghp_", "pw=", "pw=a ", "pw: ", "--token ", "mysql -p",
     "sshpass ", "login x password ", "docker login ", "key: ", "Bearer ", "$(", "/a"],
)  # fmt: skip
def test_a_long_text_costs_no_more_than_its_length(unit: str) -> None:
    """A quarter of a megabyte of what looks like the beginning of a secret, over and over, is read in one go."""
    text = unit * (250_000 // len(unit))
    assert suspects({"text": text}) in ({}, {"/text": "string"})
