"""How long an import waits, and how often it tries."""

from __future__ import annotations

import pytest

from bundle.apply.control import Patience


def test_the_last_attempt_is_known() -> None:
    """There are as many attempts as tries, and only the last one says so."""
    assert list(Patience(tries=3).attempts()) == [False, False, True]
    assert list(Patience(tries=1).attempts()) == [True]


@pytest.mark.parametrize(("settle", "pause", "rounds"), [(10, 0.5, 20), (1, 1, 1), (0, 0.5, 1)])
def test_there_is_always_one_look(settle: float, pause: float, rounds: int) -> None:
    """The time to wait is spent in looks with pauses between, at least one."""
    assert Patience(settle, pause).rounds == rounds
