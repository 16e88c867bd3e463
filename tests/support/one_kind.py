"""One kind by itself: rows of other kinds to look up, and a destination that writes down what it is sent."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Mapping
from typing import Any, cast

from bundle.kinds import KINDS
from bundle.kinds.base import Kind
from bundle.kinds.protocols import Made, Raw, Reader
from bundle.model import Body, Pointer

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
    """A destination of a version: keeps each request as ``[method, path, body]``.

    Args:
        rows: what it holds, each with an id.
        version: of the server; empty where it does not say.
        new: ids of what this run created.
        answers: what it answers instead of the id and what was sent, one after the other, by method and path; an
            error is raised.
    """

    is_cloud = False
    mark = "xfer:pending:0123456789abcdef"

    def __init__(
        self,
        *rows: Raw,
        version: tuple[int, ...] = (3, 9, 1),
        new: Collection[str] = (),
        answers: Mapping[str, Iterable[Any]] | None = None,
    ) -> None:
        self.requests: list[list[Any]] = []
        self.version = version
        self._rows = {row["id"]: row for row in rows}
        self._new = new
        self._answers = {route: iter(each) for route, each in (answers or {}).items()}

    def _answer(self, method: str, path: str, body: Any, *notes: str) -> Any:
        self.requests.append([method, path, body, *notes])
        usual = {"id": ID, **(body if isinstance(body, dict) else {})}
        answer = next(self._answers.get(f"{method} {path}", iter(())), usual)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def post(
        self, template: str, body: Any, *, repeatable: bool = True, tells_new: bool = True, **segments: str
    ) -> Raw:
        notes = ([] if repeatable else ["not repeatable"]) + ([] if tells_new else ["tells nothing new"])
        found: Raw = self._answer("POST", template.format(**segments), body, *notes)
        return found

    async def get(self, template: str, **segments: str) -> Any:
        return self._answer("GET", template.format(**segments), None)

    async def put(self, template: str, body: Any, *, tells_new: bool = False, **segments: str) -> Raw:
        notes = ["tells what is new"] if tells_new else []
        found: Raw = self._answer("PUT", template.format(**segments), body, *notes)
        return found

    async def patch(self, template: str, body: Any, **segments: str) -> None:
        self._answer("PATCH", template.format(**segments), body)

    async def delete(self, template: str, **segments: str) -> None:
        self._answer("DELETE", template.format(**segments), None)

    def takes(self, *_route: str) -> bool:
        return True

    def raw(self, identifier: str) -> Raw | None:
        return self._rows.get(identifier)

    def is_new(self, identifier: str) -> bool:
        return identifier in self._new


class Lists:
    """A reader that answers each path from a table; an error is raised, and what is not in the table is not there."""

    def __init__(self, answers: Mapping[str, Any], *, is_deep: bool, is_cloud: bool) -> None:
        self._answers = answers
        self.is_deep = is_deep
        self.asks_all = False
        self.is_cloud = is_cloud

    async def rows(self, path: str, _body: Body | None = None, /) -> list[Raw]:
        return list(await self.get(path) or ())

    async def get(self, path: str) -> Any:
        found = self._answers.get(path)
        if isinstance(found, Exception):
            raise found
        return found

    def checked(self, _path: str, found: Any, /) -> list[Raw]:
        return list(found)

    async def count(self, path: str, _body: Body | None = None, /) -> int | None:
        return self._answers.get(path)


def kind(name: str) -> Kind:
    """A kind by its name."""
    return KINDS[name]


def read(name: str, answers: Mapping[str, Any], *, is_deep: bool = False, is_cloud: bool = False) -> list[Raw]:
    """The rows of a kind, with what each path answers."""
    reader = Lists(answers, is_deep=is_deep, is_cloud=is_cloud)
    return asyncio.run(KINDS[name].read(cast(Reader, reader)))


def created(name: str, body: Any, to: Sent | None = None) -> list[list[Any]]:
    """The requests that create one."""
    to = to or Sent()
    asyncio.run(KINDS[name].create(to, body))
    return to.requests


def updated(
    name: str,
    body: Any,
    names: Collection[str],
    raw: Raw | None = None,
    to: Sent | None = None,
    *,
    hidden: tuple[Pointer, ...] = (),
) -> Any:
    """The requests that give an existing one some fields of a body; ``hidden``: where its secrets are not shown."""
    to = to or Sent()
    asyncio.run(KINDS[name].update(to, Made(ID, raw or {"id": ID}, hidden), body, names))
    return to.requests


def switched(name: str, switches: Mapping[str, bool], raw: Raw | None = None, to: Sent | None = None) -> Any:
    """The requests that switch an existing one on or off."""
    to = to or Sent()
    asyncio.run(KINDS[name].switch(to, Made(ID, raw or {"id": ID}), switches))
    return to.requests


def finished(name: str, body: Any, first: Any, raw: Raw | None = None, to: Sent | None = None) -> Any:
    """The requests that turn what was created first into a body."""
    to = to or Sent()
    asyncio.run(KINDS[name].finish(to, Made(ID, raw or {"id": ID}), body, first))
    return to.requests


def deleted(name: str, raw: Raw, to: Sent | None = None) -> list[list[Any]]:
    """The requests that delete one."""
    to = to or Sent()
    asyncio.run(KINDS[name].delete(to, Made(ID, raw)))
    return to.requests
