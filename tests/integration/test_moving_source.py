"""A source that changes while it is exported."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from bundle.environment.read import changed_kinds, read_rows
from bundle.model import Event
from bundle.operations.export import export_environment
from bundle.server.client import PrefectApi
from bundle.server.process import Server
from support.environment import Size
from support.moving import CREATED
from support.targets import target

Change = Callable[[httpx.Client], httpx.Response]


def _first(client: httpx.Client, path: str) -> Any:
    return client.post(f"{path}/filter", json={}).raise_for_status().json()[0]


def _edit(path: str, body: Any, by: str = "id") -> Change:
    return lambda client: client.patch(f"{path}/{_first(client, path)[by]}", json=body)


def _add(path: str, body: Any) -> Change:
    return lambda client: client.post(f"{path}/", json=body)


CHANGES: list[tuple[str, Change]] = [
    ("variable", _edit("/variables", {"value": "changed"})),
    ("variable", _add("/variables", {"name": "new_one", "value": 1})),
    ("variable", lambda client: client.delete(f"/variables/{_first(client, '/variables')['id']}")),
    ("flow", _add("/flows", {"name": "a new one"})),
    ("deployment", _edit("/deployments", {"description": "changed"})),
    ("work-pool", _edit("/work_pools", {"description": "changed"}, by="name")),
    ("concurrency-limit", _edit("/v2/concurrency_limits", {"limit": 77})),
    ("automation", _edit("/automations", {"enabled": False})),
    ("block-type", _add("/block_types", {"name": "New", "slug": "new"})),
]


@pytest.fixture
def source(server_factory: Callable[[Size | None], Server]) -> Server:
    return server_factory(Size.SMALL)


def test_a_second_look_names_what_has_moved(source: Server) -> None:
    """After no change nothing is named; after each edit, creation or deletion just the kind that it concerns."""

    async def moved(change: Change | None) -> tuple[str, ...]:
        async with PrefectApi(target(source.url)) as api:
            before = await read_rows(api, deep=True)
            if change is not None:
                change(client).raise_for_status()
            return await changed_kinds(api, before)

    with httpx.Client(base_url=source.url, trust_env=False, follow_redirects=True) as client:
        assert asyncio.run(moved(None)) == ()
        for kind, change in CHANGES:
            assert asyncio.run(moved(change)) == (kind,)


def test_a_source_that_moves_once_is_read_again(source: Server) -> None:
    """A variable that is made while others are read is in the export, which is consistent."""
    made: list[str] = []

    def make_one(event: Event) -> None:
        if event.kind == "variable" and event.done and not made:
            made.append("late")
            httpx.post(
                f"{source.url}/variables/", json={"name": "late", "value": 1}, trust_env=False
            ).raise_for_status()

    async def run() -> Any:
        async with PrefectApi(target(source.url)) as api:
            return await export_environment(api, created=CREATED, on_event=make_one)

    exported = asyncio.run(run())
    assert exported.torn == ()
    assert "variable:late" in {placed.record.key for placed in exported.records}


def test_a_source_that_never_rests_is_called_torn(source: Server) -> None:
    """Where something changes during every reading, the export says which kind, and still has what it read."""
    count = 0

    def make_more(event: Event) -> None:
        nonlocal count
        if event.kind == "variable" and event.done:
            count += 1
            body = {"name": f"late_{count}", "value": 1}
            httpx.post(f"{source.url}/variables/", json=body, trust_env=False).raise_for_status()

    async def run() -> Any:
        async with PrefectApi(target(source.url)) as api:
            return await export_environment(api, created=CREATED, on_event=make_more)

    exported = asyncio.run(run())
    assert exported.torn == ("variable",)
    assert "variable:late_1" in {placed.record.key for placed in exported.records}
