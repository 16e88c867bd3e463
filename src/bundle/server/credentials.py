"""Credentials, headers and retries from the settings of a profile."""

from __future__ import annotations

import json
import math
import re
from typing import Literal

from bundle.errors import ProfileError
from bundle.server.settings import Settings, number_of, text_of
from bundle.server.target import Retries, SecretText

_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_KEY = re.compile(r"[\x21-\x7e]+")
_PRINTABLE = re.compile(r"[\x20-\x7e]+")


def retries_of(settings: Settings, origin: str) -> Retries:
    """How often to try again.

    Raises:
        ProfileError: a setting is not of its type; as below, the message names ``origin`` and quotes no value.
    """
    most = number_of(settings, "PREFECT_CLIENT_MAX_RETRIES")
    if most is not None and not (0 <= most < math.inf and most == int(most)):
        raise ProfileError(
            f"{origin}: PREFECT_CLIENT_MAX_RETRIES must be a whole number, 0 or greater", hint="for example 5"
        )
    jitter = number_of(settings, "PREFECT_CLIENT_RETRY_JITTER_FACTOR")
    if jitter is not None and not 0 <= jitter < math.inf:
        raise ProfileError(
            f"{origin}: PREFECT_CLIENT_RETRY_JITTER_FACTOR must be a number, 0 or greater", hint="for example 0.2"
        )
    codes = re.findall(r"[^\s,\[\]\"']+", text_of(settings, "PREFECT_CLIENT_RETRY_EXTRA_CODES"))
    if not all(re.fullmatch(r"[1-5][0-9][0-9]", code) for code in codes):
        raise ProfileError(
            f"{origin}: PREFECT_CLIENT_RETRY_EXTRA_CODES must be HTTP status codes", hint="for example 404,429"
        )
    return Retries(None if most is None else int(most), jitter, frozenset(map(int, codes)))


def credentials_of(
    settings: Settings, origin: str, userinfo: str
) -> tuple[Literal["none", "bearer", "basic"], SecretText | None]:
    """What to authenticate with; as in Prefect, the auth string wins over the key, and both over the URL."""
    if auth_string := text_of(settings, "PREFECT_API_AUTH_STRING"):
        return "basic", _checked(auth_string, _PRINTABLE, "PREFECT_API_AUTH_STRING", origin)
    if key := text_of(settings, "PREFECT_API_KEY"):
        return "bearer", _checked(key, _KEY, "PREFECT_API_KEY", origin)
    if userinfo:
        return "basic", _checked(userinfo, _PRINTABLE, "the user information in PREFECT_API_URL", origin)
    return "none", None


def _checked(text: str, pattern: re.Pattern[str], what: str, origin: str) -> SecretText:
    if pattern.fullmatch(text) is None:
        raise ProfileError(
            f"{origin}: {what} has characters that an HTTP header cannot have",
            hint="copy it again; the usual cause is a line break or a space",
        )
    return SecretText(text)


def headers_in(settings: Settings, origin: str) -> tuple[tuple[str, SecretText], ...]:
    """The custom headers of every request; raises ``ProfileError`` where they are malformed."""
    name = "PREFECT_CLIENT_CUSTOM_HEADERS"
    try:
        table = json.loads(text_of(settings, name) or "{}")
    except (ValueError, RecursionError):
        table = None
    if not isinstance(table, dict) or not all(isinstance(value, str) for value in table.values()):
        raise ProfileError(
            f"{origin}: {name} must be a JSON object or a table of strings", hint='for example {"X-Name": "value"}'
        ) from None
    return tuple(_header(key, value, f"{name} in {origin}") for key, value in table.items())


def _header(name: str, value: str, origin: str) -> tuple[str, SecretText]:
    if _HEADER_NAME.fullmatch(name) is None:
        raise ProfileError(
            f"{origin}: a header name has characters that are not allowed", hint="use letters, digits and dashes"
        )
    return name, _checked(value.removesuffix("\n"), _PRINTABLE, f'the value of "{name}"', origin)
