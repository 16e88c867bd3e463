"""bundle.server.proxies: the proxy that the environment names."""

from __future__ import annotations

import pytest

from bundle.server.proxies import environment_proxy
from support.profiles import URL


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
