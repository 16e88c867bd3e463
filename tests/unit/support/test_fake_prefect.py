"""What the fake server does that no real one does: it fails on demand, keeps account, and is the same every time."""

from __future__ import annotations

import httpx
import pytest

from bundle.server.openapi import Misfits, parse_openapi
from support.fake_prefect import FakePrefect, How
from support.scenarios import SCENARIOS
from support.scenarios.asks import get, post
from support.scenarios.talk import Talk
from support.seeded import plant


def write(fake: FakePrefect, name: str = "f") -> int:
    """The status of a write; 0 when there is no answer."""
    with httpx.Client(base_url=fake.url, transport=fake.transport) as http:
        try:
            return http.post("/variables/", json={"name": name, "value": 1}).status_code
        except httpx.TransportError:
            return 0


@pytest.mark.parametrize(
    ("how", "status", "is_done"),
    [
        ("reset", 0, False),
        ("lost", 0, True),
        ("timeout", 0, True),
        ("busy", 503, False),
        ("too-many", 429, False),
        ("error", 500, False),
        ("denied", 401, False),
        ("gateway", 502, True),
        ("race", 409, True),
    ],
)
def test_fake_fails_on_demand(how: How, status: int, *, is_done: bool) -> None:
    """The write that was named fails as told, the others do not."""
    fake = FakePrefect()
    fake.fail(1, how)

    assert [write(fake, name) for name in "abc"] == [201, status, 201]
    assert [row["name"] for row in fake.rows("variables")] == (["a", "b", "c"] if is_done else ["a", "c"])
    assert [seen.status for seen in fake.writes] == [201, status, 201]


def test_fake_counts_requests() -> None:
    """Requests are counted by route; writes are kept with their bodies; a reset forgets both, and no data."""
    fake = FakePrefect()
    list(Talk(fake.url, fake.transport).run(SCENARIOS["queue priorities"]))
    routes, bodies = fake.counts, [seen.body for seen in fake.writes]
    fake.reset()

    assert routes["POST /work_pools/{pool}/queues"] == 7
    assert routes["PATCH /work_queues/{id}"] == 3
    assert routes["POST /{table}/filter"] == 1
    assert bodies[0] == {"name": "p", "type": "process"}
    assert (fake.seen, len(fake.tables["work_queues"])) == ([], 6)


def test_fakes_of_one_seed_are_equal() -> None:
    """The same requests give the same ids, times and checksums; another seed gives other ids."""
    first, again, other = FakePrefect(seed=1), FakePrefect(seed=1), FakePrefect(seed=2)
    for fake in (first, again, other):
        plant(fake)

    assert first.tables == again.tables
    assert not first.tables["block_types"].keys() & other.tables["block_types"].keys()
    assert checksums(first) == checksums(other)


def test_checksums_drift_on_demand() -> None:
    """With drift no two servers give a schema one checksum, and one server still recognises its own."""
    one, other = FakePrefect(seed=1, drift=True), FakePrefect(seed=2, drift=True)
    for fake in (one, other):
        plant(fake)

    assert not checksums(one) & checksums(other)
    assert len(checksums(one)) == len(checksums(FakePrefect())) + 9


def checksums(fake: FakePrefect) -> set[str]:
    return {row["checksum"] for row in fake.tables["block_schemas"].values()}


def test_fake_pages_by_its_own_limit() -> None:
    """Another default limit cuts the pages and refuses more."""
    fake = FakePrefect(default_limit=2)
    for name in "abc":
        write(fake, name)
    asks = [post("/variables/filter", body) for body in ({}, {"limit": 2, "offset": 2}, {"limit": 3})]
    pages = [answer for _, _, answer in Talk(fake.url, fake.transport).run(asks)]

    assert [len(page) for page in pages[:2]] == [2, 1]
    assert pages[2] == {"detail": "Invalid limit: must be less than or equal to 2."}


def test_fake_can_lack_what_older_servers_lack() -> None:
    """A field that is lacking is refused, a route that is lacking is not found, and the OpenAPI document says so."""
    lacks = {"POST /work_pools/": ["storage_configuration"], "GET /admin/storage": None, "PUT /admin/storage": None}
    fake = FakePrefect(lacks=lacks)
    asks = [
        post("/work_pools/", {"name": "p", "storage_configuration": {}}),
        get("/admin/storage"),
        get("/openapi.json"),
    ]
    (_, first, _), (_, second, _), (_, _, document_) = Talk(fake.url, fake.transport).run(asks)
    accepted = parse_openapi(document_)

    assert (first, second) == (422, 404)
    assert accepted.judge("POST", "/work_pools/", {"name": "", "storage_configuration": {}}) == Misfits(
        unknown=("/storage_configuration",)
    )
    assert accepted.judge("PATCH", "/flows/{id}", {"tags": [], "name": ""}) == Misfits(unknown=("/name",))
    assert not accepted.offers("GET", "/admin/storage")
