"""bundle.server.settings and credentials: what the settings of a profile mean."""

from __future__ import annotations

from typing import Any

import pytest

from bundle.server.target import Retries, SecretText, Target
from support.fake_server import CANARY
from support.profiles import URL, refusal_of, target_of


def test_every_connection_setting() -> None:
    """Settings may be texts or TOML scalars, and headers JSON or a table."""
    target = target_of(
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
    assert target_of(PREFECT_CLIENT_RETRY_EXTRA_CODES=[404, 423]).retries.codes == {404, 423}
    assert target_of(PREFECT_CLIENT_CUSTOM_HEADERS='{"X-One": "1"}').headers == expected.headers


def test_the_trust_of_the_machine_holds_for_every_profile() -> None:
    """SSL_CERT_FILE is the one variable that reaches a named profile, and the profile's own file wins."""
    assert target_of({"SSL_CERT_FILE": "/sys.pem"}).ca_file == "/sys.pem"
    assert target_of({"SSL_CERT_FILE": "/sys.pem"}, PREFECT_API_SSL_CERT_FILE="/own.pem").ca_file == "/own.pem"


def test_user_information_becomes_basic_authentication() -> None:
    """User information leaves the URL, is decoded, and is used where nothing else is set."""
    url = "https://admin:p%40ss@h/api"
    target = target_of(PREFECT_API_URL=url)
    assert (target.url, target.auth, target.credentials) == ("https://h/api", "basic", SecretText("admin:p@ss"))
    assert target_of(PREFECT_API_URL=url, PREFECT_API_KEY="k").credentials == SecretText("k")


@pytest.mark.parametrize("value", [f"{CANARY}\r\nX: y", f"\n{CANARY}", f"é{CANARY}", f"{CANARY}\n\n"])
@pytest.mark.parametrize("name", ["PREFECT_API_KEY", "PREFECT_API_AUTH_STRING", "PREFECT_CLIENT_CUSTOM_HEADERS"])
def test_malformed_credentials_are_refused_unquoted(name: str, value: str) -> None:
    """Credentials that cannot stand in a header are refused by name, never by value."""
    error = refusal_of(**{name: {"X": value} if name.endswith("HEADERS") else value})
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
    error = refusal_of(**{name: value})
    assert name in str(error)
    assert 'profile "a"' in str(error)
    assert CANARY not in repr(error)
