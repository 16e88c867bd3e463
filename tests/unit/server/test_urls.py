"""bundle.server.urls: what people write for a URL, and what they mean."""

from __future__ import annotations

import pytest

from bundle.server.profiles import resolve, same_server
from bundle.server.urls import is_this_machine, segment, url_hint
from support.fake_server import CANARY
from support.profiles import CLOUD, A, W, profiles_of, refusal_of, target_of


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
    error = refusal_of(PREFECT_API_URL=url)
    assert error.hint == f"set PREFECT_API_URL to {CLOUD}"
    assert CANARY not in repr(error)


def test_other_url_mistakes() -> None:
    """A missing scheme, workspace or host is refused with a hint and without user information."""
    assert "http://h:4200/api" in str(refusal_of(PREFECT_API_URL=f"u:{CANARY}@h:4200/api").hint)
    assert CANARY not in repr(refusal_of(PREFECT_API_URL=f"u:{CANARY}@h:4200/api"))
    assert "WORKSPACE-ID" in str(refusal_of(PREFECT_API_URL="https://api.prefect.cloud/api").hint)
    own = refusal_of(PREFECT_API_URL=f"https://prefect.corp.test/account/{A}/workspace/{W}")
    assert own.hint == f"set PREFECT_API_URL to https://prefect.corp.test/api/accounts/{A}/workspaces/{W}"
    for url in ("http://", "http://h:port/api", "http://h/api?x=1", "http://h/a b", "http://[::1/api", "ftp://h/api"):
        assert "PREFECT_API_URL" in str(refusal_of(PREFECT_API_URL=url))


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
    error = refusal_of(PREFECT_API_URL=url.format(A, W))
    assert error.hint == f"set PREFECT_API_URL to {right}/accounts/{A}/workspaces/{W}"


@pytest.mark.parametrize("end", ["", "/", "///"])
def test_a_slash_at_the_end_is_no_mistake(end: str) -> None:
    """Slashes at the end of a URL mean nothing."""
    assert target_of(PREFECT_API_URL=CLOUD + end).url == CLOUD


def test_cloud_is_recognised_by_its_path_on_any_host() -> None:
    """A workspace path means Cloud, on Prefect's host and on a customer's."""
    assert target_of(PREFECT_API_URL=CLOUD).is_cloud
    assert target_of(PREFECT_API_URL=f"https://prefect.corp.test/api/accounts/{A}/workspaces/{W}").is_cloud
    assert not target_of().is_cloud


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
    a, b = (resolve(profiles_of(), url, {}) for url in (left, right))
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


def test_segment_encodes_everything_reserved() -> None:
    """A name becomes exactly one path segment, also one of dots."""
    assert [segment(text) for text in ("a-Z_0.~", "a/b c%é", ".", "..", "...")] == [
        "a-Z_0.~",
        "a%2Fb%20c%25%C3%A9",
        "%2E",
        "%2E%2E",
        "...",
    ]
