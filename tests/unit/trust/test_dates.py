"""bundle.trust.dates: points in time as OpenSSH writes them."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from bundle.trust import dates
from bundle.trust.wire import MalformedError


@pytest.fixture
def berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine in Berlin."""
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("19700102Z", 86_400),
        ("20261125Z", 1_795_564_800),
        ("202611251530Z", 1_795_620_600),
        ("20261125153059z", 1_795_620_659),
        ("20261125153059UTC", 1_795_620_659),
        ("202611251530utc", 1_795_620_600),
    ],
)
def test_utc_is_the_same_everywhere(text: str, seconds: int) -> None:
    """Days, minutes and seconds, with ``Z`` or ``UTC``."""
    assert dates.read(text) == seconds


@pytest.mark.usefixtures("berlin")
def test_without_a_zone_it_is_local_standard_time() -> None:
    """As ssh-keygen, which does not look at summer time: noon in July is eleven in UTC."""
    assert dates.read("202601151200") == dates.read("202601151100Z")
    assert dates.read("202607151200") == dates.read("202607151100Z")


@pytest.mark.parametrize(
    "text",
    ["", "2026", "2026112", "202611251", "20261125 Z", "20261332Z", "20260230Z", "202611252460Z", "20261125T1530Z",
     "19700101Z", "00010101Z", "2026112५Z", "-2261125Z", "20261125ZZ", "20261125GMT", "20261125153060Z"],
)  # fmt: skip
def test_other_spellings_are_refused(text: str) -> None:
    """Days that do not exist, other forms, digits of other scripts, and what is not after 1970 began."""
    with pytest.raises(MalformedError):
        dates.read(text)


def test_times_are_written_in_utc() -> None:
    """For people; certificates that never end are written too."""
    assert dates.written(1_795_620_659) == "2026-11-25T15:30:59Z"
    assert dates.written(2**64 - 2) == "the year 10000"
