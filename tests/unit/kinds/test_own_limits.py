"""The concurrency limit of a deployment's own."""

from __future__ import annotations

import asyncio
from typing import Any

from bundle.errors import RequestRejected
from bundle.kinds.own_limits import limit_of, link_limit
from bundle.kinds.protocols import Made
from support.one_kind import ID, OTHER, Sent

NAME = f"deployment:{ID}"
USUAL = {"active": True, "slot_decay_per_second": 0.0}
ROUTE = f"/v2/concurrency_limits/{NAME}"
WITH_OWN = {"id": ID, "global_concurrency_limit": {"id": "l", "name": NAME, "limit": 1}}
WITHOUT = {"id": ID}


def linked(raw: dict[str, Any], body: dict[str, Any], to: Sent | None = None) -> tuple[dict[str, Any], list[list[Any]]]:
    """What is to be linked, and the requests before that."""
    to = to or Sent()
    return asyncio.run(link_limit(to, Made(ID, raw), body)), to.requests


def test_an_unusual_limit_travels_whole() -> None:
    """What every own limit has is left out; one that is not active, or decays, says so."""
    usual = {"name": NAME, "limit": 3, **USUAL}
    found = [limit_of({"id": ID, "global_concurrency_limit": each}) for each in (usual, {**usual, "active": False})]
    assert found == [
        {"concurrency_limit": 3},
        {"concurrency_limit": 3, "own_limit": {"active": False, "slot_decay_per_second": 0.0}},
    ]


def test_the_name_of_another_deployment_is_shared() -> None:
    """A limit is a deployment's own only if it has its id in the name."""
    raw = {"id": ID, "global_concurrency_limit": {"id": "l", "name": f"deployment:{OTHER}", "limit": 3}}
    assert limit_of(raw) == {"global_concurrency_limit_id": "l", "concurrency_limit": None}
    assert limit_of(WITHOUT) == {}


def test_a_new_one_is_created_and_linked() -> None:
    """Its name has the deployment's id."""
    link, requests = linked(WITHOUT, {"concurrency_limit": 2, "own_limit": {"active": False}})
    assert link == {"global_concurrency_limit_id": ID}
    body = {"name": NAME, "limit": 2, "active": False, "slot_decay_per_second": 0.0}
    assert requests == [["POST", "/v2/concurrency_limits/", body]]


def test_one_that_is_left_of_an_earlier_run_is_taken_over() -> None:
    """Where there is one of that name, it is changed and linked."""
    conflict = RequestRejected("exists", status=409, hint="")
    to = Sent(answers={"POST /v2/concurrency_limits/": [conflict], f"GET {ROUTE}": [{"id": OTHER}]})
    link, requests = linked(WITHOUT, {"concurrency_limit": 2}, to)
    assert link == {"global_concurrency_limit_id": OTHER}
    assert requests[1:] == [["PATCH", ROUTE, {"limit": 2, **USUAL}], ["GET", ROUTE, None]]


def test_the_own_one_is_changed_where_it_is() -> None:
    """And stays linked."""
    assert linked(WITH_OWN, {"concurrency_limit": 5}) == ({}, [["PATCH", ROUTE, {"limit": 5, **USUAL}]])


def test_the_own_one_is_deleted_when_it_is_not_wanted() -> None:
    """With it goes the link; a shared one takes its place where there is one."""
    deletion = [["DELETE", ROUTE, None]]
    assert linked(WITH_OWN, {}) == ({}, deletion)
    assert linked(WITH_OWN, {"global_concurrency_limit_id": "s"}) == ({"global_concurrency_limit_id": "s"}, deletion)


def test_a_shared_one_is_linked_and_never_written() -> None:
    """Or unlinked, where none is wanted."""
    assert linked(WITHOUT, {"global_concurrency_limit_id": "s"}) == ({"global_concurrency_limit_id": "s"}, [])
    assert linked(WITHOUT, {}) == ({"global_concurrency_limit_id": None}, [])
