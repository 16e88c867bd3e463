"""Prefect's profiles: from a name to one server and how to reach it.

Reads the profiles file that Prefect itself uses, and resolves each profile
alone. Prefect lets environment variables win over a named profile and lets a
profile inherit what it lacks from the active one; with two profiles in one
run, that sends the key of one server to the other. So nothing comes from the
active profile, and nothing from the environment, unless the profile is named
``env``. The one exception is ``SSL_CERT_FILE``, which says whom this machine
trusts and is no credential.

Values that may be secret are held in ``SecretText`` and never quoted in a message.
"""

from __future__ import annotations

import difflib
import json
import math
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal
from urllib.parse import SplitResult, unquote, urlsplit

import msgspec

from bundle.errors import ProfileError

Settings = Mapping[str, Any]

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
    "PREFECT_CLIENT_CSRF_SUPPORT_ENABLED",
    "PREFECT_CLIENT_CUSTOM_HEADERS",
)
_EPHEMERAL_SETTINGS = ("PREFECT_SERVER_EPHEMERAL_ENABLED", "PREFECT_SERVER_ALLOW_EPHEMERAL_MODE")

_UUID = r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}"
_WORKSPACE = re.compile(rf"/accounts/({_UUID})/workspaces/({_UUID})")
_WORKSPACE_MISSPELT = re.compile(rf"/accounts?/({_UUID})/workspaces?/({_UUID})")
_CLOUD_API = "https://api.prefect.cloud/api"
_CLOUD_HOSTS = frozenset({"app.prefect.cloud", "api.prefect.cloud"})
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1", "0.0.0.0"})  # noqa: S104 - compared with, never bound

_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_KEY = re.compile(r"[\x21-\x7e]+")
_PRINTABLE = re.compile(r"[\x20-\x7e]+")
_TRUE = frozenset({"1", "true", "t", "yes", "y", "on"})
_FALSE = frozenset({"0", "false", "f", "no", "n", "off"})


class SecretText:
    """A text that shows itself only to ``reveal``: not in repr, str, a format or JSON."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The text itself, for the place that sends it."""
        return self._text

    def __repr__(self) -> str:
        return "SecretText(***)"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SecretText) and self._text == other._text

    def __hash__(self) -> int:
        return hash((SecretText, self._text))

    def __reduce__(self) -> str | tuple[Any, ...]:
        raise TypeError("a secret is not pickled")


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """One Prefect server and how to reach it.

    ``url`` is the API URL without user information and without a trailing
    slash. ``credentials`` is the API key for ``bearer``, and ``user:password``
    for ``basic``. ``ca_file`` None means the usual certificate authorities.
    """

    name: str
    url: str
    auth: Literal["none", "bearer", "basic"] = "none"
    credentials: SecretText | None = None
    headers: tuple[tuple[str, SecretText], ...] = ()
    verify: bool = True
    ca_file: str | None = None
    http2: bool = False
    timeout_seconds: float = 60.0
    csrf: bool = True

    @property
    def is_cloud(self) -> bool:
        """Whether the URL names a Cloud workspace; customer-managed Cloud has other hosts, but the same path."""
        return _WORKSPACE.search(urlsplit(self.url).path) is not None

    @property
    def host(self) -> str:
        """Host and port as in the URL, for messages."""
        return urlsplit(self.url).netloc


class Profiles(msgspec.Struct, frozen=True):
    """The profiles of one file, merged with the ones Prefect ships."""

    path: Path
    tables: Mapping[str, Settings]
    active: str | None = None

    def __repr__(self) -> str:
        return f"Profiles(path={str(self.path)!r}, names={sorted(self.tables)})"


def load_profiles(environ: Mapping[str, str], home: Path, cwd: Path) -> Profiles:
    """Read Prefect's profiles file; where there is none, only the profiles that Prefect ships are known.

    The places searched are Prefect's own: ``PREFECT_PROFILES_PATH`` in the
    environment, in ``.env``, ``profiles_path`` in ``prefect.toml`` and in
    ``pyproject.toml`` under ``[tool.prefect]``, then ``$PREFECT_HOME`` and ``~/.prefect``.

    Raises:
        ProfileError: the file cannot be read or is not the TOML that Prefect writes.
    """
    path = _profiles_path(environ, home, cwd)
    document = _read_toml(path)
    user = document.get("profiles", {})
    if not isinstance(user, dict) or not all(isinstance(table, dict) for table in user.values()):
        raise ProfileError(f"{path}: every profile must be a table [profiles.NAME]")
    tables = {name: {**PACKAGED.get(name, {}), **user.get(name, {})} for name in [*PACKAGED, *user]}
    active = document.get("active")
    return Profiles(path=path, tables=tables, active=active if isinstance(active, str) else None)


