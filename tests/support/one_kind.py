"""One kind by itself: rows of other kinds to look up, and a destination that writes down what it is sent."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from typing import Any

from bundle.kinds import KINDS
from bundle.kinds.base import Kind
from bundle.kinds.protocols import Made, Raw

ID = "11111111-1111-4111-8111-111111111111"
OTHER = "22222222-2222-4222-8222-222222222222"


class Rows:
    """Looks up rows by id; each is named by its ``name`` or ``slug``."""

    def __init__(self, *rows: Raw, of: str = "") -> None:
        self._rows = {row["id"]: row for row in rows}
        self._kind = of

    def raw(self, identifier: str | None) -> Raw | None:
        return self._rows.get(identifier or "")

    def name(self, identifier: str | None) -> str | None:
        row = self.raw(identifier)
        return None if row is None else str(row.get("slug") or row.get("name"))

    def index(self, kind: str, field: str) -> Mapping[str, list[Raw]]:
        found: dict[str, list[Raw]] = {}
        for row in self._rows.values() if kind == self._kind else ():
            found.setdefault(str(row.get(field)), []).append(row)
        return found


class Sent:
    """A destination of a version: keeps each request as ``[method, path, body]``, and answers with an id."""

    is_cloud = False
    mark = "xfer:pending:0123456789abcdef"

    def __init__(self, *rows: Raw, version: tuple[int, ...] = (3, 9, 1), new: Collection[str] = ()) -> None:
        self.requests: list[list[Any]] = []
        self.version = version
        self._rows = {row["id"]: row for row in rows}
        self._new = new

    async def post(
        self, template: str, body: Any, *, repeatable: bool = True, tells_new: bool = True, **segments: str
    ) -> Raw:
        note = ([] if repeatable else ["not repeatable"]) + ([] if tells_new else ["tells nothing new"])
        self.requests.append(["POST", template.format(**segments), body, *note])
        return {"id": ID, **(body if isinstance(body, dict) else {})}

    async def get(self, template: str, **segments: str) -> Any:
        self.requests.append(["GET", template.format(**segments), None])
        return []

    async def put(self, template: str, body: Any, *, tells_new: bool = False, **segments: str) -> Raw:
        note = ["tells what is new"] if tells_new else []
        self.requests.append(["PUT", template.format(**segments), body, *note])
        return {"id": ID, **body}

    async def patch(self, template: str, body: Any, **segments: str) -> None:
        self.requests.append(["PATCH", template.format(**segments), body])

    async def delete(self, template: str, **segments: str) -> None:
        self.requests.append(["DELETE", template.format(**segments), None])

    def takes(self, *_route: str) -> bool:
        return True

    def raw(self, identifier: str) -> Raw | None:
        return self._rows.get(identifier)

    def is_new(self, identifier: str) -> bool:
        return identifier in self._new


def kind(name: str) -> Kind:
    """A kind by its name."""
    return KINDS[name]


def created(name: str, body: Any, to: Sent | None = None) -> list[list[Any]]:
    """The requests that create one."""
    to = to or Sent()
    asyncio.run(KINDS[name].create(to, body))
    return to.requests


def updated(name: str, body: Any, names: Collection[str], raw: Raw | None = None, to: Sent | None = None) -> Any:
    """The requests that give an existing one some fields of a body."""
    to = to or Sent()
    asyncio.run(KINDS[name].update(to, Made(ID, raw or {"id": ID}), body, names))
    return to.requests


def deleted(name: str, raw: Raw, to: Sent | None = None) -> list[list[Any]]:
    """The requests that delete one."""
    to = to or Sent()
    asyncio.run(KINDS[name].delete(to, Made(ID, raw)))
    return to.requests
