"""Canonical JSON, digests and JSON Pointers."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from bundle.model import Reference, Secret
from bundle.record.canonical import encode, make_record, record_digest, sha256_hex
from bundle.record.pointers import join, replace, replace_all, resolve, split, walk

BODY: dict[str, Any] = {"a/b": {"~": [1, {"x": None}]}, "": "empty", "list": [], "0": {"1": "one"}}


def test_encoding_is_sorted_and_compact() -> None:
    """Keys are sorted by code point at every level, and there is no white space."""
    value = {"b": 1, "a": {"\U00010000": 2, "\uffff": 1, "é": [1.5, None, True]}}

    assert '{"a":{"é":[1.5,null,true],"\uffff":1,"\U00010000":2},"b":1}'.encode() == encode(value)


def test_digest_of_nothing_is_the_known_one() -> None:
    """Digests are SHA-256 in lower-case hex."""
    assert sha256_hex(b"") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def test_record_digest_is_over_the_canonical_record() -> None:
    """The digest is taken over the canonical JSON of all other fields."""
    expected = sha256_hex(b'{"body":{"a":null},"key":"flow:a","references":[],"secrets":[]}')

    assert expected == record_digest("flow:a", {"a": None}, (), ()) == make_record("flow:a", {"a": None}, [], []).digest


def test_record_orders_references_and_secrets() -> None:
    """The given order of references and secrets does not show in a record."""
    references = [
        Reference("/b", "flow:b"),
        Reference("/a", "flow:z", "name"),
        Reference("/a", "flow:y", "name"),
        Reference("/a", "flow:x", offset=2),
    ]
    secrets = [Secret("/d", "2", "string"), Secret("/c", "1", "string")]
    record = make_record("flow:a", {}, references, secrets)

    assert record == make_record("flow:a", {}, reversed(references), reversed(secrets))
    assert [reference.target for reference in record.references] == ["flow:y", "flow:z", "flow:x", "flow:b"]
    assert [secret.slot for secret in record.secrets] == ["1", "2"]


def test_ids_cut_at_one_place_keep_their_order() -> None:
    """Two ids that stood side by side go back in the order in which they stood."""
    references = [Reference("/a", "flow:z"), Reference("/a", "flow:a")]

    assert tuple(references) == make_record("flow:x", {}, references, []).references


def test_join_escapes_and_split_undoes_it() -> None:
    """Tokens with a slash or a tilde survive a pointer."""
    assert join("a/b", "~", 0, "") == "/a~1b/~0/0/"
    assert split("/a~1b/~0/0/~01") == ["a/b", "~", "0", "~1"]
    assert split("") == []


@pytest.mark.parametrize(
    ("pointer", "expected"),
    [("", BODY), ("/a~1b/~0/1/x", None), ("/", "empty"), ("/0/1", "one"), ("/list", [])],
)
def test_resolve_finds_the_value(pointer: str, expected: Any) -> None:
    """A pointer leads through objects and lists, whatever their names."""
    assert expected == resolve(BODY, pointer)


@pytest.mark.parametrize(
    "pointer",
    ["a", "/none", "/list/0", "/list/-", "/a~1b/~0/01", "/a~1b/~0/-1", "/a~1b/~0/²", "//x", "/a~2b", "/~", "/0/1/0"],
)
def test_a_pointer_to_nothing_is_refused(pointer: str) -> None:
    """A pointer that leads nowhere, or is none, raises LookupError."""
    with pytest.raises(LookupError):
        resolve(BODY, pointer)
    with pytest.raises(LookupError):
        replace(BODY, pointer, 1)


def test_replace_leaves_the_body_alone() -> None:
    """Replacing copies along the path and shares the rest."""
    before = copy.deepcopy(BODY)
    after = replace(BODY, "/a~1b/~0/1/x", {"new": 1})

    assert before == BODY
    assert resolve(after, "/a~1b/~0/1/x/new") == 1
    assert after["0"] is BODY["0"]


def test_replace_all_applies_in_order() -> None:
    """Several replacements may share a path and build on one another."""
    before = copy.deepcopy(BODY)
    fresh = {"y": 1}
    after = replace_all(BODY, {"/a~1b/~0/0": 2, "/a~1b/~0/1": fresh, "/a~1b/~0/1/y": 3, "": {"z": [0]}, "/z/0": 4})

    assert after == {"z": [4]}
    assert before == BODY
    assert fresh == {"y": 1}
    assert replace_all(BODY, {}) is BODY


def test_walk_visits_everything_in_document_order() -> None:
    """Every container and leaf is visited once, with a pointer that leads to it."""
    visited = list(walk(BODY))

    assert [p for p, _ in visited[:6]] == ["", "/a~1b", "/a~1b/~0", "/a~1b/~0/0", "/a~1b/~0/1", "/a~1b/~0/1/x"]
    assert len(visited) == 10
    assert all(resolve(BODY, pointer) is value for pointer, value in visited)
