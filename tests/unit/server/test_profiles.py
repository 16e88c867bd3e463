"""bundle.profiles: each profile is read as Prefect writes it, and resolved alone."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import msgspec
import pytest

from bundle.errors import ProfileError
from bundle.server.ephemeral import hide
from bundle.server.profiles import Profiles, ignored_environment, load_profiles, resolve, same_server
from bundle.server.proxies import environment_proxy
from bundle.server.target import Ephemeral, Retries, SecretText, Target
from bundle.server.urls import is_this_machine, segment, url_hint

CANARY = "pnu_CANARY0123456789"
A, W = "11111111-2222-3333-4444-555555555555", "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"
CLOUD = f"https://api.prefect.cloud/api/accounts/{A}/workspaces/{W}"
URL = "http://server.test:4200/api"


def _profiles(**tables: dict[str, Any]) -> Profiles:
    return Profiles(path=Path("profiles.toml"), tables=tables)


def _target(environ: dict[str, str] | None = None, **settings: Any) -> Target:
    return resolve(_profiles(a={"PREFECT_API_URL": URL, **settings}), "a", environ or {})


def _refusal(**settings: Any) -> ProfileError:
    with pytest.raises(ProfileError) as caught:
        _target(**settings)
    return caught.value


def _load(home: Path, environ: dict[str, str] | None = None) -> Profiles:
    return load_profiles(environ or {}, home, home / "cwd")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "cwd").mkdir()
    (tmp_path / ".prefect").mkdir()
    return tmp_path


def _write(path: Path, name: str = "found") -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(f'active = "{name}"\n[profiles.{name}]\nPREFECT_API_URL = "{URL}"\n')


# -- Where the file is ------------------------------------------------------------------------------------------------


def test_without_a_file_the_packaged_profiles_are_known(home: Path) -> None:
    """Where there is no profiles file, the four profiles that Prefect ships are known."""
    profiles = _load(home)
    assert sorted(profiles.tables) == ["cloud", "ephemeral", "local", "test"]
    assert resolve(profiles, "local", {}).url == "http://127.0.0.1:4200/api"


@pytest.mark.parametrize("text", ["PREFECT_PROFILES_PATH=p.toml", 'export PREFECT_PROFILES_PATH="p.toml" # x'])
def test_path_from_dotenv(home: Path, text: str) -> None:
    """A .env file in the working directory may name the profiles file."""
    (home / "cwd" / ".env").write_text(f"OTHER=1\n{text}\n")
    _write(home / "cwd" / "p.toml")
    assert "found" in _load(home).tables


@pytest.mark.parametrize(
    ("name", "text"),
    [("prefect.toml", 'profiles_path = "p.toml"'), ("pyproject.toml", '[tool.prefect]\nprofiles_path = "p.toml"')],
)
def test_path_from_toml(home: Path, name: str, text: str) -> None:
    """prefect.toml and pyproject.toml in the working directory may name the profiles file."""
    (home / "cwd" / name).write_text(text)
    _write(home / "cwd" / "p.toml")
    assert "found" in _load(home).tables


def test_order_of_the_places(home: Path) -> None:
    """The environment wins over .env, that over prefect.toml, pyproject.toml, PREFECT_HOME and the home."""
    cwd = home / "cwd"
    for place in ("one", "two", "three", "four"):
        _write(home / f"{place}.toml", place)
    _write(home / "elsewhere" / "profiles.toml", "five")
    _write(home / ".prefect" / "profiles.toml", "six")
    (cwd / ".env").write_text("PREFECT_PROFILES_PATH=~/two.toml")
    (cwd / "prefect.toml").write_text('profiles_path = "~/three.toml"')
    (cwd / "pyproject.toml").write_text('tool.prefect.profiles_path = "~/four.toml"')
    environ = {"PREFECT_PROFILES_PATH": "~/one.toml", "PREFECT_HOME": str(home / "elsewhere")}
    seen = [_load(home, environ).active]
    del environ["PREFECT_PROFILES_PATH"]
    for name in (".env", "prefect.toml", "pyproject.toml"):
        seen.append(_load(home, environ).active)
        (cwd / name).unlink()
    seen += [_load(home, environ).active, _load(home).active]
    assert seen == ["one", "two", "three", "four", "five", "six"]


def test_profile_named_like_a_packaged_one_merges(home: Path) -> None:
    """A profile named like a packaged one keeps what it does not set itself."""
    (home / ".prefect" / "profiles.toml").write_text('[profiles.local]\nPREFECT_API_KEY = "k"\n')
    target = resolve(_load(home), "local", {})
    assert (target.url, target.auth) == ("http://127.0.0.1:4200/api", "bearer")


@pytest.mark.parametrize(
    "text", [f'[profiles.a]\n\nPREFECT_API_KEY = "{CANARY}\n', f"[profiles.a]\nx = 1\nPREFECT_API_KEY = {CANARY}"]
)
def test_broken_file_names_its_line(home: Path, text: str) -> None:
    """A file that is not TOML is refused with the line, and without what stands in it."""
    (home / ".prefect" / "profiles.toml").write_text(text)
    with pytest.raises(ProfileError, match=r"profiles.toml, line 3: not valid TOML") as caught:
        _load(home)
    assert CANARY not in repr(caught.value)


@pytest.mark.parametrize("data", [b"profiles = 1", b"[profiles]\na = 1", b"\xff\xfe"])
def test_strange_files_are_refused(home: Path, data: bytes) -> None:
    """A file of another shape or encoding is refused by name."""
    (home / ".prefect" / "profiles.toml").write_bytes(data)
    with pytest.raises(ProfileError, match=r"profiles\.toml"):
        _load(home)


def test_unreadable_file(home: Path) -> None:
    """A path that cannot be read as a file is refused with the system's reason."""
    (home / ".prefect" / "profiles.toml").mkdir()
    with pytest.raises(ProfileError, match=r"cannot be read: Is a directory"):
        _load(home)


