"""What a receipt says of whose a resource is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bundle.errors import BundleError
from bundle.operations.receipt import PreImage, Receipt, read
from bundle.record.canonical import encode
from support.by_hand import record

A, B, C = (record(f"variable:{name}", {"name": name, "value": 1}) for name in "abc")


def head(version: str = "1.1") -> dict[str, str]:
    return {"xfer_receipt": version, "destination": "http://x/api", "content_digest": "d", "created": "2026-01-01"}


def make(*records: Any) -> list[dict[str, Any]]:
    return [{"make": each, "wave": 0} for each in records]


def receipt(path: Path, *lines: Any, rest: bytes = b"") -> Receipt:
    """What is read of a file with some lines, and something after the last one."""
    path.write_bytes(b"".join(encode(line) + b"\n" for line in lines) + rest)
    return read(path)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "receipt"


def test_only_what_was_tried_is_ours(path: Path) -> None:
    """What was to be made and never tried is not in the receipt; what was made has its id."""
    found = receipt(path, head(), *make(A, B, C), {"trying": A.key}, {"made": A.key, "id": "1"}, {"trying": B.key})

    assert [each.record for each in found.to_make] == [A, B]
    assert found.made == {A.key: "1"}


def test_what_somebody_else_made_is_not_ours(path: Path) -> None:
    """A creation that turned out to be another's takes the resource out, whatever was noted before."""
    lines = {"trying": A.key}, {"made": A.key, "id": "1"}, {"made": A.key, "id": None}, {"trying": B.key}
    found = receipt(path, head(), *make(A, B), *lines)

    assert ([each.key for each in found.to_make], found.made) == ([B.key], {})


def test_what_was_completed_is_ours(path: Path) -> None:
    """A resource that an earlier run began is taken up without being tried, and has an id all the same."""
    found = receipt(path, head(), *make(A, B), {"made": A.key, "id": "1"})

    assert ([each.key for each in found.to_make], found.made) == ([A.key], {A.key: "1"})


def test_older_receipts_may_have_tried_everything(path: Path) -> None:
    """Version 1.0 had no ``trying``: all that was to be made may be ours, but what was another's."""
    found = receipt(path, head("1.0"), *make(A, B), {"made": B.key, "id": None})

    assert [each.key for each in found.to_make] == [A.key]


def test_newer_minor_versions_are_read(path: Path) -> None:
    """Fields that are not known yet are passed over."""
    assert receipt(path, {**head("1.9"), "new": 1}, *make(A), {"trying": A.key, "at": 5}).to_make


def test_what_was_changed_is_as_it_was(path: Path) -> None:
    """A pre-image has the record before, and for an update the places and the record after."""
    change = {"change": A, "id": "1", "fields": ["value"], "places": ["/value"], "became": B}

    assert receipt(path, head(), change).changes == (PreImage(A, "1", ("value",), ("/value",), B),)


def test_a_line_that_was_cut_off_is_passed_over(path: Path) -> None:
    """A process that was killed while it wrote leaves a receipt that can be used."""
    found = receipt(path, head(), *make(A), {"trying": A.key}, rest=b'{"made": "variable:a", "i')

    assert [each.key for each in found.to_make] == [A.key]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"", "not a receipt"),
        (b"{}\n", "not a receipt"),
        (b"[1]\n", "not a receipt"),
        (encode(head("2.0")) + b"\n", "a receipt of version 2.0 needs a newer xfer"),
        (encode(head()) + b"\n{}\n\n", "a line is damaged"),
        (encode(head()) + b"\nnonsense\n\n", "a line is damaged"),
        (encode(head()) + b'\n{"made": 1, "id": 2}\n\n', "a line is damaged"),
    ],
    ids=["empty", "no fields", "a list", "newer", "no known line", "no JSON", "other types"],
)
def test_what_is_no_receipt_is_refused(path: Path, text: bytes, message: str) -> None:
    """Nothing is guessed of a file that is not whole, or of another version."""
    path.write_bytes(text)

    with pytest.raises(BundleError, match=message):
        read(path)


def test_a_receipt_that_is_not_there_is_named(path: Path) -> None:
    """The message has the name and the reason."""
    with pytest.raises(BundleError, match=r"receipt: cannot be read: no such file"):
        read(path)
