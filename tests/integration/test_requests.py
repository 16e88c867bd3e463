"""Request economy on real servers: how many requests each command sends, exactly."""

from __future__ import annotations

import asyncio
import io
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest

from bundle.container.reader import read_bundle
from bundle.container.writer import write_bundle
from bundle.kinds import KINDS
from bundle.model import Bundle
from bundle.operations.export import export_environment
from bundle.operations.import_ import carry_out, prepare
from bundle.server.client import PrefectApi
from bundle.server.process import Server
from bundle.server.responses import Sent
from conftest import ServerPool
from support.commands import xfer
from support.environment import Size
from support.moving import CREATED, bundle_of, written
from support.moving import export as find
from support.proxy import Proxy
from support.targets import target

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
# The deployments of an environment on which automations act otherwise than by running them in their actions.
ASKED = 3
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
    """An export reads each page, counts what can be counted, asks who can own automations, and looks again.

    Blocks with masked values are read once more, to see which of them are empty.
    """
    url = server_factory(size).url
    rows = rows_of(url)

    bundle, sent = export(url)

    reading = TOKEN + all_pages(rows) + STORAGE + len(COUNTED) + (ASKED if rows["automations"] else 0)
    secretive = sum(placed.record.kind == "block" and bool(placed.record.secrets) for placed in bundle.records)
    masked = pages(secretive) if secretive else 0
    assert sent == Sent(reads=reading + masked + second_look(rows) + VERSION, writes=0)


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


class Asked(NamedTuple):
    """The requests of one command: how many read, and how many wrote."""

    reads: int
    writes: int


@pytest.fixture(scope="module")
def door(server_pool: ServerPool) -> Iterator[Proxy]:
    """A filled server behind something that counts."""
    server = server_pool.take(Size.SMALL)
    with Proxy(server.url) as proxy:
        yield proxy
    server_pool.give_back(server)


@pytest.fixture(scope="module")
def kept(door: Proxy, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A bundle of that server."""
    path = tmp_path_factory.mktemp("kept") / "env.pxb"
    path.write_bytes(written(find(door.url)))
    return str(path)


def ask(door: Proxy, *arguments: str) -> Asked:
    """Run a command that must find nothing outstanding, and count; a write that met a locked database is repeated."""
    door.reset()
    ended = xfer(*arguments)
    assert ended.code == 0, ended.err
    writes = [each for each in door.writes if each.status != httpx.codes.SERVICE_UNAVAILABLE]
    return Asked(len(door.requests) - len(door.writes), len(writes))


def test_commands_that_only_look(door: Proxy, kept: str) -> None:
    """Each of them reads every page once; what more it asks is known, and none writes."""
    rows = rows_of(door.url)
    secretive = sum(
        placed.record.kind == "block" and bool(placed.record.secrets) for placed in read_bundle(Path(kept)).records
    )
    look = TOKEN + all_pages(rows) + STORAGE
    # Where all is compared, which masked values are empty; then which secrets are placeholders.
    masked = revealed = pages(secretive)

    assert ask(door, "plan", kept, "--to", door.url) == Asked(look + VERSION + revealed, 0)
    assert ask(door, "import", kept, "--to", door.url, "--dry-run") == Asked(look + VERSION + revealed, 0)
    assert ask(door, "verify", kept, "--to", door.url) == Asked(look + VERSION + ASKED + masked + revealed, 0)
    assert ask(door, "diff", kept, door.url) == Asked(look + ASKED + masked, 0)
    assert ask(door, "activate", kept, "--to", door.url, "--dry-run") == Asked(look, 0)
    assert ask(door, "inspect", kept) == ask(door, "verify", kept) == Asked(0, 0)


def test_a_check_counts_instead_of_reading(door: Proxy) -> None:
    """What the server can count is counted; only the rest is listed, and work pools for their types."""
    rows = rows_of(door.url)
    listed = sum(pages(rows[route]) for route in (*OTHERS,) if route not in COUNTED or route == "work_pools")
    probes = 2  # /health, and a small read that needs the credentials
    settings = openapi = 1
    counted = len(COUNTED) - 1

    found = ask(door, "check", "--from", door.url)

    assert found == Asked(probes + TOKEN + VERSION + settings + openapi + counted + listed + STORAGE + POLICIES, 0)


def test_switching_sends_one_write_for_each_switch(door: Proxy, kept: str, tmp_path: Path) -> None:
    """Off and on again, each pool, deployment, schedule and automation takes one write, and nothing else any."""
    records = [placed.record for placed in read_bundle(Path(kept)).records]
    on = sum(is_on for record in records for is_on in KINDS[record.kind].switches(record.body).values())
    state = str(tmp_path / "state.pxb")

    off = ask(door, "deactivate", "--from", door.url, "-o", state)
    back = ask(door, "activate", state, "--to", door.url)

    assert off.writes == back.writes == on
    assert back.reads == TOKEN + all_pages(rows_of(door.url)) + STORAGE
    assert ask(door, "activate", state, "--to", door.url).writes == 0
