"""Request economy on real servers: how many requests an export, an import and a second import send, exactly."""

from __future__ import annotations

import asyncio
import io
from collections import Counter
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from bundle.client import PrefectApi, Sent
from bundle.container import read_bundle, write_bundle
from bundle.exporter import export_environment
from bundle.importer import carry_out, prepare
from bundle.model import Bundle
from bundle.servers import Server
from environment import Size
from moving import CREATED, bundle_of, target

Factory = Callable[[Size | None], Server]

PAGE = 200
SORTED_BY_UPDATE = ("automations", "deployments", "flows", "variables")
OTHERS = (
    "block_documents",
    "block_schemas",
    "block_types",
    "concurrency_limits",
    "saved_searches",
    "v2/concurrency_limits",
    "work_pools",
    "work_queues",
)
COUNTED = ("automations", "block_documents", "deployments", "flows", "variables", "work_pools")
# A GET each of /csrf-token, /admin/storage and /admin/version.
TOKEN = STORAGE = VERSION = 1
# One request for what only servers before 3.4 have.
POLICIES = 1


def rows_of(url: str) -> Counter[str]:
    """The number of rows on each route, anonymous documents among them."""
    found: Counter[str] = Counter()
    with httpx.Client(base_url=url, timeout=60, trust_env=False) as client:
        for route in (*SORTED_BY_UPDATE, *OTHERS):
            wanted: dict[str, Any] = {"block_documents": {"is_anonymous": None}} if route == "block_documents" else {}
            while page := client.post(f"/{route}/filter", json={**wanted, "offset": found[route]}).json():
                found[route] += len(page)
    return found


def pages(rows: int) -> int:
    """Requests that a list takes: full pages, a last one, and the empty page that ends it."""
    return -(-rows // PAGE) + 1


def all_pages(rows: Counter[str]) -> int:
    return sum(pages(rows[route]) for route in (*SORTED_BY_UPDATE, *OTHERS)) + POLICIES


def second_look(rows: Counter[str]) -> int:
    """What it takes to see that nothing has changed: sorted lists by their head and count, others whole."""
    heads = sum(2 if rows[route] else 1 for route in SORTED_BY_UPDATE)
    return heads + sum(pages(rows[route]) for route in OTHERS) + STORAGE + POLICIES


def export(url: str) -> tuple[Bundle, Sent]:
    """A bundle of the server and the requests that it took."""

    async def run() -> tuple[Bundle, Sent]:
        async with PrefectApi(target(url)) as api:
            exported = await export_environment(api, created=CREATED)
            buffer = io.BytesIO()
            write_bundle(exported.header, exported.records, buffer)
            buffer.seek(0)
            return read_bundle(buffer), api.sent

    return asyncio.run(run())


def replay(url: str, bundle: Bundle) -> tuple[Sent, Counter[str]]:
    """The requests of an import, and its writes by method and route; repeats after a 503 are left out of these."""
    writes: Counter[str] = Counter()

    async def run() -> Sent:
        async with PrefectApi(target(url)) as api:
            write = api.write

            async def counted(method: Any, path: str, *arguments: Any, **options: Any) -> Any:
                writes[f"{method} {path.split('/')[1]}"] += 1
                return await write(method, path, *arguments, **options)

            api.write = counted  # type: ignore[method-assign]
            await carry_out(await prepare(bundle, api), api)
            return api.sent

    return asyncio.run(run()), writes


@pytest.mark.parametrize("size", [None, Size.SMALL, Size.BULK])
def test_an_export_reads_pages_and_looks_again(server_factory: Factory, size: Size | None) -> None:
    """An export reads each page, counts what can be counted, asks who owns automations, and looks once more."""
    url = server_factory(size).url
    rows = rows_of(url)

    _, sent = export(url)

    owners = rows["deployments"] if rows["automations"] else 0
    reading = TOKEN + all_pages(rows) + STORAGE + len(COUNTED) + owners
    assert sent == Sent(reads=reading + second_look(rows) + VERSION, writes=0)


def test_a_first_import_reads_pages_and_writes_each_once(server_factory: Factory, source_server: Server) -> None:
    """An import into an empty server reads its pages once, and makes each resource with one write.

    A second write follows only where something must not start, or cannot be whole, before all has arrived.
    """
    bundle = bundle_of(source_server.url)
    url = server_factory(None).url
    before = rows_of(url)
    kinds = Counter(placed.record.kind for placed in bundle.records)
    schedules = [placed.record.body["schedules"] for placed in bundle.records if placed.record.body.get("schedules")]
    # A limit of runs can be set on a schedule that is there, one by one.
    limited = [each for each in schedules if any("max_scheduled_runs" in schedule for schedule in each)]

    sent, writes = replay(url, bundle)
    after = rows_of(url)

    # Before automations are switched on, one look at whether somebody else has made them too.
    look = pages(after["automations"])
    assert sent.reads == TOKEN + all_pages(before) + STORAGE + VERSION + look + len(limited)
    assert sent.writes >= writes.total()
    for route, kind in (("variables", "variable"), ("flows", "flow"), ("block_documents", "block")):
        assert writes[f"POST {route}"] == kinds[kind]
    for route in ("block_types", "block_schemas"):
        assert writes[f"POST {route}"] == after[route] - before[route]
    assert writes["POST automations"] == writes["PUT automations"] == kinds["automation"]
    assert writes["PUT saved_searches"] == kinds["saved-search"]
    assert writes["POST v2"] == kinds["concurrency-limit"] + kinds["tag-limit"]
    # Each pool brings its default queue along.
    assert writes["POST work_pools"] == kinds["work-queue"]
    assert writes["PATCH work_pools"] == kinds["work-pool"]
    deployments = writes["POST deployments"] + writes["PATCH deployments"]
    assert deployments <= kinds["deployment"] + len(schedules) + len(limited) + sum(map(len, limited))


@pytest.mark.parametrize("size", [Size.SMALL, Size.BULK])
def test_a_second_import_reads_pages_and_writes_nothing(server_factory: Factory, size: Size) -> None:
    """An import of what is there reads each page once, and those blocks once more that may hold our marker."""
    url = server_factory(size).url
    bundle, _ = export(url)
    rows = rows_of(url)
    secretive = sum(placed.record.kind == "block" and bool(placed.record.secrets) for placed in bundle.records)

    sent, writes = replay(url, bundle)

    revealed = pages(secretive) if secretive else 0
    assert sent == Sent(reads=TOKEN + all_pages(rows) + STORAGE + VERSION + revealed, writes=0)
    assert sent.reads <= 2 * all_pages(rows)
    assert writes.total() == 0
