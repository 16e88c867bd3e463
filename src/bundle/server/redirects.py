"""Where a redirect leads, and whether it is followed. Pure."""

from __future__ import annotations

import re
from http import HTTPStatus
from urllib.parse import urljoin, urlsplit

from bundle.server.responses import Response


def moved_within(url: str, response: Response) -> str | None:
    """Where a redirect leads that keeps method and body (307, 308) and stays with the same server; else None."""
    if response.status not in {HTTPStatus.TEMPORARY_REDIRECT, HTTPStatus.PERMANENT_REDIRECT}:
        return None
    there = location(url, response)
    return there if there and origin(there) == origin(url) else None


def location(url: str, response: Response) -> str | None:
    """The absolute URL of a ``Location``; None where there is none that could be requested."""
    text = response.headers.get("location", "")
    try:
        there = urljoin(url, text)
        is_usable = bool(origin(there)[1]) and re.fullmatch(r"[\x21-\x7e]+", there) is not None
    except ValueError:
        return None
    return there if text and is_usable and "@" not in urlsplit(there).netloc else None


def origin(url: str) -> tuple[str, str, int]:
    """Scheme, host and port: what makes two URLs one server."""
    parts = urlsplit(url)
    return parts.scheme, (parts.hostname or "").lower(), parts.port or (443 if parts.scheme == "https" else 80)