# -- Isolation --------------------------------------------------------------------------------------------------------


def test_nothing_leaks_from_the_environment_or_the_active_profile() -> None:
    """A profile with only a URL has no credentials, whatever the environment and the active profile hold."""
    profiles = Profiles(
        path=Path("p"),
        tables={"on": {"PREFECT_API_URL": CLOUD, "PREFECT_API_KEY": CANARY}, "a": {"PREFECT_API_URL": URL}},
        active="on",
    )
    environ = {"PREFECT_API_URL": CLOUD, "PREFECT_API_KEY": CANARY, "PREFECT_CLIENT_CUSTOM_HEADERS": '{"X": "y"}'}
    assert resolve(profiles, "a", environ) == Target(name="a", url=URL)
    assert ignored_environment(environ) == tuple(environ)


def test_no_variable_is_ignored_where_none_is_set() -> None:
    """Empty and foreign variables are not reported."""
    assert ignored_environment({"PREFECT_API_URL": "", "PATH": "/bin"}) == ()


def test_env_means_the_environment() -> None:
    """The name env stands for the PREFECT_* variables, unless a profile has that name."""
    environ = {"PREFECT_API_URL": URL + "/", "PREFECT_API_KEY": CANARY + "\n"}
    assert resolve(_profiles(), "env", environ).url == URL
    assert resolve(_profiles(), "env", environ).credentials == SecretText(CANARY)
    assert resolve(_profiles(env={"PREFECT_API_URL": "http://other/api"}), "env", environ).url == "http://other/api"
    with pytest.raises(ProfileError, match="the environment has no PREFECT_API_URL"):
        resolve(_profiles(), "env", {})


def test_a_url_stands_for_itself() -> None:
    """A URL given as a name needs no profile and carries only its own user information."""
    target = resolve(_profiles(), f"http://admin:{CANARY}@h:4200/api/", {"PREFECT_API_KEY": "k"})
    assert (target.name, target.url, target.auth) == ("http://h:4200/api/", "http://h:4200/api", "basic")
    assert target.credentials == SecretText(f"admin:{CANARY}")
    assert CANARY not in repr(target)


