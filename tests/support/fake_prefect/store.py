"""The rows of the fake server: how they are kept, found, refused and deleted, whatever their kind."""

from __future__ import annotations

import copy
import datetime as dt
import hashlib
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

Json = Any
Row = dict[str, Any]
Answer = tuple[int, Json]

INTEGRITY = (
    "Data integrity conflict. This usually means a unique or foreign key constraint was violated. "
    "See server logs for details."
)


@dataclass(frozen=True)
class Table:
    """How the rows of one kind are found, listed and refused."""

    missing: str
    order: str = "NAME_ASC"
    counted: bool = False


TABLES: Mapping[str, Table] = {
    "flows": Table("Flow not found", counted=True),
    "deployments": Table("Deployment not found", counted=True),
    "work_pools": Table('Work pool "{}" not found.', counted=True),
    "work_queues": Table("work queue not found"),
    "block_types": Table("Block type not found"),
    "block_schemas": Table("Block schema not found", "CREATED_DESC"),
    "block_documents": Table("Block document not found", counted=True),
    "variables": Table("Variable not found.", counted=True),
    "v2/concurrency_limits": Table("Concurrency Limit not found"),
    "automations": Table("Automation not found", counted=True),
    "saved_searches": Table("Saved search not found"),
}
LIMITS = "v2/concurrency_limits"


# Whose rows go with a row, and which rows only lose their link to it.
_OWNED: Mapping[str, tuple[tuple[str, str], ...]] = {
    "flows": (("deployments", "flow_id"),),
    "work_pools": (("work_queues", "work_pool_id"),),
    "block_types": (("block_schemas", "block_type_id"), ("block_documents", "block_type_id")),
    "block_schemas": (("block_documents", "block_schema_id"),),
    "block_documents": (("deployments", "storage_document_id"), ("deployments", "infrastructure_document_id")),
}
_LINKED: Mapping[str, tuple[tuple[str, str], ...]] = {
    "work_queues": (("deployments", "work_queue_id"),),
    LIMITS: (("deployments", "concurrency_limit_id"),),
}


class RefusedError(Exception):
    """The server says no."""

    def __init__(self, status: int, detail: str = "", **body: Json) -> None:
        self.status = status
        self.body = body or {"detail": detail}


def invalid(*faults: tuple[str, Iterable[str | int]]) -> RefusedError:
    """A 422 as Prefect words it: a type and a place for each fault."""
    details = [{"type": kind, "loc": ["body", *place]} for kind, place in faults]
    return RefusedError(422, exception_message="Invalid request received.", exception_detail=details)


class Store:
    """All rows by kind and id; ids and times depend on ``seed`` and on what was done before, on nothing else."""

    def __init__(self, kinds: Mapping[str, Table], *, seed: int, default_limit: int, version: str, drift: bool) -> None:
        self.seed, self.drift, self.version, self.default_limit = seed, drift, version, default_limit
        self.kinds = kinds
        self.tables: dict[str, dict[str, Row]] = {name: {} for name in kinds}
        self.flow_runs: list[Row] = []
        self.result_storage: str | None = None
        self.owners: dict[str, str] = {}
        self._ticks = 0

    def now(self) -> str:
        self._ticks += 1
        moment = dt.datetime(2025, 1, 1) + dt.timedelta(microseconds=self._ticks)  # noqa: DTZ001 - made up
        return f"{moment.isoformat(timespec='microseconds')}Z"

    def new_id(self) -> str:
        self._ticks += 1
        digest = hashlib.sha256(f"{self.seed} {self._ticks}".encode()).digest()
        return str(uuid.UUID(bytes=digest[:16], version=4))

    def insert(self, table: str, fields: Mapping[str, Json]) -> Row:
        row = {"id": self.new_id(), "created": (now := self.now()), "updated": now, **copy.deepcopy(dict(fields))}
        self.tables[table][row["id"]] = row
        return row

    def update(self, row: Row, fields: Mapping[str, Json]) -> Answer:
        row.update(copy.deepcopy(dict(fields)), updated=self.now())
        return 204, None

    def rows(self, table: str, **fields: Json) -> list[Row]:
        """The stored rows whose fields have these values."""
        return [row for row in self.tables[table].values() if not fields or fields.items() <= row.items()]

    def find(self, table: str, name: str, **fields: Json) -> Row:
        """The row of an id or a name; 404 if there is none."""
        found = self.tables[table].get(name) or next(iter(self.rows(table, name=name, **fields)), None)
        if found is None and table == "automations":
            raise RefusedError(404, exception_message=self.kinds[table].missing)
        if found is None:
            raise RefusedError(404, self.kinds[table].missing.format(name))
        return found

    def refuse_twice(self, table: str, detail: str = INTEGRITY, **fields: Json) -> None:
        if self.rows(table, **fields):
            raise RefusedError(409, detail)

    def drop(self, table: str, identifier: str | None) -> None:
        """Delete a row, what belongs to it, and every link to it."""
        if self.tables[table].pop(identifier or "", None) is None:
            return
        for other, field in _OWNED.get(table, ()):
            for row in self.rows(other, **{field: identifier}):
                self.drop(other, row["id"])
        for other, field in _LINKED.get(table, ()):
            for row in self.rows(other, **{field: identifier}):
                row[field] = None
        for row in self.tables["block_documents"].values():
            row["references"] = {key: each for key, each in row["references"].items() if each != identifier}
        if self.result_storage == identifier:
            self.result_storage = None

    def page(self, body: Row, rows: list[Row]) -> list[Row]:
        limit, offset = body.get("limit"), body.get("offset") or 0
        if limit is not None and limit > self.default_limit:
            raise RefusedError(422, f"Invalid limit: must be less than or equal to {self.default_limit}.")
        if offset < 0:
            raise invalid(("greater_than_equal", ["offset"]))
        return rows[offset:][: self.default_limit if limit is None else limit]
