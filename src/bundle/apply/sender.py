"""Sends the writes of one record: the ``Destination`` of ``kinds.base``. What the server does not take is left out.

A server that publishes what it takes is believed. Where one does not (Cloud), its refusal names the members that it
forbids: they are left out once, and from then on out of every such request of the run.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

from bundle.errors import RequestRejected
from bundle.kinds.protocols import Raw
from bundle.model import Api, Body, Json, Pointer
from bundle.plan.capabilities import Fields
from bundle.record.pointers import exists, join, outermost, resolve, without
from bundle.server.urls import segment

_NOT_FOUND = 404
_NOTHING: tuple[Json, ...] = (None, "", [], {})
# What pydantic calls a member that a model forbids, in its second and in its first version.
_FORBIDDEN = frozenset({"extra_forbidden", "value_error.extra"})
Forbidden = dict[tuple[str, str], set[Pointer]]
"""The members that a destination has refused to know, by route; shared by all writes of a run."""


class Sender:
    """Sends the writes of one record, without fields that the destination does not take."""

    def __init__(
        self,
        api: Api,
        fields: Fields,
        rows: Mapping[str, Raw],
        new: set[str],
        mark: str = "",
        *,
        forbidden: Forbidden | None = None,
    ) -> None:
        self._api = api
        self._fields = fields
        self._rows = rows
        self._new = new
        self.mark = mark
        self._forbidden: Forbidden = {} if forbidden is None else forbidden
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

        async def send(taken: Json) -> Raw:
            return await self._api.write(method, path, taken, repeatable=repeatable, on_existing=on_existing) or {}

        try:
            return await send(kept)
        except RequestRejected as error:
            extra = {place for field, kind in error.fields if kind in _FORBIDDEN if (place := _place_of(field, kept))}
            if not extra:
                raise
        self._forbidden.setdefault((method, template), set()).update(extra)
        return await send(self._taken(method, template, kept))

    def _is_existing(self) -> None:
        self.is_existing = True

    def _taken(self, method: str, template: str, body: Json) -> Json:
        """The body without what the route has no place for; what holds nothing is no loss, and not named."""
        forbidden = (each for each in self._forbidden.get((method, template), ()) if exists(body, each))
        unknown = outermost((*self._fields.judge(method, template, body).unknown, *forbidden))
        self._dropped |= {place for place in unknown if resolve(body, place) not in _NOTHING}
        return without(body, unknown) if unknown else body

    @property
    def version(self) -> tuple[int, ...]:
        return self._fields.version

    def raw(self, identifier: str) -> Raw | None:
        return self._rows.get(identifier)

    def is_new(self, identifier: str) -> bool:
        return identifier in self._new


def _place_of(field: str, body: Json) -> Pointer | None:
    """Where in a body a fault is, which a server calls ``body.schedules.0.extra``; None where no member is there.

    Which of several models a value was held against is part of such a name and of no body.
    """
    tokens: list[str] = []
    for token in field.split(".")[1:]:
        if exists(body, join(*tokens, token)):
            tokens.append(token)
    is_member = tokens and field.endswith(tokens[-1]) and isinstance(resolve(body, join(*tokens[:-1])), dict)
    return join(*tokens) if is_member else None


def _path(template: str, segments: Mapping[str, str]) -> str:
    return template.format_map({name: segment(value) for name, value in segments.items()})