def test_unknown_profile_lists_the_known_ones() -> None:
    """An unknown name is refused with all known names and the closest one."""
    with pytest.raises(ProfileError, match=r'unknown profile "stagng"; .* prod, staging') as caught:
        resolve(_profiles(staging={}, prod={}), "stagng", {})
    assert 'did you mean "staging"?' in str(caught.value.hint)


@pytest.mark.parametrize("name", [f"http://u:{CANARY}/x@h/api", f"u:{CANARY}@h/api", f"http://h/api?key={CANARY}"])
def test_a_password_in_a_name_is_not_shown(name: str) -> None:
    """A refused name that carries a password is shown without it."""
    with pytest.raises(ProfileError) as caught:
        resolve(_profiles(), name, {})
    assert CANARY not in f"{caught.value!r} {caught.value.hint}"


def test_profile_without_a_url() -> None:
    """A profile without a URL is refused with how to set it."""
    assert "config set PREFECT_API_URL" in str(_refusal(PREFECT_API_URL="").hint)
    off = _refusal(PREFECT_API_URL=None, PREFECT_SERVER_EPHEMERAL_ENABLED="false")
    assert "config set PREFECT_API_URL" in str(off.hint)
    with pytest.raises(ProfileError) as caught:
        resolve(_profiles(), "env", {})
    assert caught.value.hint.startswith("export PREFECT_API_URL=http://HOST:4200/api (Cloud: ")


def test_a_page_of_cloud_without_its_scheme_is_recognised() -> None:
    """The address of a page of Cloud, copied without its scheme and given as a name, is told the URL of its API."""
    with pytest.raises(ProfileError) as caught:
        resolve(_profiles(), f"app.prefect.cloud/account/{A}/workspace/{W}/dashboard", {})
    assert f"did you mean {CLOUD}?" in caught.value.hint


@pytest.mark.parametrize("name", ["prefect.corp.test/api", "127.0.0.1:4200/api", f"me:{CANARY}@h:4200/api", "h:4200"])
def test_a_url_without_its_scheme_is_recognised(name: str) -> None:
    """What looks like a URL given as a name is told what it lacks, without user information."""
    with pytest.raises(ProfileError) as caught:
        resolve(_profiles(), name, {})
    assert f"did you mean http://{name.rpartition('@')[2]}?" in caught.value.hint
    assert CANARY not in f"{caught.value!r} {caught.value.hint}"


# -- Without a server -------------------------------------------------------------------------------------------------


def _started(**settings: Any) -> dict[str, str]:
    """The variables that the server of a profile is started with."""
    found = _target(PREFECT_API_URL=None, PREFECT_SERVER_EPHEMERAL_ENABLED=True, **settings).ephemeral
    assert found is not None
    return {name: value.reveal() for name, value in found.variables}


@pytest.mark.parametrize("name", ["PREFECT_SERVER_EPHEMERAL_ENABLED", "PREFECT_SERVER_ALLOW_EPHEMERAL_MODE"])
def test_ephemeral_mode_means_the_data_of_the_profile(home: Path, name: str) -> None:
    """A profile without a URL and with ephemeral mode on stands for the database in its own Prefect home."""
    (home / ".prefect" / "profiles.toml").write_text(f'[profiles.a]\n{name} = "true"\nPREFECT_HOME = "~/other"\n')
    profiles = _load(home)
    own, usual = resolve(profiles, "a", {}), resolve(profiles, "ephemeral", {})
    assert own.url == f"sqlite:///{home}/other/prefect.db"
    assert usual.url == f"sqlite:///{home}/.prefect/prefect.db"
    assert usual.ephemeral == Ephemeral((("PREFECT_HOME", SecretText(f"{home}/.prefect")),), 120.0)
    elsewhere = resolve(_load(home, {"PREFECT_HOME": str(home / "third")}), "ephemeral", {})
    assert elsewhere.url == f"sqlite:///{home}/third/prefect.db"
    assert not same_server(own, usual)
    assert same_server(usual, usual)


