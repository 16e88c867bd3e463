"""Sends the writes of one record to the destination (the ``Destination`` of ``kinds.base``)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

import msgspec

from bundle.errors import RequestRejected
from bundle.kinds.base import Raw
from bundle.model import Api, Body, Json
from bundle.paths import segment

_NOT_FOUND = 404


class Fields(msgspec.Struct, frozen=True):
    """What the destination's version takes and how it keeps tag limits."""

    accepted: Callable[[str, str], frozenset[str] | None]
    tag_limits_are_global: bool


class Sender:
    """Sends the writes of one record, without fields that the destination does not take."""

    def __init__(self, api: Api, fields: Fields, rows: Mapping[str, Raw], new: set[str]) -> None:
        self._api = api
        self._fields = fields
        self._rows = rows
        self._new = new
        self._dropped: set[str] = set()

    @property
    def dropped(self) -> tuple[str, ...]:
        return tuple(sorted(self._dropped))

    @property
    def is_cloud(self) -> bool:
        return self._api.is_cloud

    async def post(self, template: str, body: Body, *, repeatable: bool = True, **segments: str) -> Raw:
        return await self._send("POST", template, body, segments, repeatable=repeatable)

    async def put(self, template: str, body: Body, **segments: str) -> Raw:
        return await self._send("PUT", template, body, segments, repeatable=True)

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
    ) -> Raw:
        path = template.format_map({name: segment(value) for name, value in segments.items()})
        kept = self._taken(method, template, body)
        return await self._api.write(method, path, kept, repeatable=repeatable) or {}

    def _taken(self, method: str, template: str, body: Json) -> Json:
        accepted = self._fields.accepted(method, template)
        if accepted is None or not isinstance(body, dict):
            return body
        self._dropped |= body.keys() - accepted
        return {name: value for name, value in body.items() if name in accepted}

    @property
    def keeps_tag_limits_as_global(self) -> bool:
        return self._fields.tag_limits_are_global

    def raw(self, identifier: str) -> Raw | None:
        return self._rows.get(identifier)

    def is_new(self, identifier: str) -> bool:
        return identifier in self._new
