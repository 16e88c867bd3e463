"""What a destination takes, and the sending of one record's writes to it (the ``Destination`` of ``kinds.base``)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal, Protocol

import msgspec

from bundle.canonical import resolve, without
from bundle.errors import RequestRejected
from bundle.kinds.base import Raw
from bundle.model import Api, Body, Json, Pointer
from bundle.openapi import Accepted, Verdict
from bundle.paths import segment
from bundle.snapshot import server_version

_NOT_FOUND = 404
_NOTHING: tuple[Json, ...] = (None, "", [], {})


_GLOBAL_TAG_LIMITS_SINCE = (3, 4, 19)


class TellingApi(Api, Protocol):
    """A server that can also be asked what it takes."""

    async def accepted_fields(self) -> Accepted | None: ...


class Fields(msgspec.Struct, frozen=True):
    """What the destination's version takes; where ``accepted`` is None, everything does.

    ``version`` is empty where the destination does not tell it.
    """

    accepted: Accepted | None = None
    version: tuple[int, ...] = ()

    @property
    def keeps_tag_limits_as_global(self) -> bool:
        return self.version >= _GLOBAL_TAG_LIMITS_SINCE

    def lacks(self, method: str, path: str) -> bool:
        """Whether the destination is known not to have a route."""
        return self.accepted is not None and not self.accepted.offers(method, path)

    def judge(self, method: str, path: str, body: Json) -> Verdict:
        """Where a body does not fit the route."""
        return Verdict() if self.accepted is None else self.accepted.judge(method, path, body)


async def read_version(api: Api) -> tuple[int, ...]:
    """The numbers of a server's version; none where it does not tell."""
    return _parsed(await server_version(api) or "")


async def read_fields(api: TellingApi, source_version: Json) -> Fields:
    """Ask a destination what it takes. One of the source's version takes what the source had, unasked.

    Raises:
        ServerError: it cannot be reached or refuses.
    """
    version = await server_version(api)
    numbers = _parsed(version or "")
    is_same = version is not None and version == source_version
    return Fields(version=numbers) if is_same else Fields(await api.accepted_fields(), numbers)


def _parsed(version: str) -> tuple[int, ...]:
    match = re.match(r"(\d+)\.(\d+)\.(\d+)", version)
    return tuple(map(int, match.groups())) if match else ()


ANY_FIELDS = Fields()
"""Of a destination that takes whatever is sent."""


class Offered(msgspec.Struct, frozen=True):
    """What the destination's version takes, and what was read from it (the ``Offer`` of ``kinds.base``)."""

    fields: Fields
    rows: Mapping[str, Raw]

    @property
    def version(self) -> tuple[int, ...]:
        return self.fields.version

    def takes(self, method: str, template: str, name: str) -> bool:
        return not self.fields.judge(method, template, {name: None}).unknown

    @property
    def keeps_tag_limits_as_global(self) -> bool:
        return self.fields.keeps_tag_limits_as_global

    def raw(self, identifier: str) -> Raw | None:
        return self.rows.get(identifier)


class Sender:
    """Sends the writes of one record, without fields that the destination does not take."""

    def __init__(self, api: Api, fields: Fields, rows: Mapping[str, Raw], new: set[str], mark: str = "") -> None:
        self._api = api
        self._fields = fields
        self._rows = rows
        self._new = new
        self.mark = mark
        self._dropped: set[Pointer] = set()

    @property
    def dropped(self) -> tuple[Pointer, ...]:
        return tuple(sorted(self._dropped))

    @property
    def is_cloud(self) -> bool:
        return self._api.is_cloud

    async def get(self, template: str, **segments: str) -> Json:
        return await self._api.get(_path(template, segments))

    async def post(self, template: str, body: Json, *, repeatable: bool = True, **segments: str) -> Raw:
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
        kept = self._taken(method, template, body)
        return await self._api.write(method, _path(template, segments), kept, repeatable=repeatable) or {}

    def _taken(self, method: str, template: str, body: Json) -> Json:
        """The body without what the route has no place for; what holds nothing is no loss, and not named."""
        unknown = self._fields.judge(method, template, body).unknown
        self._dropped |= {place for place in unknown if resolve(body, place) not in _NOTHING}
        return without(body, unknown) if unknown else body

    @property
    def keeps_tag_limits_as_global(self) -> bool:
        return self._fields.keeps_tag_limits_as_global

    @property
    def version(self) -> tuple[int, ...]:
        return self._fields.version

    def raw(self, identifier: str) -> Raw | None:
        return self._rows.get(identifier)

    def is_new(self, identifier: str) -> bool:
        return identifier in self._new


def _path(template: str, segments: Mapping[str, str]) -> str:
    return template.format_map({name: segment(value) for name, value in segments.items()})