def test_a_url_wins_over_ephemeral_mode() -> None:
    """A profile with a URL uses it, whatever its ephemeral mode."""
    assert _target(PREFECT_SERVER_EPHEMERAL_ENABLED=True).ephemeral is None


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
        assert resolve(_load(home), "a", {}).url == place


def test_a_database_in_parts() -> None:
    """Host, port and name of a PostgreSQL database may be set one by one."""
    parts = {"DRIVER": "postgresql+asyncpg", "HOST": "db.test", "NAME": "prefect", "PASSWORD": CANARY}
    settings: dict[str, Any] = {f"PREFECT_SERVER_DATABASE_{name}": value for name, value in parts.items()}
    target = _target(PREFECT_API_URL=None, PREFECT_SERVER_EPHEMERAL_ENABLED=True, **settings)
    assert target.url == "postgresql://db.test:5432/prefect"
    assert CANARY not in repr(target)


@pytest.mark.parametrize(
    "url", ["sqlite+aiosqlite:///:memory:", "sqlite+aiosqlite:///file::memory:?cache=shared", "sqlite+aiosqlite://"]
)
def test_a_database_in_memory_is_refused(url: str) -> None:
    """What is written into a database in memory is lost with the command, so such a profile is no place to go."""
    error = _refusal(
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


# -- Settings ---------------------------------------------------------------------------------------------------------


def test_every_connection_setting() -> None:
    """Settings may be texts or TOML scalars, and headers JSON or a table."""
    target = _target(
        PREFECT_API_AUTH_STRING="admin:pa:ss word",
        PREFECT_API_KEY="k",
        PREFECT_API_TLS_INSECURE_SKIP_VERIFY=True,
        PREFECT_API_SSL_CERT_FILE="/ca.pem",
        PREFECT_API_ENABLE_HTTP2="yes",
        PREFECT_API_REQUEST_TIMEOUT=7,
        PREFECT_CLIENT_MAX_RETRIES="2",
        PREFECT_CLIENT_RETRY_JITTER_FACTOR=0.5,
        PREFECT_CLIENT_RETRY_EXTRA_CODES="404, 423",
        PREFECT_CLIENT_CSRF_SUPPORT_ENABLED="false",
        PREFECT_CLIENT_CUSTOM_HEADERS={"X-One": "1"},
    )
    expected = Target(
        name="a",
        url=URL,
        auth="basic",
        credentials=SecretText("admin:pa:ss word"),
        headers=(("X-One", SecretText("1")),),
        verify=False,
        ca_file="/ca.pem",
        http2=True,
        timeout_seconds=7.0,
        retries=Retries(2, 0.5, frozenset({404, 423})),
        csrf=False,
    )
    assert target == expected
    assert _target(PREFECT_CLIENT_RETRY_EXTRA_CODES=[404, 423]).retries.codes == {404, 423}
    assert _target(PREFECT_CLIENT_CUSTOM_HEADERS='{"X-One": "1"}').headers == expected.headers


def test_the_trust_of_the_machine_holds_for_every_profile() -> None:
    """SSL_CERT_FILE is the one variable that reaches a named profile, and the profile's own file wins."""
    assert _target({"SSL_CERT_FILE": "/sys.pem"}).ca_file == "/sys.pem"
    assert _target({"SSL_CERT_FILE": "/sys.pem"}, PREFECT_API_SSL_CERT_FILE="/own.pem").ca_file == "/own.pem"


def test_user_information_becomes_basic_authentication() -> None:
    """User information leaves the URL, is decoded, and is used where nothing else is set."""
    url = "https://admin:p%40ss@h/api"
    target = _target(PREFECT_API_URL=url)
    assert (target.url, target.auth, target.credentials) == ("https://h/api", "basic", SecretText("admin:p@ss"))
    assert _target(PREFECT_API_URL=url, PREFECT_API_KEY="k").credentials == SecretText("k")


@pytest.mark.parametrize("value", [f"{CANARY}\r\nX: y", f"\n{CANARY}", f"é{CANARY}", f"{CANARY}\n\n"])
@pytest.mark.parametrize("name", ["PREFECT_API_KEY", "PREFECT_API_AUTH_STRING", "PREFECT_CLIENT_CUSTOM_HEADERS"])
def test_malformed_credentials_are_refused_unquoted(name: str, value: str) -> None:
    """Credentials that cannot stand in a header are refused by name, never by value."""
    error = _refusal(**{name: {"X": value} if name.endswith("HEADERS") else value})
    assert name in str(error)
    assert CANARY not in f"{error!r} {error.hint}"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PREFECT_API_KEY", f"{CANARY} {CANARY}"),
        ("PREFECT_API_ENABLE_HTTP2", CANARY),
        ("PREFECT_API_REQUEST_TIMEOUT", CANARY),
        ("PREFECT_API_REQUEST_TIMEOUT", "0"),
        ("PREFECT_API_REQUEST_TIMEOUT", "nan"),
        ("PREFECT_CLIENT_MAX_RETRIES", "-1"),
        ("PREFECT_CLIENT_MAX_RETRIES", "1.5"),
        ("PREFECT_CLIENT_MAX_RETRIES", "inf"),
        ("PREFECT_CLIENT_RETRY_JITTER_FACTOR", CANARY),
        ("PREFECT_CLIENT_RETRY_JITTER_FACTOR", "-0.1"),
        ("PREFECT_CLIENT_RETRY_EXTRA_CODES", f"404,{CANARY}"),
        ("PREFECT_CLIENT_CUSTOM_HEADERS", f"{{{CANARY}"),
        ("PREFECT_CLIENT_CUSTOM_HEADERS", [CANARY]),
        ("PREFECT_CLIENT_CUSTOM_HEADERS", {"X": 1}),
        ("PREFECT_CLIENT_CUSTOM_HEADERS", {f"X {CANARY}": "1"}),
    ],
)
def test_wrong_values_are_refused_unquoted(name: str, value: Any) -> None:
    """A setting of the wrong type is refused by profile and name."""
    error = _refusal(**{name: value})
    assert name in str(error)
    assert 'profile "a"' in str(error)
    assert CANARY not in repr(error)


