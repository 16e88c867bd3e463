"""bundle.plan.server_state: what a server offers, what it takes of a bundle, and what has moved."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest

from bundle.plan.server_state import ServerState, offered_fields, read_server_state, what_moved
from bundle.server.openapi import parse_openapi
from bundle.server.published import newest
from bundle.server.tiers import ANY_TIER, TIERS, Tier
from support.seeded import seeded

FIELDS = {"flow": ("labels", "name", "tags"), "variable": ("name", "value")}
SERVER = ServerState("3.8.8", "ab" * 32, "self-hosted", FIELDS)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({}, []),
        ({"version": "3.9.1"}, ["version: 3.8.8, now 3.9.1"]),
        ({"version": None}, ["version: 3.8.8, now not said"]),
        ({"openapi": "cd" * 32}, ["what it takes (OpenAPI document): abababababab, now cdcdcdcdcdcd"]),
        ({"tier": "pro"}, ["tier: self-hosted, now pro"]),
        ({"fields": {**FIELDS, "flow": ("name", "tags")}, "openapi": "cd" * 32}, ["flow: no more labels"]),
        ({"fields": {**FIELDS, "variable": ("name", "tags", "value")}}, ["variable: now also tags"]),
        ({"fields": {"flow": FIELDS["flow"]}}, ["variable: not offered any more"]),
        ({"fields": {**FIELDS, "webhook": ("name",)}}, ["webhook: offered now"]),
    ],
)
def test_what_moved_is_named(changed: dict[str, object], words: list[str]) -> None:
    """Fields and kinds by name; the digest of the document only where no field says it better."""
    assert what_moved(SERVER, msgspec.structs.replace(SERVER, **changed)) == words


def test_what_was_not_noted_cannot_have_moved() -> None:
    """A state that says nothing but the version is compared by that."""
    assert what_moved(ServerState("3.8.8", None, "self-hosted"), SERVER) == []


class Workspace:
    """A workspace of Cloud, which says neither a version nor what it takes."""

    is_cloud = True
    url = "https://api.prefect.cloud/api/accounts/a/workspaces/w"

    async def accepted_fields(self) -> None:
        return None


@pytest.mark.parametrize(("tier", "name"), [(ANY_TIER, "cloud"), (TIERS["pro"], "pro")])
def test_a_workspace_is_known_by_its_tier(tier: Tier, name: str) -> None:
    """That which its user says, else that it is one of Cloud."""
    assert asyncio.run(read_server_state(Workspace(), tier)) == ServerState(None, None, name)  # type: ignore[arg-type]


def test_fields_are_those_of_the_creating_requests() -> None:
    """With those of the objects inside, as far as releases differ in them; kinds that are not offered are missing."""
    schema: Any = {"properties": {"name": {}, "schedules": {"items": {"properties": {"slug": {}}}}}}
    body = {"requestBody": {"content": {"application/json": {"schema": schema}}}}
    accepted = parse_openapi({"paths": {"/deployments/": {"post": body}}})
    assert offered_fields(accepted, (3, 8, 8)) == {"deployment": {"name", "schedules", "schedules.slug"}}


def test_a_state_takes_of_a_bundle_what_its_server_would() -> None:
    """By names alone: what the newest Prefect takes of everything, and nothing of what it lacks."""
    version = (3, 9, 1)
    fields = {kind: tuple(sorted(names)) for kind, names in offered_fields(newest(), version).items()}
    takes = ServerState("3.9.1", None, "self-hosted", fields).takes_of(seeded())
    slugless = [name for name in fields["deployment"] if name not in {"schedules.slug", "version"}]
    lacks = ServerState("3.9.0", None, "self-hosted", {"deployment": tuple(slugless)}).takes_of(seeded())
    body = {"name": "x", "version": "1", "schedules": [{"slug": "a", "active": True}], "tags": ["x"], "path": None}

    assert takes.judge("POST", "/deployments/", body).unknown == ()
    assert lacks.judge("POST", "/deployments/", body).unknown == ("/version", "/schedules/0/slug")
    options = {"concurrency_options": {"collision_strategy": "ENQUEUE", "odd": 1}}
    assert takes.judge("POST", "/deployments/", options).unknown == ("/concurrency_options/odd",)
    assert takes.judge("POST", "/deployments/", {"schedules": "none", "concurrency_options": None}).refused == ()
    assert lacks.lacks("POST", "/flows/")
    assert not takes.lacks("POST", "/flows/")
    assert ServerState("3.8.8", None, "self-hosted", {}).takes_of(seeded()).accepted is None
