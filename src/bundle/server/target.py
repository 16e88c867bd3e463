"""One server as a connection needs it: URL, credentials, TLS, retries."""

from __future__ import annotations

import re
from typing import Any, Literal
from urllib.parse import urlsplit

import msgspec

from bundle.server.urls import is_this_machine, names_workspace

_CREDENTIAL = re.compile("auth|cookie|token|key|secret|password", re.IGNORECASE)


class SecretText:
    """A string that only ``reveal`` shows: not repr, str, a format or JSON."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The string itself, for the place that sends it."""
        return self._text

    def __repr__(self) -> str:
        return "SecretText(***)"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SecretText) and self._text == other._text

    def __hash__(self) -> int:
        return hash((SecretText, self._text))

    def __reduce__(self) -> str | tuple[Any, ...]:
        raise TypeError("a secret is not pickled")


class Retries(msgspec.Struct, frozen=True):
    """The retries that a profile asks for: how many, how much the waits vary, on which further statuses."""

    most: int | None = None
    jitter: float | None = None
    codes: frozenset[int] = frozenset()


class Ephemeral(msgspec.Struct, frozen=True):
    """A server that is started for each command: the variables to start it with, and how long that may take."""

    variables: tuple[tuple[str, SecretText], ...]
    timeout_seconds: float


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """One Prefect server and how to reach it.

    ``url`` is the API URL without user information and without a trailing
    slash; of an ``ephemeral`` server, which has one only while it runs
    (``started_at``), where its data is. ``credentials`` is the API key for
    ``bearer``, and ``user:password`` for ``basic``. ``ca_file`` None means the
    usual certificate authorities.
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
    retries: Retries = Retries()
    csrf: bool = True
    ephemeral: Ephemeral | None = None
    started_at: str = ""

    @property
    def is_cloud(self) -> bool:
        """Whether the URL names a Cloud workspace; customer-managed Cloud has other hosts, but the same path."""
        return names_workspace(self.url)

    @property
    def is_exposed(self) -> bool:
        """Whether credentials, also those in custom headers, go over a network unencrypted."""
        has_any = self.credentials is not None or any(_CREDENTIAL.search(name) for name, _ in self.headers)
        return has_any and self.base.startswith("http:") and not is_this_machine(self.base)

    @property
    def base(self) -> str:
        """What the paths of requests are appended to."""
        return self.started_at or self.url

    @property
    def host(self) -> str:
        """Host and port as in the URL, for messages."""
        return urlsplit(self.base).netloc