# -- URLs -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        f"https://app.prefect.cloud/account/{A}/workspace/{W}",
        f"https://app.prefect.cloud/account/{A}/workspace/{W}/dashboard",
        f"https://app.prefect.cloud/account/{A}/workspace/{W}/runs?tab=all#top",
        f"http://api.prefect.cloud/api/accounts/{A}/workspaces/{W}",
        f"https://api.prefect.cloud/api/accounts/{A}/workspaces/{W}/flows/filter",
        f"https://api.prefect.cloud/api/account/{A}/workspace/{W}",
        f"https://api.prefect.cloud/accounts/{A}/workspaces/{W}",
        f"https://user:{CANARY}@api.prefect.cloud/accounts/{A}/workspaces/{W}",
        f"app.prefect.cloud/account/{A}/workspace/{W}",
        f"user:{CANARY}@api.prefect.cloud/api/accounts/{A}/workspaces/{W}",
    ],
)
def test_cloud_mistakes_are_answered_with_the_right_url(url: str) -> None:
    """The URL of Cloud's pages and misspelt API URLs are refused with the URL that is meant."""
    error = _refusal(PREFECT_API_URL=url)
    assert error.hint == f"set PREFECT_API_URL to {CLOUD}"
    assert CANARY not in repr(error)


def test_other_url_mistakes() -> None:
    """A missing scheme, workspace or host is refused with a hint and without user information."""
    assert "http://h:4200/api" in str(_refusal(PREFECT_API_URL=f"u:{CANARY}@h:4200/api").hint)
    assert CANARY not in repr(_refusal(PREFECT_API_URL=f"u:{CANARY}@h:4200/api"))
    assert "WORKSPACE-ID" in str(_refusal(PREFECT_API_URL="https://api.prefect.cloud/api").hint)
    own = _refusal(PREFECT_API_URL=f"https://prefect.corp.test/account/{A}/workspace/{W}")
    assert own.hint == f"set PREFECT_API_URL to https://prefect.corp.test/api/accounts/{A}/workspaces/{W}"
    for url in ("http://", "http://h:port/api", "http://h/api?x=1", "http://h/a b", "http://[::1/api", "ftp://h/api"):
        assert "PREFECT_API_URL" in str(_refusal(PREFECT_API_URL=url))


