"""bundle.environment.read: lists are read whole, and a missing one is told from a wrong URL."""

from __future__ import annotations

import json

import httpx
import pytest

from bundle.environment.read import read_rows, server_version
from bundle.errors import AccessDenied, RequestRejected
from bundle.server.client import PrefectApi
from support.fake_prefect import FakePrefect
from support.moving import export
from support.offline import api_of, run
from support.seeded import plant
from support.tampering import Before, Tampering


def _answering(status: int, path: str, *, from_row: int = 0) -> Before:
    """Answers with an error in place of a route; of a list, from some row on."""

    def before(request: httpx.Request) -> httpx.Response | None:
        offset = json.loads(request.content or b"{}").get("offset", 0)
        is_meant = request.url.path.endswith(path) and offset >= from_row
        return httpx.Response(status, json={"detail": "Not Found"}) if is_meant else None

    return before


def _rows(before: Before) -> dict[str, int]:
    """How many rows of each kind are read of the seeded environment, one row a page."""
    fake = plant(FakePrefect())
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


def test_a_missing_list_that_every_server_has_means_a_wrong_url() -> None:
    """Prefect has always listed flows, so what has no such list is something else."""
    with pytest.raises(RequestRejected) as caught:
        _rows(_answering(404, "/flows/filter"))
    assert caught.value.status == 404


def test_a_list_that_breaks_off_is_no_shorter_list() -> None:
    """A route that answered a page exists; that it is missing at the next one ends the export, and loses no rows."""
    with pytest.raises(RequestRejected) as caught:
        _rows(_answering(404, "/automations/filter", from_row=1))
    assert caught.value.status == 404


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


def test_a_list_that_is_refused_is_not_a_missing_one() -> None:
    """Weak credentials are an error, even for a list that not every server has."""
    fake = plant(FakePrefect())
    with pytest.raises(AccessDenied):
        export(fake, Tampering(fake, _answering(403, "/saved_searches/filter")))
