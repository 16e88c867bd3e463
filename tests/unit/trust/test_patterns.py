"""bundle.trust.patterns: OpenSSH's lists of patterns."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundle.trust import patterns
from bundle.trust.wire import MalformedError


@pytest.mark.parametrize(
    ("text", "list_", "is_match"),
    [
        ("alice", "alice", True),
        ("alice", "Alice", False),
        ("alice", "alic", False),
        ("alice", "*", True),
        ("alice", "a*e", True),
        ("alice", "a**e", True),
        ("ae", "a*e", True),
        ("ae", "a?e", False),
        ("abe", "a?e", True),
        ("ab", "a*b*b", False),
        ("abb", "a*b*b", True),
        ("alice", "bob,alice", True),
        ("alice", "*,!alice", False),
        ("alice", "!alice,*", False),
        ("bob", "*,!alice", True),
        ("bob", "!alice", False),
        ("a.c", "a.c", True),
        ("abc", "a.c", False),
        ("a\nb", "a*b", True),
        ("ä", "??", True),
        ("ä", "?", False),
        ("", "*", True),
    ],
)
def test_lists_match_as_in_openssh(text: str, list_: str, is_match: bool) -> None:  # noqa: FBT001
    """Stars, question marks, negation, the whole text, upper and lower case, and bytes instead of characters."""
    assert patterns.matches(text, list_) == is_match


def simple(text: str, pattern: str) -> bool:
    """The same in the most simple way."""
    if not pattern:
        return not text
    if pattern[0] == "*":
        return any(simple(text[start:], pattern[1:]) for start in range(len(text) + 1))
    return bool(text) and pattern[0] in {"?", text[0]} and simple(text[1:], pattern[1:])


@given(st.text("ab", max_size=8), st.text("ab*?", max_size=7).filter(bool))
def test_patterns_match_as_the_simple_way(text: str, pattern: str) -> None:
    """Not taking back the first match loses no match."""
    assert patterns.matches(text, pattern) == simple(text, pattern)


def test_a_hostile_pattern_takes_no_time() -> None:
    """Many stars against a long text end in a moment."""
    start = time.process_time()

    assert not patterns.matches("a" * 5000, "*a" * 400 + "b")
    assert time.process_time() - start < 2


@pytest.mark.parametrize("list_", ["", "a,", ",a", "a,,b", "!", "a,!", "a" * 1023])
def test_empty_and_endless_patterns_are_refused(list_: str) -> None:
    """OpenSSH would quietly match nothing."""
    with pytest.raises(MalformedError):
        patterns.check(list_)


def test_names_of_a_list_are_those_that_it_matches() -> None:
    """Patterns are no names, and neither is what is also excluded."""
    assert patterns.literals("alice,*@b,bob,!bob,alice,c?d") == ("alice",)