@pytest.mark.parametrize(
    ("url", "right"),
    [
        ("https://app.private.prefect.cloud/account/{}/workspace/{}", "https://api.private.prefect.cloud/api"),
        ("https://app.stg.prefect.dev/account/{}/workspace/{}/runs", "https://api.stg.prefect.dev/api"),
        ("https://corp.test/api/accounts/{}/workspaces/{}/dashboard", "https://corp.test/api"),
        ("https://corp.test:8443/gate/api/account/{}/workspace/{}", "https://corp.test:8443/gate/api"),
    ],
)
def test_workspaces_elsewhere_are_corrected_too(url: str, right: str) -> None:
    """Private and customer-managed Cloud have hosts of their own; the mistakes are the same."""
    error = _refusal(PREFECT_API_URL=url.format(A, W))
    assert error.hint == f"set PREFECT_API_URL to {right}/accounts/{A}/workspaces/{W}"


@pytest.mark.parametrize("end", ["", "/", "///"])
def test_a_slash_at_the_end_is_no_mistake(end: str) -> None:
    """Slashes at the end of a URL mean nothing."""
    assert _target(PREFECT_API_URL=CLOUD + end).url == CLOUD


def test_cloud_is_recognised_by_its_path_on_any_host() -> None:
    """A workspace path means Cloud, on Prefect's host and on a customer's."""
    assert _target(PREFECT_API_URL=CLOUD).is_cloud
    assert _target(PREFECT_API_URL=f"https://prefect.corp.test/api/accounts/{A}/workspaces/{W}").is_cloud
    assert not _target().is_cloud


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        ("http://localhost:4200/api", "http://127.0.0.1:4200/api/", True),
        ("http://[::1]:4200/api", "http://LOCALHOST:4200/api", True),
        ("https://Prefect.test/api", "https://prefect.test.:443/api", True),
        (CLOUD, f"https://gateway.test/api/accounts/{A.upper()}/workspaces/{W.upper()}", True),
        (CLOUD, CLOUD.replace(W, A), False),
        ("http://h:4200/api", "http://h:4201/api", False),
        ("http://h/a/api", "http://h/b/api", False),
        ("http://h/api", "https://h/api", False),
    ],
)
def test_same_server(left: str, right: str, expected: bool) -> None:  # noqa: FBT001 - a column of the table
    """Two spellings of one environment are one server, and two environments are not."""
    a, b = (resolve(_profiles(), url, {}) for url in (left, right))
    assert same_server(a, b) is expected


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("localhost", True),
        ("LOCALHOST.", True),
        ("prefect.localhost", True),
        ("127.0.1.1", True),
        ("[::1]", True),
        ("0.0.0.0", True),
        ("10.0.0.1", False),
        ("localhost.corp.test", False),
        ("127.0.0.1.corp.test", False),
    ],
)
def test_this_machine_has_many_names(host: str, expected: bool) -> None:  # noqa: FBT001 - a column of the table
    """Every loopback address and every name under localhost is this machine, which no proxy can reach."""
    assert is_this_machine(f"http://{host}:4200/api") is expected


