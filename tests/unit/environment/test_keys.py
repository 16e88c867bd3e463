"""A key for each resource, and the suffix that tells equal names apart."""

from __future__ import annotations

from typing import Any

import pytest

from bundle.environment.describe import Environment, describe
from bundle.environment.keys import identity, natural_key
from bundle.environment.read import Reading
from bundle.kinds import KINDS

TRIGGER = {"type": "event", "expect": ["a"]}


def automation(number: int, name: str = "ping", **more: Any) -> dict[str, Any]:
    identifier = f"00000000-0000-4000-8000-{number:012}"
    row = {"id": identifier, "created": f"2026-01-{number:02}", "name": name, "trigger": TRIGGER, "actions": []}
    return row | more


def described(*rows: dict[str, Any]) -> Environment:
    return describe(Reading({"automation": list(rows)}, {}), kinds={"automation": KINDS["automation"]})


def named(environment: Environment) -> dict[str, str]:
    """The key of each id's last digit."""
    return {identifier[-1]: key for identifier, key in environment.keys.items()}


def test_a_name_of_its_own_has_no_suffix() -> None:
    """Only names that several resources share get one."""
    assert list(described(automation(1), automation(2, "pong")).records) == ["automation:ping", "automation:pong"]


def test_equal_names_are_told_apart_by_content() -> None:
    """The suffix is a hash of the content, so it stays the same whatever else is there, and in whatever order."""
    one, other = automation(1), automation(2, description="other")
    keys = named(described(one, other))
    among_more = named(described(automation(3, description="a third"), other, one))
    assert keys["1"] != keys["2"]
    assert (among_more["1"], among_more["2"]) == (keys["1"], keys["2"])


def test_equal_content_is_told_apart_by_age() -> None:
    """Resources that nothing else tells apart are numbered, the oldest first."""
    keys = named(described(automation(2), automation(1)))
    assert keys["2"] == f"{keys['1']}.2"


def test_ids_and_keys_belong_together() -> None:
    """Each id has the key whose id it is, and the table is made once."""
    environment = described(automation(1), automation(2))
    assert {key: identifier for identifier, key in environment.keys.items()} == environment.ids
    assert environment.keys is environment.keys


@pytest.mark.parametrize(
    ("key", "natural"),
    [
        ("automation:ping~0123abcd", "automation:ping"),
        ("automation:ping~0123abcd.2", "automation:ping"),
        ("automation:a~~0123abcd", "automation:a~~0123abcd"),
        ("automation:ping~0123", "automation:ping~0123"),
        ("flow:etl~0123abcd", "flow:etl~0123abcd"),
        ("drone:etl~0123abcd", "drone:etl~0123abcd"),
    ],
)
def test_the_natural_key_has_no_suffix(key: str, natural: str) -> None:
    """The suffix goes where names need not be unique; a doubled tilde is part of a name."""
    assert (natural_key(key), identity(key)) == (natural, natural)


def test_without_a_name_the_content_is_the_identity() -> None:
    """The natural key of an anonymous block is one that all of its type share."""
    key = "block:secret/(anonymous)~0123abcd"
    assert (natural_key(key), identity(key)) == ("block:secret/(anonymous)", key)
