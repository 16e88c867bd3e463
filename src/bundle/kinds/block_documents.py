"""Block documents: named ones, and anonymous ones that something refers to.

The server answers nested documents inlined, with their secrets; each is put
back as a reference before anything else is done with the data.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any, ClassVar

import msgspec

from bundle.errors import AccessDenied
from bundle.kinds.base import Kind
from bundle.kinds.fields import OWN, Field
from bundle.kinds.protocols import Destination, Look, Made, Raw, Reader, made_of
from bundle.kinds.runnable import Run, as_object, members, server_of, urls
from bundle.model import Body, Json, JsonType, Pointer, Record, name_of
from bundle.record.pointers import exists, replace_all, resolve, split, walk
from bundle.record.secret_schema import MASK, holds_nothing, outermost, secret_places

_SENDERS = frozenset(
    """
    custom-webhook discord-webhook email-server-credentials mattermost-webhook ms-teams-webhook opsgenie-webhook
    pager-duty-webhook sendgrid-email slack-incoming-webhook slack-webhook twilio-sms webhook
    """.split()
)
_EMPTY = "_empty_secrets"
"""The member of a row with what the server masks and what is empty: pointers into the row, and the values there."""
_EVERY = {"block_documents": {"is_anonymous": None}, "include_secrets": False}


class _Nested(msgspec.Struct):
    id: str


class _Reference(msgspec.Struct):
    block_document: _Nested


class BlockDocument(Kind):
    name = "block"
    path = "/block_documents"
    access_route = "/block_documents/{id}/access"
    parent_kind = "block-type"
    parent_field = "block_type_id"
    fields: ClassVar = {
        "name": Field(str, fixed=True),
        "data": Field(dict[str, Any], required=True, needed=True),
        "block_schema_id": Field(str, required=True),
        "block_type_id": Field(str, required=True, fixed=True),
        "is_anonymous": Field(default=False, fixed=True),
        "block_schema": Field(dict[str, Any], travels=False),
        "block_document_references": Field(dict[str, _Reference], travels=False),
        _EMPTY: OWN,
        "block_type": OWN,
        "block_type_name": OWN,
    }
    unique_names = False
    name_form = r"[a-z0-9-]+"
    name_words = "it has lower-case letters, digits and - only"
    route_is_required = True
    rank = 20
    is_read = True

    async def read(self, reader: Reader) -> list[Raw]:
        """Anonymous documents are listed only when asked for."""
        rows = await reader.rows("/block_documents/filter", {**_EVERY, "sort": "BLOCK_TYPE_AND_NAME_ASC"})
        masked = [str(row["id"]) for row in rows if any(_masked(row))] if reader.is_deep else []
        return await _with_empty(rows, *self.revealing(masked), reader) if masked else rows

    async def count(self, reader: Reader) -> int | None:
        return await reader.count("/block_documents/count", {"block_documents": {"is_anonymous": None}})

    def revealing(self, identifiers: Collection[str]) -> tuple[str, Body]:
        """``POST /block_documents/filter`` with ``include_secrets``."""
        found = {"id": {"any_": list(identifiers)}, "is_anonymous": None}
        return "/block_documents/filter", {"block_documents": found, "include_secrets": True}

    def natural_name(self, raw: Raw, look: Look) -> str:
        name = "(anonymous)" if raw.get("is_anonymous") else raw["name"]
        return f"{look.name(raw['block_type_id'])}/{name}"

    def bound_name(self, body: Body, parent: str) -> str:
        return f"{parent}/(anonymous)" if body.get("is_anonymous") else super().bound_name(body, parent)

    def is_content_named(self, raw: Raw) -> bool:
        return bool(raw.get("is_anonymous"))

    def comes_along(self, body: Body) -> bool:
        return bool(body.get("is_anonymous"))

    def optional(self, raw: Raw, look: Look) -> str | None:
        return "unreferenced-anonymous" if raw.get("is_anonymous") else None

    def portable(self, raw: Raw, look: Look) -> Body:
        body = replace_all(super().portable(raw, look), raw.get(_EMPTY) or {})
        nested = {
            field: {"$ref": {"block_document_id": entry["block_document"]["id"]}}
            for field, entry in (raw.get("block_document_references") or {}).items()
        }
        if raw.get("is_anonymous"):
            body.pop("name", None)
        return body | {"data": {**(body.get("data") or {}), **nested}}

    def secret_places(self, raw: Raw, body: Body, look: Look) -> Mapping[Pointer, JsonType]:
        """By the document's schema and all others of its type: a field may be left from one of those."""
        own = {name: value for name, value in body["data"].items() if name not in _nested(raw)}
        places: dict[Pointer, JsonType] = {}
        for fields in _schemas(raw, look):
            places = secret_places(own, fields) | places
        return outermost({"/data" + pointer: kind for pointer, kind in places.items()})

    def by_hand(self, body: Body) -> Iterator[tuple[str, str]]:
        path = as_object(body.get("data")).get("basepath")
        if isinstance(path, str) and path.startswith(("/", "~")):
            yield "check-path", path

    def runs(self, record: Record) -> Iterator[Run]:
        data = record.body.get("data")
        yield from members(data, ("data",))
        slug = _type_of(record)
        if slug in _SENDERS:
            hosts = sorted({server_of(url) for url in urls(data)})
            yield "notification", "/data", f"{slug} to {', '.join(hosts) if hosts else 'an address that is a secret'}"

    def made_up_name(self, body: Body, mark: str) -> str | None:
        """In the server's own style, which would be ``anonymous-<uuid>``; names are unique inside a type."""
        return f"anonymous-{mark.rpartition(':')[2]}" if body.get("is_anonymous") else None

    async def create(self, to: Destination, body: Body) -> Made:
        """``POST /block_documents/``, which refuses a second one of a name."""
        name = self.made_up_name(body, to.mark)
        raw = await to.post("/block_documents/", body if name is None else body | {"name": name})
        return made_of(raw)

    async def update(self, to: Destination, made: Made, body: Body, names: Collection[str]) -> None:
        """``PATCH`` drops every nested reference that is not sent again, so the whole data go.

        Where secrets are hidden from us, the rest is merged around them.
        """
        data = {"data": _around(made, body["data"])} if made.hidden else {"data": body["data"]}
        changes = {name: body[name] for name in names} | data | {"merge_existing_data": bool(made.hidden)}
        await to.patch("/block_documents/{id}", changes, id=made.id)


