"""The proxy that the environment names for a server. Pure: the environment is passed in."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from urllib.parse import SplitResult, urlsplit

from bundle.server.target import SecretText


def environment_proxy(environ: Mapping[str, str], url: str) -> SecretText | None:
    """The proxy that the standard variables name for ``url``; to be used only where someone asked for it.

    Small letters win. ``HTTP_PROXY`` in capitals is not read where ``REQUEST_METHOD`` shows a CGI
    process: there the client of the web server sets it. A proxy without a scheme is one over http.
    """
    parts = urlsplit(url)
    if _is_bypassed(environ, parts):
        return None
    names = [f"{parts.scheme}_proxy", f"{parts.scheme.upper()}_PROXY", "all_proxy", "ALL_PROXY"]
    unsafe = {"HTTP_PROXY"} if "REQUEST_METHOD" in environ else set()
    found = next((environ[name] for name in names if environ.get(name) and name not in unsafe), None)
    return None if found is None else SecretText(found if "://" in found else f"http://{found}")


def _is_bypassed(environ: Mapping[str, str], parts: SplitResult) -> bool:
    """Whether ``no_proxy`` names a host: itself or a domain above it, with or without its port, or a network."""
    host = parts.hostname or ""
    port = parts.port or (443 if parts.scheme == "https" else 80)
    patterns = re.split(r"[\s,]+", environ.get("no_proxy") or environ.get("NO_PROXY") or "")
    return any(_is_under(host, pattern) or _is_under(f"{host}:{port}", pattern) for pattern in patterns)


def _is_under(host: str, pattern: str) -> bool:
    domain = pattern.removeprefix("*").removeprefix(".").lower()
    if pattern == "*" or (domain != "" and (host == domain or host.endswith(f".{domain}"))):
        return True
    try:
        return ipaddress.ip_address(host) in ipaddress.ip_network(pattern.strip("[]"), strict=False)
    except ValueError:
        return False
