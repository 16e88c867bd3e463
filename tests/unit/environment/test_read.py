"""bundle.environment.read: lists are read whole, and a missing one is told from a wrong URL."""

from __future__ import annotations

import copy
import functools
import json

import httpx
import pytest

from bundle.container.manifest import account_problem
from bundle.environment.read import read_rows, server_version
from bundle.errors import AccessDenied, RequestRejected
from bundle.kinds import KINDS
from bundle.kinds.base import Kind
from bundle.model import Member
from bundle.operations.export import Exported
from bundle.server.client import PrefectApi
from support.fake_prefect import FakePrefect
from support.moving import export
from support.offline import api_of, run
from support.seeded import plant
from support.tampering import Before, Tampering

SEEDED = {"flow", "deployment", "work-pool", "work-queue", "block-type", "block-schema", "block", "variable"} | {
    "concurrency-limit", "tag-limit", "automation", "saved-search",
}  # fmt: skip


@functools.cache
def _planted() -> FakePrefect:
    return plant(FakePrefect())


def _answering(status: int, path: str, *, from_row: int = 0) -> Before:
    """Answers with an error in place of a route; of a list, from some row on."""

    def before(request: httpx.Request) -> httpx.Response | None:
        offset = json.loads(request.content or b"{}").get("offset", 0)
        is_meant = request.url.path.endswith(path) and offset >= from_row
        return httpx.Response(status, json={"detail": "Not Found"}) if is_meant else None

    return before


def _rows(before: Before) -> dict[str, int]:
    """How many rows of each kind are read of the seeded environment, one row a page."""
    fake = copy.deepcopy(_planted())
    fake.default_limit = 1

    async def read() -> dict[str, int]:
        async with api_of(fake, Tampering(fake, before)) as api:
            return {kind: len(rows) for kind, rows in (await read_rows(api, deep=False)).rows.items()}

    return run(read())


@pytest.mark.parametrize("status", [404, 405])
def test_a_missing_list_means_an_older_server(status: int) -> None:
    """Where not every server has a list, one that is missing reads as empty, and the others are read."""
    rows = _rows(_answering(status, "/saved_searches/filter"))
    assert (rows["saved-search"], rows["flow"] > 1) == (0, True)


def test_lists_that_are_all_missing_mean_a_wrong_url() -> None:
    """What has none of the lists that every Prefect has is something else."""
    with pytest.raises(RequestRejected) as caught:
        _rows(_answering(404, "/filter"))
    assert caught.value.status == 404


def test_wrong_credentials_are_an_error() -> None:
    """Where nothing may be read, there is nothing to give an account of."""
    with pytest.raises(AccessDenied):
        export(fake := plant(FakePrefect()), Tampering(fake, _answering(401, "/filter")))


def _version(before: Before | None) -> str | None:
    fake = FakePrefect(version="3.4.19")

    async def ask(api: PrefectApi) -> str | None:
        async with api:
            return await server_version(api)

    async def asked() -> str | None:
        return await ask(api_of(fake, Tampering(fake, before)))

    return run(asked())


def test_a_server_says_its_version() -> None:
    """It is what ``GET /admin/version`` answers."""
    assert _version(None) == "3.4.19"


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_version_that_is_refused_is_not_known(status: int) -> None:
    """A proxy may let lists through and nothing of ``/admin``; that stops no export."""
    assert _version(_answering(status, "/admin/version")) is None


@pytest.mark.parametrize(("status", "from_row"), [(403, 0), (404, 0), (404, 1)])
@pytest.mark.parametrize("kind", [kind for kind in KINDS.values() if kind.name in SEEDED], ids=lambda kind: kind.name)
def test_a_kind_that_may_not_be_read_is_accounted_for(kind: Kind, status: int, from_row: int) -> None:
    """One kind that is refused, or breaks off, is no empty one: it is named as unreadable, and the rest travels."""
    fake = copy.deepcopy(_planted())
    fake.default_limit = 1 if from_row else 200
    found = export(fake, Tampering(fake, _answering(status, f"{kind.path}/filter", from_row=from_row)))
    unreadable = {each.kind for each in found.header.left_out if each.reason == "unreadable"}
    kinds = {placed.record.kind for placed in found.records}

    is_old = status == 404 and not from_row and not kind.route_is_required
    assert (kind.name in unreadable) != is_old
    assert kind.name not in kinds or kind.name == "tag-limit"
    assert {"variable", "flow"} - {kind.name} <= kinds
    assert account_problem(found.header.census, found.header.left_out, _members(found)) is None


def _members(found: Exported) -> list[Member]:
    return [Member("", each.record.kind, 0, 1, 1, "") for each in found.records]
