"""bundle.server.ephemeral: what a server of a profile without a URL is started with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bundle.server.ephemeral import hide
from bundle.server.profiles import resolve, same_server
from bundle.server.target import Ephemeral, SecretText
from support.fake_server import CANARY
from support.profiles import load, refusal_of, target_of


def _started(**settings: Any) -> dict[str, str]:
    """The variables that the server of a profile is started with."""
    found = target_of(PREFECT_API_URL=None, PREFECT_SERVER_EPHEMERAL_ENABLED=True, **settings).ephemeral
    assert found is not None
    return {name: value.reveal() for name, value in found.variables}


@pytest.mark.parametrize("name", ["PREFECT_SERVER_EPHEMERAL_ENABLED", "PREFECT_SERVER_ALLOW_EPHEMERAL_MODE"])
def test_ephemeral_mode_means_the_data_of_the_profile(home: Path, name: str) -> None:
    """A profile without a URL and with ephemeral mode on stands for the database in its own Prefect home."""
    (home / ".prefect" / "profiles.toml").write_text(f'[profiles.a]\n{name} = "true"\nPREFECT_HOME = "~/other"\n')
    profiles = load(home)
    own, usual = resolve(profiles, "a", {}), resolve(profiles, "ephemeral", {})
    assert own.url == f"sqlite:///{home}/other/prefect.db"
    assert usual.url == f"sqlite:///{home}/.prefect/prefect.db"
    assert usual.ephemeral == Ephemeral((("PREFECT_HOME", SecretText(f"{home}/.prefect")),), 120.0)
    elsewhere = resolve(load(home, {"PREFECT_HOME": str(home / "third")}), "ephemeral", {})
    assert elsewhere.url == f"sqlite:///{home}/third/prefect.db"
    assert not same_server(own, usual)
    assert same_server(usual, usual)


def test_a_url_wins_over_ephemeral_mode() -> None:
    """A profile with a URL uses it, whatever its ephemeral mode."""
    assert target_of(PREFECT_SERVER_EPHEMERAL_ENABLED=True).ephemeral is None


def test_a_started_server_gets_the_settings_of_its_profile() -> None:
    """Settings of the server go along, and no credentials for other servers, nor what would move or wake it."""
    database = "postgresql+asyncpg://me:pw@db.test/prefect"
    assert _started(
        PREFECT_API_DATABASE_CONNECTION_URL=database,
        PREFECT_SERVER_API_AUTH_STRING="u:p",
        PREFECT_SERVER_API_PORT=4200,
        PREFECT_SERVER_SERVICES_SCHEDULER_ENABLED=True,
        PREFECT_API_KEY=CANARY,
        PREFECT_CLIENT_CUSTOM_HEADERS={"X": CANARY},
        OTHER="x",
    ) == {
        "PREFECT_SERVER_API_AUTH_STRING": "u:p",
        "PREFECT_SERVER_DATABASE_CONNECTION_URL": database,
        "PREFECT_API_DATABASE_CONNECTION_URL": database,
        "PREFECT_HOME": ".prefect",
    }


def test_a_relative_database_is_where_the_user_is(home: Path) -> None:
    """The server runs elsewhere, so a database beside the user is named in full; absolute ones stay."""
    text = '[profiles.a]\nPREFECT_SERVER_ALLOW_EPHEMERAL_MODE = 1\nPREFECT_SERVER_DATABASE_CONNECTION_URL = "{}"\n'
    for url, place in (
        ("sqlite+aiosqlite:///here.db", f"sqlite:///{home}/cwd/here.db"),
        ("sqlite+aiosqlite:////srv/there.db?timeout=60", "sqlite:////srv/there.db"),
        ("postgresql+asyncpg://me:p@ss/w@db.test:5433/prefect", "postgresql://db.test:5433/prefect"),
    ):
        (home / ".prefect" / "profiles.toml").write_text(text.format(url))
        assert resolve(load(home), "a", {}).url == place


def test_a_database_in_parts() -> None:
    """Host, port and name of a PostgreSQL database may be set one by one."""
    parts = {"DRIVER": "postgresql+asyncpg", "HOST": "db.test", "NAME": "prefect", "PASSWORD": CANARY}
    settings: dict[str, Any] = {f"PREFECT_SERVER_DATABASE_{name}": value for name, value in parts.items()}
    target = target_of(PREFECT_API_URL=None, PREFECT_SERVER_EPHEMERAL_ENABLED=True, **settings)
    assert target.url == "postgresql://db.test:5432/prefect"
    assert CANARY not in repr(target)


@pytest.mark.parametrize(
    "url", ["sqlite+aiosqlite:///:memory:", "sqlite+aiosqlite:///file::memory:?cache=shared", "sqlite+aiosqlite://"]
)
def test_a_database_in_memory_is_refused(url: str) -> None:
    """What is written into a database in memory is lost with the command, so such a profile is no place to go."""
    error = refusal_of(
        PREFECT_API_URL=None, PREFECT_SERVER_EPHEMERAL_ENABLED=True, PREFECT_SERVER_DATABASE_CONNECTION_URL=url
    )
    assert "in memory" in str(error)


def test_what_a_started_server_says_is_shown_without_its_secrets() -> None:
    """Passwords of the database and other secrets do not come back in the text of a failure."""
    server = _started(
        PREFECT_SERVER_DATABASE_CONNECTION_URL=f"postgresql+asyncpg://me:{CANARY}@db.test/prefect",
        PREFECT_SERVER_API_AUTH_STRING="u:other secret",
        PREFECT_LOGGING_LEVEL="INFO",
    )
    text = f"INFO: cannot reach postgresql://me:{CANARY}@db.test with u:other secret"
    assert hide(text, server) == "INFO: cannot reach postgresql://me:***@db.test with ***"
