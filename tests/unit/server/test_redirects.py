"""bundle.server.redirects: which redirects are followed."""

from __future__ import annotations

import pytest

from bundle.server.responses import Sent
from bundle.server.target import SecretText, Target
from support.fake_server import (
    CANARY,
    FakeServer,
    get,
    ok,
    read,
    status,
)


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
@pytest.mark.parametrize(
    "there",
    [
        "http://evil.test/trap",
        "http://server.test:4201/x",
        "http://u:p@server.test:4200/x",
        "",
        "http://[/",
        "//evil/x",
    ],
)
def test_redirects_to_elsewhere_are_not_followed(code: int, there: str) -> None:
    """A redirect to another server is an error that names the target, and not where it points."""
    server = FakeServer(status(code, Location=there))
    error = server.fail(get)
    assert len(server.requests) == 1
    assert "server.test:4200" in str(error)
    assert "evil" not in f"{error} {error.hint}"
    assert "final URL" in str(error.hint)


@pytest.mark.parametrize("code", [307, 308])
@pytest.mark.parametrize("there", ["/elsewhere/api/flows/count", "http://SERVER.test:4200/elsewhere/api/flows/count"])
def test_redirects_on_the_same_server_are_followed(code: int, there: str) -> None:
    """A redirect that keeps method and body and stays on the server is followed, and counted."""
    server = FakeServer(status(code, Location=there), ok(7), auth="bearer", credentials=SecretText(CANARY))
    assert server.run(read) == 7
    first, second = server.requests
    assert str(second.url) == "http://server.test:4200/elsewhere/api/flows/count"
    assert (second.method, second.content) == (first.method, first.content)
    assert second.headers["authorization"] == f"Bearer {CANARY}"
    assert server.sent == Sent(reads=2)


def test_redirects_end() -> None:
    """A server that redirects in a circle is given up."""
    server = FakeServer(status(307, Location="/prefix/api/health"))
    assert "redirected" in str(server.fail(get))
    assert len(server.requests) == 4


@pytest.mark.parametrize("code", [301, 302, 307, 308])
def test_a_redirect_to_https_says_what_to_set(code: int) -> None:
    """The usual redirect, to https on the same host and port, is not followed, but told: the URL to set is our own."""
    server = FakeServer(status(code, Location="https://server.test:4200/of-the-server/flows/count?x=1"))
    assert (
        server.fail(read).hint == "the server wants https: set PREFECT_API_URL to https://server.test:4200/prefix/api"
    )
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "there",
    [
        "https://server.test/other/api/flows/count",
        "https://server.test:444/prefix/api/flows/count",
        "http://server.test:9999/prefix/api/flows/count",
        "https://evil.test/prefix/api/flows/count",
    ],
)
def test_no_hint_has_an_address_of_the_server(there: str) -> None:
    """What a redirect says of a port, a path or a host is never proposed as the URL to set."""
    hint = str(FakeServer(status(302, Location=there)).fail(read).hint)
    assert not any(part in hint for part in ("444", "9999", "evil", "other", "server.test"))


def test_a_redirect_to_plain_http_is_not_followed() -> None:
    """From https to http at the same host and port no credentials go: they would be sent in clear text."""
    server = FakeServer(
        status(307, Location="http://server.test:8443/api/health"),
        ok(),
        target=Target(
            name="dev", url="https://server.test:8443/api", auth="bearer", credentials=SecretText(CANARY), csrf=False
        ),
    )
    assert "not followed" in str(server.fail(get))
    assert [request.url.scheme for request in server.requests] == ["https"]
