"""bundle.trust.wire: the binary form of SSH has one spelling of each value."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundle.trust.wire import MalformedError, Reader, mpint, string, uint32, uint64


@given(st.integers(1, 2**600), st.binary(max_size=50), st.integers(0, 2**32 - 1), st.integers(0, 2**64 - 1))
def test_what_is_written_is_read(number: int, data: bytes, short: int, long: int) -> None:
    """Values come back as they were, and nothing is left over."""
    reader = Reader(mpint(number) + string(data) + uint32(short) + uint64(long))

    assert (reader.positive(), reader.string(), reader.uint32(), reader.uint64()) == (number, data, short, long)
    reader.end()


def test_numbers_are_as_in_rfc_4251() -> None:
    """The examples of RFC 4251, section 5."""
    assert mpint(0) == bytes.fromhex("00000000")
    assert mpint(0x9A378F9B2E332A7) == bytes.fromhex("0000000809a378f9b2e332a7")
    assert mpint(0x80) == bytes.fromhex("000000020080")


@pytest.mark.parametrize("spelling", ["00000000", "0000000100", "000000020001", "0000000180", "00000002ff01", "000000"])
def test_other_spellings_of_numbers_are_refused(spelling: str) -> None:
    """Zero, negative numbers, needless zeros and numbers that are cut short."""
    with pytest.raises(MalformedError):
        Reader(bytes.fromhex(spelling)).positive()


@pytest.mark.parametrize("data", [b"\0\0\0\2a", b"\0\0\0\1\n", b"\0\0\0\2\xc3\xa4", b"\xff" * 5])
def test_names_are_plain_text(data: bytes) -> None:
    """A name is whole, printable and ASCII."""
    with pytest.raises(MalformedError):
        Reader(data).text()


def test_nothing_may_be_left_over() -> None:
    """The end is the end."""
    with pytest.raises(MalformedError, match="behind its end"):
        Reader(b"x").end()
