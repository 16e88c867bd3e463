"""Sends the writes of one record: the ``Destination`` of ``kinds.base``. What the server does not take is left out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

from bundle.errors import RequestRejected
from bundle.kinds.protocols import Raw
from bundle.model import Api, Body, Json, Pointer
from bundle.plan.capabilities import Fields
from bundle.record.pointers import resolve, without
from bundle.server.urls import segment

_NOT_FOUND = 404
_NOTHING: tuple[Json, ...] = (None, "", [], {})


class Sender:
    """Sends the writes of one record, without fields that the destination does not take."""

    def __init__(self, api: Api, fields: Fields, rows: Mapping[str, Raw], new: set[str], mark: str = "") -> None:
        self._api = api
        self._fields = fields
        self._rows = rows
        self._new = new
        self.mark = mark
        self._dropped: set[Pointer] = set()
        self.is_existing = False
        """Whether a creation was answered with what had been there before."""

    @property
    def dropped(self) -> tuple[Pointer, ...]:
        return tuple(sorted(self._dropped))

    @property
    def is_cloud(self) -> bool:
        return self._api.is_cloud

    async def get(self, template: str, **segments: str) -> Json:
        return await self._api.get(_path(template, segments))

    async def post(
        self, template: str, body: Json, *, repeatable: bool = True, tells_new: bool = True, **segments: str
    ) -> Raw:
        on_existing = self._is_existing if tells_new else lambda: None
        return await self._send("POST", template, body, segments, repeatable=repeatable, on_existing=on_existing)

    async def put(self, template: str, body: Body, *, tells_new: bool = False, **segments: str) -> Raw:
        on_existing = self._is_existing if tells_new else lambda: None
        return await self._send("PUT", template, body, segments, repeatable=True, on_existing=on_existing)

    async def patch(self, template: str, body: Body, **segments: str) -> None:
        await self._send("PATCH", template, body, segments, repeatable=True)

    async def delete(self, template: str, **segments: str) -> None:
        try:
            await self._send("DELETE", template, None, segments, repeatable=True)
        except RequestRejected as error:
            if error.status != _NOT_FOUND:
                raise

    async def _send(
        self,
        method: Literal["POST", "PUT", "PATCH", "DELETE"],
        template: str,
        body: Json,
        segments: Mapping[str, str],
        *,
        repeatable: bool,
        on_existing: Callable[[], None] = lambda: None,
    ) -> Raw:
        kept = self._taken(method, template, body)
        path = _path(template, segments)
        return await self._api.write(method, path, kept, repeatable=repeatable, on_existing=on_existing) or {}

    def _is_existing(self) -> None:
        self.is_existing = True

    def _taken(self, method: str, template: str, body: Json) -> Json:
        """The body without what the route has no place for; what holds nothing is no loss, and not named."""
        unknown = self._fields.judge(method, template, body).unknown
        self._dropped |= {place for place in unknown if resolve(body, place) not in _NOTHING}
        return without(body, unknown) if unknown else body

    @property
    def version(self) -> tuple[int, ...]:
        return self._fields.version

    def raw(self, identifier: str) -> Raw | None:
        return self._rows.get(identifier)

    def is_new(self, identifier: str) -> bool:
        return identifier in self._new


def _path(template: str, segments: Mapping[str, str]) -> str:
    return template.format_map({name: segment(value) for name, value in segments.items()})
