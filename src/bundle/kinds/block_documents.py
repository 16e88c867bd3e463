"""Block documents: named ones, and anonymous ones that something refers to.

The server answers nested documents inlined, with their secrets; each is put
back as a reference before anything else is done with the data.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from bundle.kinds.base import Destination, Kind, Look, Made, Raw, Reader
from bundle.model import Body, JsonType, Pointer
from bundle.secrets import secret_places

_EVERY = {"block_documents": {"is_anonymous": None}, "include_secrets": False}


class BlockDocument(Kind):
    name = "block"
    path = "/block_documents"
    fields = frozenset({"name", "data", "block_schema_id", "block_type_id", "is_anonymous"})
    ignored = frozenset({"block_document_references", "block_schema", "block_type", "block_type_name"})
    unique_names = False
    required = frozenset({"data", "block_schema_id", "block_type_id"})
    defaults = {"is_anonymous": False}
    rank = 20

    async def read(self, reader: Reader) -> list[Raw]:
        """Anonymous documents are listed only when asked for."""
        return await reader.rows("/block_documents/filter", {**_EVERY, "sort": "BLOCK_TYPE_AND_NAME_ASC"})

    async def count(self, reader: Reader) -> int | None:
        return await reader.count("/block_documents/count", {"block_documents": {"is_anonymous": None}})

    def natural_name(self, raw: Raw, look: Look) -> str:
        name = "(anonymous)" if raw.get("is_anonymous") else raw["name"]
        return f"{look.name(raw['block_type_id'])}/{name}"

    def is_content_named(self, raw: Raw) -> bool:
        return bool(raw.get("is_anonymous"))

    def optional(self, raw: Raw, look: Look) -> str | None:
        return "unreferenced-anonymous" if raw.get("is_anonymous") else None

    def portable(self, raw: Raw, look: Look) -> Body:
        body = super().portable(raw, look)
        nested = {
            field: {"$ref": {"block_document_id": entry["block_document"]["id"]}}
            for field, entry in (raw.get("block_document_references") or {}).items()
        }
        if raw.get("is_anonymous"):
            body.pop("name", None)
        return body | {"data": {**(raw.get("data") or {}), **nested}}

    def secret_places(self, raw: Raw, body: Body, look: Look) -> Mapping[Pointer, JsonType]:
        schema = look.raw(raw["block_schema_id"]) or raw.get("block_schema") or {}
        own = {name: value for name, value in body["data"].items() if name not in _nested(raw)}
        return {"/data" + pointer: kind for pointer, kind in secret_places(own, schema.get("fields") or {}).items()}

    async def create(self, to: Destination, body: Body) -> Made:
        """``POST /block_documents/``; a second anonymous document would be a new one."""
        raw = await to.post("/block_documents/", body, repeatable=not body.get("is_anonymous"))
        return Made(str(raw["id"]), raw)

    async def update(self, to: Destination, made: Made, body: Body, names: Collection[str]) -> None:
        """``PATCH`` drops every nested reference that is not sent again, so the whole data go."""
        changes = {name: body[name] for name in names} | {"data": body["data"], "merge_existing_data": False}
        await to.patch("/block_documents/{id}", changes, id=made.id)


def _nested(raw: Raw) -> frozenset[str]:
    return frozenset(raw.get("block_document_references") or {})


KIND = BlockDocument()
