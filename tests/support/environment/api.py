"""Plain HTTP to one server, in a line each."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import httpx

Json = Any
Body = dict[str, Any]

GONE = "00000000-0000-4000-8000-00000000dead"
"""An id that no server ever gave to anything."""


class Api:
    """Plain HTTP to one server; 503 (SQLite was busy, nothing happened) is tried again."""

    def __init__(
        self, url: str, headers: dict[str, str] | None = None, transport: httpx.BaseTransport | None = None
    ) -> None:
        # The server drops connections that were idle or that it answered a 5xx on; each request has its own.
        limits = httpx.Limits(max_keepalive_connections=0)
        self._http = httpx.Client(
            base_url=url, timeout=60, headers=headers, trust_env=False, limits=limits, transport=transport
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    def send(self, method: str, path: str, body: Json = None) -> Json:
        """The decoded answer, None if it has no body; any status from 400 on is an error."""
        for attempt in range(40):
            answer = self._http.request(method, path, json=body)
            if answer.status_code != httpx.codes.SERVICE_UNAVAILABLE:
                break
            time.sleep(min(0.02 * 2**attempt, 1))
        if answer.is_error:
            raise RuntimeError(f"{method} {path}: {answer.status_code} {answer.text[:2000]}")
        return answer.json() if answer.content else None

    def post(self, path: str, /, **body: Json) -> Json:
        return self.send("POST", path, body)

    def patch(self, path: str, /, **body: Json) -> None:
        self.send("PATCH", path, body)

    def delete(self, path: str) -> None:
        self.send("DELETE", path)

    def create(self, path: str, /, **body: Json) -> str:
        """POST, and the id of what it made."""
        return str(self.post(path, **body)["id"])

    def read_all(self, path: str, /, **body: Json) -> list[Body]:
        """Every row of a ``/filter`` route, page by page."""
        rows: list[Body] = []
        while page := self.send("POST", path, {**body, "offset": len(rows)}):
            rows += page
        return rows


def segment(name: str) -> str:
    return quote(name, safe="")


def reference(block_id: str) -> Body:
    """A block document named by id, as Prefect writes it."""
    return {"$ref": {"block_document_id": block_id}}