def _masked(row: Raw) -> Iterator[Pointer]:
    """The places in a row where the server shows its mask."""
    return (place for place, value in walk({"data": row.get("data")}) if value == MASK)


async def _with_empty(rows: list[Raw], path: str, body: Body, reader: Reader) -> list[Raw]:
    """The rows with those masked values that are empty, and so no secrets; no other one is kept.

    The server masks them all. Where the credentials do not permit to see them, all count as secrets.
    """
    try:
        shown = {str(row["id"]): row for row in await reader.rows(path, body)}
    except AccessDenied:
        return rows
    return [row | {_EMPTY: _empty_in(row, shown.get(str(row["id"]), {}))} for row in rows]


def _empty_in(row: Raw, shown: Raw) -> Body:
    values = {place: resolve(shown, place) for place in _masked(row) if exists(shown, place)}
    return {place: value for place, value in values.items() if holds_nothing(value)}


def _schemas(raw: Raw, look: Look) -> Iterator[Json]:
    """The fields of every schema that may say something of a document, its own first."""
    own = look.raw(raw["block_schema_id"]) or raw.get("block_schema") or {}
    yield own.get("fields") or {}
    for schema in look.index("block-schema", "block_type_id").get(str(raw["block_type_id"]), ()):
        if schema["id"] != own.get("id"):
            yield schema["fields"]


def _type_of(record: Record) -> str:
    types = (each.target for each in record.references if each.pointer == "/block_type_id")
    return name_of(next(types, record.key.partition("/")[0]))


def _around(made: Made, data: Body) -> Body:
    """The data without members that hold hidden secrets; null where a member is to go."""
    hidden = {split(place)[1] for place in made.hidden}
    gone = dict.fromkeys((made.raw.get("data") or {}).keys() - data.keys())
    return {name: value for name, value in (gone | data).items() if name not in hidden}


def _nested(raw: Raw) -> frozenset[str]:
    return frozenset(raw.get("block_document_references") or {})


KIND = BlockDocument()
