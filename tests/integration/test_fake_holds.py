"""The fake server, filled like a real one, lists what that lists."""

from __future__ import annotations

import json
import re
from typing import Any

import httpx

from bundle.server.process import Server
from support.fake_prefect import BUILT_IN, TABLES, FakePrefect
from support.scenarios.talk import CHECKSUM, ID, SETS
from support.seeded import plant

Json = Any


def test_fake_holds_a_whole_environment(source_server: Server) -> None:
    """Filled by the same requests, the fake lists the same rows of every kind in the same order."""
    fake = plant(FakePrefect())
    real, faked = whole(source_server.url), whole(fake.url, fake.transport)

    for table in real:
        assert real[table] == faked[table], table


def whole(url: str, transport: httpx.BaseTransport | None = None) -> dict[str, Json]:
    """All rows but the built-in block types and schemas; ids by the place in the order of creation."""
    with httpx.Client(base_url=url, transport=transport, timeout=60, trust_env=False) as http:
        rows = {table: [row for row in every(http, table) if not is_built_in(row)] for table in TABLES}
        built_in = {row["id"]: slug_of(row) for table in TABLES for row in every(http, table) if is_built_in(row)}
    names = dict(built_in)
    for table, each in rows.items():
        in_order = sorted(each, key=lambda row: row["created"])
        names |= {row["id"]: f"{table} {place}" for place, row in enumerate(in_order)}
    return {table: [readable(row, names) for row in ordered(each, names)] for table, each in rows.items()}


def every(http: httpx.Client, table: str) -> list[dict[str, Json]]:
    rows: list[dict[str, Json]] = []
    body = {"block_documents": {"is_anonymous": None}} if table == "block_documents" else {}
    while page := http.post(f"/{table}/filter", json={**body, "offset": len(rows)}).json():
        rows += page
    return rows


def slug_of(row: dict[str, Json]) -> str:
    """The slug of a block type, also of a schema's; empty for other rows."""
    kind = row.get("block_type", row) if "checksum" in row else row
    return str(kind.get("slug", ""))


def is_built_in(row: dict[str, Json]) -> bool:
    """Whether every server has this block type or schema by itself; the fake has the ones that are used."""
    return "slug" in (row.get("block_type") or row) and not slug_of(row).startswith("acme-") and "data" not in row


def ordered(rows: list[dict[str, Json]], names: dict[str, str]) -> list[dict[str, Json]]:
    """As listed, but for names that hold an id, which sort by it, and made-up ones, which are random."""
    is_odd = any(ID.search(str(row.get("name"))) for row in rows)
    return sorted(rows, key=lambda row: names[row["id"]]) if is_odd else rows


def readable(value: Json, names: dict[str, str]) -> Json:
    if isinstance(value, dict):
        if slug_of(value) in BUILT_IN and "data" not in value:
            return f"built-in {slug_of(value)}"
        dropped = {"created", "updated"}
        return {
            readable(key, names): sorted(each) if key in SETS else readable(each, names)
            for key, each in value.items()
            if key not in dropped
        }
    if isinstance(value, list):
        is_union = all(isinstance(each, dict) and "block_schema_checksum" in each for each in value)
        shown = [readable(each, names) for each in value]
        return sorted(shown, key=json.dumps) if is_union else shown
    if not isinstance(value, str):
        return value
    value = ID.sub(lambda found: names.get(found[0], "(other)"), CHECKSUM.sub("(checksum)", value))
    return re.sub(r"\b[0-9a-f]{32}\b", "(hex)", value)