def resolve(profiles: Profiles, name: str, environ: Mapping[str, str]) -> Target:
    """Find the server that ``name`` stands for: a profile, an http(s) URL, or ``env``.

    ``env`` means the ``PREFECT_*`` variables of the environment, unless a
    profile has that name. A URL stands for itself, without credentials but its own.

    Raises:
        ProfileError: the profile is unknown, has no API URL, or a setting in it is wrong.
    """
    settings = _settings(profiles, name, environ)
    origin = "the environment" if settings is environ else f'profile "{_shown(name)}"'
    url, userinfo = _api_url(settings, origin)
    auth, credentials = _credentials(settings, origin, userinfo)
    return Target(
        name=_shown(name),
        url=url,
        auth=auth,
        credentials=credentials,
        headers=_headers(settings, origin),
        verify=not _flag(settings, "PREFECT_API_TLS_INSECURE_SKIP_VERIFY", origin, default=False),
        ca_file=_text(settings, "PREFECT_API_SSL_CERT_FILE") or environ.get("SSL_CERT_FILE") or None,
        http2=_flag(settings, "PREFECT_API_ENABLE_HTTP2", origin, default=False),
        timeout_seconds=_seconds(settings, "PREFECT_API_REQUEST_TIMEOUT", origin, default=60.0),
        csrf=_flag(settings, "PREFECT_CLIENT_CSRF_SUPPORT_ENABLED", origin, default=True),
    )


def ignored_environment(environ: Mapping[str, str]) -> tuple[str, ...]:
    """The variables that Prefect would let win over a named profile, and xfer does not."""
    return tuple(name for name in CONNECTION_SETTINGS if environ.get(name))


def same_server(a: Target, b: Target) -> bool:
    """Whether two targets are one environment, however their URLs are written.

    One Cloud workspace is one environment under any host. Other servers are
    compared by scheme, host, port and path; the names of this machine are equal.
    """
    return _identity(a.url) == _identity(b.url)


def url_hint(url: str) -> str | None:
    """What is probably wrong with an API URL that does not answer like one; None when it looks right."""
    parts = urlsplit(url)
    if parts.path.rstrip("/").endswith("/api") or _WORKSPACE.search(parts.path):
        return None
    return f"an API URL usually ends in /api: set PREFECT_API_URL to {parts.scheme}://{parts.netloc}/api"


def environment_proxy(environ: Mapping[str, str], url: str) -> SecretText | None:
    """The proxy that the standard variables name for ``url``; to be used only where someone asked for it.

    ``HTTP_PROXY`` in capitals is not read: in a CGI process the client of the web server sets it.
    """
    parts = urlsplit(url)
    bypassed = (environ.get("no_proxy") or environ.get("NO_PROXY") or "").split(",")
    if any(_is_under(parts.hostname or "", pattern.strip()) for pattern in bypassed):
        return None
    names = ("https_proxy", "HTTPS_PROXY") if parts.scheme == "https" else ("http_proxy",)
    found = next((environ[name] for name in (*names, "all_proxy", "ALL_PROXY") if environ.get(name)), None)
    return SecretText(found) if found else None


def _is_under(host: str, pattern: str) -> bool:
    domain = pattern.removeprefix("*").removeprefix(".")
    return pattern == "*" or (domain != "" and (host == domain or host.endswith(f".{domain}")))


# -- Where the file is ------------------------------------------------------------------------------------------------


def _profiles_path(environ: Mapping[str, str], home: Path, cwd: Path) -> Path:
    named = (
        environ.get("PREFECT_PROFILES_PATH")
        or _dotenv_profiles_path(cwd / ".env")
        or _toml_profiles_path(cwd / "prefect.toml", ())
        or _toml_profiles_path(cwd / "pyproject.toml", ("tool", "prefect"))
    )
    prefect_home = environ.get("PREFECT_HOME")
    if named:
        return _absolute(named, home, cwd)
    return (_absolute(prefect_home, home, cwd) if prefect_home else home / ".prefect") / "profiles.toml"


def _absolute(text: str, home: Path, cwd: Path) -> Path:
    if text == "~" or text.startswith("~/"):
        return home / text[2:]
    return cwd / text


