"""The names of servers on the command line."""

from __future__ import annotations

from typing import Any

import pytest


def test_unknown_profile(shell: Any) -> None:
    """An unknown profile is wrong usage, and the hint has the nearest name."""
    ended = shell("export", "--from", "a-agan", "-o", "x.pxb")
    assert ended.code == 64
    assert 'hint: did you mean "a-again"?' in ended.err


def test_ignored_variables_are_named(shell: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection variable that has no effect is named in a warning, its value is not; ``env`` uses it."""
    monkeypatch.setenv("PREFECT_API_KEY", "canary")
    ended = shell("export", "--from", "a", "-o", "env.pxb")
    assert "xfer: warning: PREFECT_API_KEY ignored: a profile was named" in ended.err
    assert "canary" not in ended.err
    monkeypatch.setenv("PREFECT_API_URL", "http://a.test/api")
    assert "warning" not in shell("export", "--from", "env", "-o", "other.pxb").err
