"""Prefect's profiles: from a name to one server and how to reach it.

Reads the profiles file that Prefect itself uses, and resolves each profile
alone. Prefect lets environment variables win over a named profile and lets a
profile inherit what it lacks from the active one; with two profiles in one
run, that sends the key of one server to the other. So nothing comes from the
active profile, and nothing from the environment, unless the profile is named
``env``. The one exception is ``SSL_CERT_FILE``, which says whom this machine
trusts and is not a credential.

Values that may be secret are held in ``SecretText`` and never quoted in a message.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from pathlib import Path

import msgspec

from bundle.errors import ProfileError
from bundle.server import ephemeral, urls
from bundle.server.credentials import credentials_of, headers_in, retries_of
from bundle.server.profile_files import absolute, prefect_home, profiles_path, read_toml
from bundle.server.settings import Settings, flag_of, seconds_of, text_of
from bundle.server.target import Ephemeral, SecretText, Target
from bundle.server.urls import api_url, identity

ENVIRONMENT = "env"
# What Prefect ships in prefect/settings/profiles.toml.
PACKAGED: Mapping[str, Settings] = {
    "ephemeral": {"PREFECT_SERVER_EPHEMERAL_ENABLED": "true"},
    "local": {"PREFECT_API_URL": "http://127.0.0.1:4200/api"},
    "test": {
        "PREFECT_SERVER_EPHEMERAL_ENABLED": "true",
        "PREFECT_SERVER_DATABASE_CONNECTION_URL": "sqlite+aiosqlite:///:memory:",
    },
    "cloud": {},
}
CONNECTION_SETTINGS = (
    "PREFECT_API_URL",
    "PREFECT_API_KEY",
    "PREFECT_API_AUTH_STRING",
    "PREFECT_API_TLS_INSECURE_SKIP_VERIFY",
    "PREFECT_API_SSL_CERT_FILE",
    "PREFECT_API_ENABLE_HTTP2",
    "PREFECT_API_REQUEST_TIMEOUT",
    "PREFECT_CLIENT_MAX_RETRIES",
    "PREFECT_CLIENT_RETRY_JITTER_FACTOR",
    "PREFECT_CLIENT_RETRY_EXTRA_CODES",
    "PREFECT_CLIENT_CSRF_SUPPORT_ENABLED",
    "PREFECT_CLIENT_CUSTOM_HEADERS",
)
_BOOT_SECONDS = 120.0


class Profiles(msgspec.Struct, frozen=True):
    """The profiles of one file, merged with the ones Prefect ships.

    ``own`` are the names that the file itself has. Paths in them are relative to
    ``home`` and ``cwd``; ``prefect_home`` is where a profile keeps its data
    unless it says otherwise.
    """

    path: Path
    tables: Mapping[str, Settings]
    active: str | None = None
    own: frozenset[str] = frozenset()
    home: Path = Path()
    cwd: Path = Path()
    prefect_home: Path = Path(".prefect")

    def __repr__(self) -> str:
        return f"Profiles(path={str(self.path)!r}, names={sorted(self.tables)})"


def load_profiles(environ: Mapping[str, str], home: Path, cwd: Path) -> Profiles:
    """Read Prefect's profiles file; without one, only the profiles that Prefect ships are known.

    Raises:
        ProfileError: the file cannot be read or is not the TOML that Prefect writes.
    """
    path = profiles_path(environ, home, cwd)
    document = read_toml(path)
    user = document.get("profiles", {})
    if not isinstance(user, dict) or not all(isinstance(table, dict) for table in user.values()):
        raise ProfileError(
            f"{path}: every profile must be a table [profiles.NAME]", hint="correct the file, or give a URL"
        )
    tables = {name: {**PACKAGED.get(name, {}), **user.get(name, {})} for name in [*PACKAGED, *user]}
    active = document.get("active")
    return Profiles(
        path=path,
        tables=tables,
        active=active if isinstance(active, str) else None,
        own=frozenset(user),
        home=home,
        cwd=cwd,
        prefect_home=prefect_home(environ.get("PREFECT_HOME"), home, cwd),
    )


def resolve(profiles: Profiles, name: str, environ: Mapping[str, str]) -> Target:
    """Find the server that ``name`` means: a profile, an http(s) URL, or ``env``.

    ``env`` means the ``PREFECT_*`` variables of the environment, unless a
    profile has that name. A URL has no credentials but those in it.

    Raises:
        ProfileError: the profile is unknown, has no API URL, or a setting in it is wrong.
    """
    settings = _settings(profiles, name, environ)
    origin = urls.ENVIRONMENT if settings is environ else f'profile "{shown(name)}"'
    server = _server_to_start(profiles, settings, origin)
    url, userinfo = (ephemeral.place(server), "") if server else api_url(text_of(settings, "PREFECT_API_URL"), origin)
    auth, credentials = credentials_of(settings, origin, userinfo)
    return Target(
        name=shown(name),
        url=url,
        auth=auth,
        credentials=credentials,
        headers=headers_in(settings, origin),
        verify=not flag_of(settings, "PREFECT_API_TLS_INSECURE_SKIP_VERIFY", origin, default=False),
        ca_file=text_of(settings, "PREFECT_API_SSL_CERT_FILE") or environ.get("SSL_CERT_FILE") or None,
        http2=flag_of(settings, "PREFECT_API_ENABLE_HTTP2", origin, default=False),
        timeout_seconds=seconds_of(settings, "PREFECT_API_REQUEST_TIMEOUT", origin, default=60.0),
        retries=retries_of(settings, origin),
        csrf=flag_of(settings, "PREFECT_CLIENT_CSRF_SUPPORT_ENABLED", origin, default=True),
        ephemeral=_ephemeral(server, settings, origin),
    )


def active_name(profiles: Profiles, environ: Mapping[str, str]) -> str:
    """The profile that Prefect itself would use; not used here unless it is named."""
    return environ.get("PREFECT_PROFILE") or profiles.active or "ephemeral"


def ignored_environment(environ: Mapping[str, str]) -> tuple[str, ...]:
    """The variables that Prefect would let win over a named profile, and xfer does not."""
    return tuple(name for name in CONNECTION_SETTINGS if environ.get(name))


def same_server(a: Target, b: Target) -> bool:
    """Whether two targets are one environment, however their URLs are written.

    One Cloud workspace is one environment under any host. Other servers are
    compared by scheme, host, port and path; the names of this machine are equal.
    """
    return identity(a.url) == identity(b.url)


def _settings(profiles: Profiles, name: str, environ: Mapping[str, str]) -> Settings:
    if name in profiles.tables:
        return profiles.tables[name]
    if name == ENVIRONMENT:
        return environ
    if re.match(r"https?://", name, re.IGNORECASE):
        return {"PREFECT_API_URL": name}
    raise _unknown_profile(profiles, name)


def shown(name: str) -> str:
    """A name for messages: a URL given as a name may carry a password, and a token behind a question mark."""
    return re.sub(r"(?<=//).*@|[?#].*", "", name, flags=re.DOTALL) if "://" in name else name


def _server_to_start(profiles: Profiles, settings: Settings, origin: str) -> dict[str, str]:
    """The variables of the server that Prefect would start for a profile; empty where the profile has an API URL."""
    is_enabled = any(flag_of(settings, name, origin, default=False) for name in ephemeral.ENABLED)
    if text_of(settings, "PREFECT_API_URL").strip() or not is_enabled:
        return {}
    named = text_of(settings, "PREFECT_HOME")
    prefect_home = absolute(named, profiles.home, profiles.cwd) if named else profiles.prefect_home
    texts = {name: text_of(settings, name) for name in settings}
    return ephemeral.variables(texts, origin, prefect_home, profiles.cwd)


def _ephemeral(server: Mapping[str, str], settings: Settings, origin: str) -> Ephemeral | None:
    if not server:
        return None
    hidden = tuple((name, SecretText(text)) for name, text in server.items())
    return Ephemeral(hidden, seconds_of(settings, ephemeral.TIMEOUT, origin, default=_BOOT_SECONDS))


def _unknown_profile(profiles: Profiles, name: str) -> ProfileError:
    known = sorted(profiles.tables)
    close = difflib.get_close_matches(name, known, n=1)
    url = urls.without_scheme(name)
    guess = f'did you mean "{close[0]}"? ' if close else f"did you mean {url}? " if url else ""
    return ProfileError(
        f'unknown profile "{shown(name).rpartition("@")[2]}"; {profiles.path} and Prefect know: {", ".join(known)}',
        hint=f'{guess}A URL, or "{ENVIRONMENT}" for the PREFECT_* variables, is also accepted',
    )