def _dotenv_profiles_path(path: Path) -> str | None:
    pattern = r"(?m)^\s*(?:export\s+)?PREFECT_PROFILES_PATH\s*=\s*(?:'([^'\n]*)'|\"([^\"\n]*)\"|([^\s#]*))"
    found = re.search(pattern, _read_text(path))
    return next(filter(None, found.groups()), None) if found else None


def _toml_profiles_path(path: Path, keys: tuple[str, ...]) -> str | None:
    table: Any = _read_toml(path)
    for key in keys:
        table = table.get(key) if isinstance(table, dict) else None
    value = table.get("profiles_path") if isinstance(table, dict) else None
    return value if isinstance(value, str) else None


def _read_text(path: Path) -> str:
    """The text of a file, empty where there is none."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise ProfileError(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        # Without its cause: the exception carries the bytes of the file.
        raise ProfileError(f"{path} is not UTF-8 text") from None


def _read_toml(path: Path) -> dict[str, Any]:
    text = _read_text(path)
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        # Without its cause: newer Pythons keep the whole document in the exception.
        place = re.search(r"at line (\d+), column (\d+)", str(error))
        line = place[1] if place else str(text.count("\n") + 1)
        raise ProfileError(f"{path}, line {line}: not valid TOML") from None
    except RecursionError:
        raise ProfileError(f"{path}: nested too deeply") from None


# -- One profile ------------------------------------------------------------------------------------------------------


def _settings(profiles: Profiles, name: str, environ: Mapping[str, str]) -> Settings:
    if name in profiles.tables:
        return profiles.tables[name]
    if name == ENVIRONMENT:
        return environ
    if re.match(r"https?://", name, re.IGNORECASE):
        return {"PREFECT_API_URL": name}
    raise _unknown_profile(profiles, name)


def _shown(name: str) -> str:
    """A name for messages: a URL given as a name may carry a password, and a token behind a question mark."""
    return re.sub(r"(?<=//).*@|[?#].*", "", name, flags=re.DOTALL) if "://" in name else name


def _unknown_profile(profiles: Profiles, name: str) -> ProfileError:
    known = sorted(profiles.tables)
    close = difflib.get_close_matches(name, known, n=1)
    guess = f'did you mean "{close[0]}"? ' if close else ""
    return ProfileError(
        f'unknown profile "{_shown(name).rpartition("@")[2]}"; {profiles.path} and Prefect know: {", ".join(known)}',
        hint=f'{guess}A URL, or "{ENVIRONMENT}" for the PREFECT_* variables, is also accepted',
    )


def _text(settings: Settings, name: str) -> str:
    """A setting as text, without the newline that files end in; empty where it is not set."""
    value = settings.get(name)
    if value is None:
        return ""
    text = json.dumps(value) if isinstance(value, bool | dict | list) else str(value)
    return text.removesuffix("\n").removesuffix("\r")


def _flag(settings: Settings, name: str, origin: str, *, default: bool) -> bool:
    text = _text(settings, name).strip().lower()
    if text in _TRUE | _FALSE:
        return text in _TRUE
    if text:
        raise ProfileError(f"{origin}: {name} is neither true nor false")
    return default


def _seconds(settings: Settings, name: str, origin: str, *, default: float) -> float:
    text = _text(settings, name).strip()
    try:
        value = float(text) if text else default
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise ProfileError(f"{origin}: {name} must be a number of seconds greater than 0") from None
    return value


def _credentials(
    settings: Settings, origin: str, userinfo: str
) -> tuple[Literal["none", "bearer", "basic"], SecretText | None]:
    """What to authenticate with; as in Prefect, the auth string wins over the key, and both over the URL."""
    if auth_string := _text(settings, "PREFECT_API_AUTH_STRING"):
        return "basic", _checked(auth_string, _PRINTABLE, "PREFECT_API_AUTH_STRING", origin)
    if key := _text(settings, "PREFECT_API_KEY"):
        return "bearer", _checked(key, _KEY, "PREFECT_API_KEY", origin)
    if userinfo:
        return "basic", _checked(userinfo, _PRINTABLE, "the user information in PREFECT_API_URL", origin)
    return "none", None


def _checked(text: str, pattern: re.Pattern[str], what: str, origin: str) -> SecretText:
    if pattern.fullmatch(text) is None:
        raise ProfileError(
            f"{origin}: {what} holds characters that cannot stand in an HTTP header",
            hint="copy it again: a line break or a space inside it is the usual cause",
        )
    return SecretText(text)


def _headers(settings: Settings, origin: str) -> tuple[tuple[str, SecretText], ...]:
    name = "PREFECT_CLIENT_CUSTOM_HEADERS"
    try:
        table = json.loads(_text(settings, name) or "{}")
    except (ValueError, RecursionError):
        table = None
    if not isinstance(table, dict) or not all(isinstance(value, str) for value in table.values()):
        raise ProfileError(f"{origin}: {name} must be a JSON object or table of texts") from None
    return tuple(_header(key, value, f"{name} in {origin}") for key, value in table.items())


def _header(name: str, value: str, origin: str) -> tuple[str, SecretText]:
    if _HEADER_NAME.fullmatch(name) is None:
        raise ProfileError(f"{origin}: a header name holds characters that are not allowed")
    return name, _checked(value.removesuffix("\n"), _PRINTABLE, f'the value of "{name}"', origin)


# -- URLs -------------------------------------------------------------------------------------------------------------


def _api_url(settings: Settings, origin: str) -> tuple[str, str]:
    """The API URL without user information, and the user information."""
    text = _text(settings, "PREFECT_API_URL").strip()
    if not text:
        raise _no_url(settings, origin)
    if re.match(r"https?://", text, re.IGNORECASE) is None:
        raise _no_scheme(text, origin)
    parts = _split(text, origin)
    userinfo = unquote(parts.netloc.rpartition("@")[0])
    url = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}".rstrip("/")
    if corrected := _corrected(url):
        raise ProfileError(
            f"{origin}: {url} is not an API URL of Prefect Cloud", hint=f"set PREFECT_API_URL to {corrected}"
        )
    return url, userinfo


def _split(text: str, origin: str) -> SplitResult:
    """The parts of a URL, after everything in it that could not be sent was refused.

    Without quoting it and without the cause: a malformed URL may carry a password anywhere.
    """
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError:
        raise ProfileError(f"{origin}: PREFECT_API_URL is not a valid URL") from None
    if not parts.hostname or re.search(r"[\x00-\x20\x7f-\uffff\\]", text):
        raise ProfileError(f"{origin}: PREFECT_API_URL is not a valid URL")
    if "?" in text or "#" in text:
        raise ProfileError(f"{origin}: PREFECT_API_URL must not have a query or a fragment")
    return parts


def _no_url(settings: Settings, origin: str) -> ProfileError:
    if any(_flag(settings, name, origin, default=False) for name in _EPHEMERAL_SETTINGS):
        return ProfileError(
            f"{origin} has no PREFECT_API_URL: it means a server that Prefect starts for each command",
            hint="start one for it (prefect server start) and give its URL, such as http://127.0.0.1:4200/api",
        )
    return ProfileError(
        f"{origin} has no PREFECT_API_URL",
        hint="set it: prefect --profile NAME config set PREFECT_API_URL=http://HOST:4200/api (Cloud: "
        f"{_CLOUD_API}/accounts/ACCOUNT-ID/workspaces/WORKSPACE-ID)",
    )


def _no_scheme(text: str, origin: str) -> ProfileError:
    bare = text.rpartition("://")[2].rpartition("@")[2]
    is_plain = re.fullmatch(r"[A-Za-z0-9.\[\]:/_~-]+", bare) is not None
    return ProfileError(
        f"{origin}: PREFECT_API_URL must begin with http:// or https://",
        hint=f"set it to http://{bare.lstrip('/')} or https://{bare.lstrip('/')}" if is_plain else None,
    )


def _corrected(url: str) -> str | None:
    """The right URL for the usual mistakes with Cloud; None for a URL that may be right."""
    parts = urlsplit(url)
    host = (parts.hostname or "").lower()
    workspace = _WORKSPACE_MISSPELT.search(parts.path)
    if host in _CLOUD_HOSTS:
        ids = workspace.groups() if workspace else ("ACCOUNT-ID", "WORKSPACE-ID")
        right = f"{_CLOUD_API}/accounts/{ids[0]}/workspaces/{ids[1]}"
        return None if workspace and url.lower() == right.lower() else right
    if workspace and not _WORKSPACE.search(parts.path):
        return f"{parts.scheme}://{parts.netloc}/api/accounts/{workspace[1]}/workspaces/{workspace[2]}"
    return None


def _identity(url: str) -> tuple[str, ...]:
    parts = urlsplit(url)
    if workspace := _WORKSPACE.search(parts.path):
        return ("cloud", workspace[1].lower(), workspace[2].lower())
    host = (parts.hostname or "").lower().rstrip(".")
    port = parts.port or (443 if parts.scheme == "https" else 80)
    return (parts.scheme, "localhost" if host in _LOOPBACK else host, str(port), parts.path.rstrip("/"))
