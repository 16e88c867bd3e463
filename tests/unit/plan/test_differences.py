"""Where a record and what a destination has for it differ."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundle.model import Body, Placed, Reference, Secret
from bundle.plan.actions import Difference, MemberKey
from bundle.plan.differences import between, by_name, differences_of, is_within
from bundle.plan.intended import Intended, intend
from bundle.record.canonical import make_record

# Noncharacters of Unicode, which nobody types; a text may hold them all the same.
RARE = [chr(number) for number in range(0xFDD0, 0xFDF0)]


def variable(value: Any, *references: Reference, secrets: tuple[Secret, ...] = ()) -> Intended:
    """A variable of some value."""
    record = make_record("variable:v", {"name": "v", "value": value}, references, secrets)
    return intend([Placed(0, record)])[0]


def differences(ours: Intended, theirs: Intended, **pairs: str) -> list[Difference]:
    """Where two differ, of which the second one is the destination's."""
    return list(differences_of(ours, theirs.record, pairs, is_deep=False))


def test_equal_content_has_no_differences() -> None:
    """The same value and the same reference, by whatever key the destination knows it, are no difference."""
    ours = variable("", Reference("/value", "block:a"))
    theirs = variable("", Reference("/value", "block:b"))

    assert differences(ours, theirs, **{"block:a": "block:b"}) == []
    assert differences(ours, theirs) == [Difference("/value", "block:a", "block:b")]


def test_a_place_that_only_one_side_has_differs() -> None:
    """Where one side has nothing, None is in its place."""
    assert differences(variable({"a": 1}), variable({"b": 2})) == [
        Difference("/value/a", 1, None),
        Difference("/value/b", None, 2),
    ]


def test_numbers_and_booleans_are_not_equal() -> None:
    """1 and true are two values, though Python compares them as equal."""
    assert differences(variable({"a": 1}), variable({"a": True})) == [Difference("/value/a", 1, True)]


def test_what_is_secret_on_either_side_is_not_compared() -> None:
    """A secret compares by nothing: neither side knows the value of the other."""
    secret = (Secret("/value/password", "variable:v#/value/password", "string"),)

    assert differences(variable({"password": None}, secrets=secret), variable({"password": "x"})) == []
    assert differences(variable({"password": "x"}), variable({"password": None}, secrets=secret)) == []


def test_a_key_in_a_member_name_has_its_place() -> None:
    """The pointer of a difference has the key of the bundle, and says where, so that the destination's id fits in."""
    pointer = "/value/x-block:a~1b-y"
    ours = variable({"x-block:a/b-y": {"z": 1}}, Reference(pointer, "block:a/b", "member", 2))

    (found,) = differences(ours, variable({}))
    assert (found.pointer, found.bundle) == (pointer, {"z": 1})
    assert found.members == (MemberKey(1, 2, "block:a/b"),)
    assert found.at(lambda key: {"block:a/b": "id/~"}[key]) == "/value/x-id~1~0-y"


def test_several_keys_in_one_pointer_are_all_localized() -> None:
    """Each member name on the way has its own key, at its own place."""
    members = (MemberKey(0, 0, "block:a"), MemberKey(2, 1, "flow:f"))

    found = Difference("/block:a/plain/(flow:f)", 1, 2, members=members)

    assert found.at(lambda key: key.upper()) == "/BLOCK:A/plain/(FLOW:F)"


@pytest.mark.parametrize("rare", [RARE[0], "".join(RARE), "\x00"], ids=["one", "all", "nul"])
def test_a_text_is_never_taken_for_a_reference(rare: str) -> None:
    """Whatever a user's text holds, it differs from a reference, and is shown as it is."""
    ours = variable("", Reference("/value", "block:a"))
    for text in (f"{rare}block:a{rare}", *(f"{each}block:a{each}" for each in rare)):
        assert differences(ours, variable(text)) == [Difference("/value", "block:a", text)]
        assert differences(variable(text), ours) == [Difference("/value", text, "block:a")]
        assert by_name(ours) != by_name(variable(text))
        assert by_name(variable(text)) == by_name(variable(text))


@given(st.text(st.sampled_from([*RARE[:3], "a", ":"]), max_size=6), st.text(st.sampled_from(RARE[:3]), max_size=4))
def test_texts_differ_exactly_when_they_are_not_equal(one: str, other: str) -> None:
    """No character of a text is passed over, in values and in names of members alike."""
    assert differences(variable(one), variable(other)) == ([] if one == other else [Difference("/value", one, other)])
    assert bool(differences(variable({one: 1}), variable({other: 1}))) is (one != other)


def test_items_are_compared_one_by_one_if_they_are_the_same_ones() -> None:
    """Lists whose items have the same slugs, or none, differ item by item; else as a whole."""
    one: Body = {"l": [{"slug": "a", "x": 1}, {"slug": "b", "x": 1}]}
    assert [each.pointer for each in between(one, {"l": [{"slug": "a", "x": 1}, {"slug": "b", "x": 2}]})] == ["/l/1/x"]
    assert [each.pointer for each in between(one, {"l": [{"slug": "b", "x": 1}, {"slug": "a", "x": 1}]})] == ["/l"]


@pytest.mark.parametrize(
    ("pointer", "region", "expected"),
    [("/a", "/a", True), ("/a/b", "/a", True), ("/ab", "/a", False), ("/a", "/a/b", False)],
)
def test_within_means_the_place_or_below_it(pointer: str, region: str, *, expected: bool) -> None:
    """A pointer lies in a region by whole tokens."""
    assert is_within(pointer, region) is expected
