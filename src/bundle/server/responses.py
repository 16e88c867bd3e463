"""One request as the caller means it, and what one attempt to send it came to. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Literal

import msgspec

from bundle.model import Json
from bundle.server.items import items_of

DETAIL_CHARACTERS = 500
"""How much of a server's own text is kept."""
Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
UNTRUSTED = "its TLS certificate is not trusted"
EXPIRED = f"{UNTRUSTED}: it has expired"
OTHER_HOST = f"{UNTRUSTED}: it is for another host"
PROXY_REFUSED = "the proxy refused the connection"
NO_RESPONSE = "no response in time"
NO_TLS = "no TLS connection"
TOO_LARGE = "a response that is too large"
BROKEN_OFF = "the connection broke off"


class Call(msgspec.Struct, frozen=True):
    """One request as the caller means it."""

    method: Method
    path: str
    body: Json = None
    is_write: bool = False
    repeatable: bool = True

    @property
    def content(self) -> bytes | None:
        return None if self.body is None else msgspec.json.encode(self.body)

    @property
    def work(self) -> str:
        """What the server has to do, whatever the resource: the method and the first part of the path."""
        return f"{self.method} {self.path.split('/')[1]}"

    @property
    def place(self) -> str:
        """Method and path for messages; a query is left out."""
        return f"{self.method} {self.path.partition('?')[0]}"


class Response(msgspec.Struct, frozen=True):
    """What one attempt came to: a whole response, or the ``reason`` why there is none (status 0 without any).

    ``executed`` says whether the server may have acted on it. ``is_final``: another attempt ends the same way.
    """

    status: int = 0
    headers: Mapping[str, str] = {}
    content: bytes = b""
    reason: str = ""
    executed: Literal["no", "maybe", "yes"] = "yes"
    is_final: bool = False

    @property
    def has_arrived(self) -> bool:
        """Whether a response came back, whole."""
        return not self.reason

    @property
    def is_unconnected(self) -> bool:
        return self.status == 0 and self.executed == "no"

    @property
    def json(self) -> Json:
        """The decoded body; None where it is not JSON."""
        return _decoded(self.content)

    @property
    def rows(self) -> list[Json] | None:
        """The decoded body where it is a list; an item that cannot be decoded by itself is None.

        None where it is no list.
        """
        found = self.json
        if found is None and (parts := items_of(self.content)) is not None:
            return [_decoded(part) for part in parts]
        return found if isinstance(found, list) else None

    @property
    def detail(self) -> str:
        """The server's own text, printable and short."""
        body = self.json
        text = (body.get("detail") or body.get("exception_message")) if isinstance(body, dict) else None
        return re.sub(r"[^\x20-\x7e\xa0-\uffff]", " ", text)[:DETAIL_CHARACTERS] if isinstance(text, str) else ""


def _decoded(content: bytes) -> Json:
    try:
        return msgspec.json.decode(content)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def executed_by(response: Response) -> Literal["no", "maybe", "yes"]:
    """Whether the server may have acted on a request that got a response.

    404: there was nothing to act on. 408: the request did not arrive whole.
    429: refused before anything was done. Prefect's own 503 (a locked database)
    follows a rollback; with another 503, which may come from a gateway, and with
    other 5xx, it is unknown.
    """
    if response.status in {HTTPStatus.NOT_FOUND, HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS}:
        return "no"
    if response.status == HTTPStatus.SERVICE_UNAVAILABLE and response.detail == "Service Unavailable":
        return "no"
    return "maybe" if response.status >= HTTPStatus.INTERNAL_SERVER_ERROR else "yes"


class Sent(msgspec.Struct, frozen=True):
    """How many requests went out, retries included; a POST that only reads is a read."""

    reads: int = 0
    writes: int = 0