def test_url_hint_suggests_the_suffix() -> None:
    """Only a URL that does not look like an API's gets a hint."""
    assert url_hint("http://h/prefix/api") is None
    bare = f"https://corp.test/accounts/{A}/workspaces/{W}"
    assert f"set PREFECT_API_URL to https://corp.test/api/accounts/{A}/workspaces/{W}" in str(url_hint(bare))
    assert url_hint(CLOUD) is None


@pytest.mark.parametrize(
    ("path", "right"),
    [
        ("", "/api"),
        ("/dashboard", "/api"),
        ("/runs/flow-run/1", "/api"),
        ("/tools/prefect", "/tools/prefect/api"),
        ("/tools/prefect/work-pools", "/tools/prefect/api"),
        ("/tools/prefect/api/flows/filter", "/tools/prefect/api"),
        ("/api/docs", "/api"),
    ],
)
def test_url_hint_keeps_the_path_of_a_proxy(path: str, right: str) -> None:
    """What is left of a URL without pages and routes of Prefect is where its API is."""
    assert str(url_hint(f"http://h:4200{path}")).endswith(f"set PREFECT_API_URL to http://h:4200{right}")


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"http_proxy": "http://p:1", "HTTP_PROXY": "http://p:2"}, "http://p:1"),
        ({"HTTP_PROXY": "p:1"}, "http://p:1"),
        ({"HTTP_PROXY": "http://p:1", "REQUEST_METHOD": "GET"}, None),
        ({"https_proxy": "http://p:1"}, None),
        ({"ALL_PROXY": "http://p:2"}, "http://p:2"),
        ({"http_proxy": "http://p:1", "no_proxy": "other, .test"}, None),
        ({"http_proxy": "http://p:1", "NO_PROXY": "*"}, None),
        ({"http_proxy": "http://p:1", "no_proxy": "server.test:4200"}, None),
        ({"http_proxy": "http://p:1", "no_proxy": "server.test:4201"}, "http://p:1"),
        ({"http_proxy": "http://p:1", "no_proxy": "rver.test"}, "http://p:1"),
    ],
)
def test_environment_proxy(environ: dict[str, str], expected: str | None) -> None:
    """The standard variables are read as other programs read them."""
    found = environment_proxy(environ, URL)
    assert (found.reveal() if found else None) == expected


@pytest.mark.parametrize("pattern", ["10.1.0.0/16", "10.1.2.3", "10.1.2.3:4200", "fd00::/8", "[fd00::1]"])
def test_networks_without_a_proxy(pattern: str) -> None:
    """no_proxy may name addresses and networks, as many companies do."""
    environ = {"http_proxy": "http://p:1", "no_proxy": f"elsewhere,{pattern}"}
    host = "[fd00::1]" if "fd00" in pattern else "10.1.2.3"
    assert environment_proxy(environ, f"http://{host}:4200/api") is None
    assert environment_proxy(environ, "http://10.2.2.3:4200/api") is not None


# -- Secrets ----------------------------------------------------------------------------------------------------------


def test_secrets_show_nowhere() -> None:
    """A target shows no secret in repr, str, formats, JSON or a pickle."""
    target = _target(PREFECT_API_KEY=CANARY, PREFECT_CLIENT_CUSTOM_HEADERS={"X": CANARY})
    shown = f"{target} {target!r} {target.credentials}"
    assert CANARY not in shown + str(target.credentials) + repr(target.headers)
    assert CANARY not in repr(_profiles(a={"PREFECT_API_KEY": CANARY}))
    with pytest.raises(TypeError):
        msgspec.json.encode(target)
    with pytest.raises(TypeError):
        pickle.dumps(target.credentials)


def test_segment_encodes_everything_reserved() -> None:
    """A name becomes exactly one path segment, also one of dots."""
    assert [segment(text) for text in ("a-Z_0.~", "a/b c%é", ".", "..", "...")] == [
        "a-Z_0.~",
        "a%2Fb%20c%25%C3%A9",
        "%2E",
        "%2E%2E",
        "...",
    ]
