"""The names of servers on the command line."""

from __future__ import annotations

import json
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
    assert "ignored" not in shell("export", "--from", "env", "-o", "other.pxb").err


@pytest.mark.parametrize(
    ("settings", "is_warned"),
    [
        ({"PREFECT_API_URL": "http://a.test/api", "PREFECT_API_KEY": "canary"}, True),
        ({"PREFECT_API_URL": "http://a.test/api", "PREFECT_API_AUTH_STRING": "u:canary"}, True),
        (
            {
                "PREFECT_API_URL": "http://a.test/api",
                "PREFECT_CLIENT_CUSTOM_HEADERS": '{"Authorization": "Basic canary"}',
            },
            True,
        ),
        ({"PREFECT_API_URL": "http://a.test/api"}, False),
        ({"PREFECT_API_URL": "https://b.test/api", "PREFECT_API_KEY": "canary"}, False),
        ({"PREFECT_API_URL": "http://127.0.0.1:4200/api", "PREFECT_API_AUTH_STRING": "u:canary"}, False),
    ],
)
def test_credentials_in_clear_are_warned_of(
    shell: Any, monkeypatch: pytest.MonkeyPatch, settings: dict[str, str], *, is_warned: bool
) -> None:
    """Credentials that go over plain http to another machine are warned of once, in JSON too; it goes on."""
    for name, value in settings.items():
        monkeypatch.setenv(name, value)

    ended = shell("export", "--from", "env", "-o", "env.pxb", "--json")

    assert ended.err.count("sent unencrypted to a.test (http://)") == is_warned
    assert sum("unencrypted" in each for each in json.loads(ended.out)["warnings"]) == is_warned
    assert "canary" not in ended.err + ended.out
