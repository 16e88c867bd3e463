"""bundle.openapi: which properties a server's request bodies may have."""

from __future__ import annotations

from typing import Any

import pytest

from bundle.openapi import Accepted, parse_openapi


def _body(schema: Any) -> dict[str, Any]:
    return {"requestBody": {"content": {"application/json": {"schema": schema}}}}


def _reference(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


DOCUMENT: dict[str, Any] = {
    "servers": [{"url": "/api"}],
    "paths": {
        "/deployments/": {"post": _body(_reference("DeploymentCreate"))},
        "/work_pools/{name}": {"patch": _body(_reference("PoolUpdate")), "get": {}},
        "/flow_runs/{id}/labels": {"patch": _body({"type": "object", "additionalProperties": True})},
        "/logs/": {"post": _body({"type": "array", "items": _reference("Options")})},
        "/loop/": {"post": _body(_reference("Loop"))},
    },
    "components": {
        "schemas": {
            "DeploymentCreate": {
                "properties": {
                    "name": {"type": "string"},
                    "concurrency_options": {"anyOf": [_reference("Options"), {"type": "null"}]},
                    "schedules": {"type": "array", "items": _reference("Schedule")},
                }
            },
            "Options": {"properties": {"collision_strategy": {"type": "string"}}},
            "Schedule": {"properties": {"schedule": {"anyOf": [_reference("Cron"), _reference("Interval")]}}},
            "Cron": {"properties": {"cron": {}, "timezone": {}}},
            "Interval": {"properties": {"interval": {}, "timezone": {}}},
            "Base": {"properties": {"description": {}}},
            "PoolUpdate": {"allOf": [_reference("Base"), {"properties": {"is_paused": {}}}]},
            "Loop": {"anyOf": [_reference("Loop"), {"properties": {"end": {}}}]},
        }
    },
}


@pytest.fixture
def accepted() -> Accepted:
    return parse_openapi(DOCUMENT)


def test_names_the_properties_of_a_body(accepted: Accepted) -> None:
    """A body given by reference yields the property names of its model."""
    assert accepted.for_("POST", "/deployments/") == frozenset({"name", "concurrency_options", "schedules"})


def test_unites_what_a_model_is_made_of(accepted: Accepted) -> None:
    """Parts joined by allOf count as one model, and the method's case does not matter."""
    assert accepted.for_("patch", "/work_pools/{name}") == frozenset({"description", "is_paused"})


def test_parameter_names_do_not_matter(accepted: Accepted) -> None:
    """Routes are compared by where their parameters stand, not by what those are called."""
    assert accepted.for_("PATCH", "/work_pools/{work_pool_name}") == frozenset({"description", "is_paused"})


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        (("concurrency_options",), {"collision_strategy"}),
        (("schedules",), {"schedule"}),
        (("schedules", "schedule"), {"cron", "interval", "timezone"}),
        (("name",), None),
        (("nowhere",), None),
        (("nowhere", "deeper"), None),
    ],
)
def test_nested_models(accepted: Accepted, steps: tuple[str, ...], expected: set[str] | None) -> None:
    """Nested models are reached through null alternatives, lists and unions."""
    assert accepted.nested("POST", "/deployments/", *steps) == expected


@pytest.mark.parametrize(
    ("method", "path"), [("POST", "/nowhere/"), ("GET", "/work_pools/{name}"), ("PATCH", "/flow_runs/{id}/labels")]
)
def test_unknown_is_none(accepted: Accepted, method: str, path: str) -> None:
    """Unknown routes, routes without a body and free-form bodies all say: not known."""
    assert accepted.for_(method, path) is None


def test_offers_tells_routes_apart_from_bodies(accepted: Accepted) -> None:
    """A route without a body is still offered; another method on it is not."""
    assert accepted.offers("GET", "/work_pools/{x}")
    assert not accepted.offers("DELETE", "/work_pools/{x}")


def test_list_bodies_count_as_their_items(accepted: Accepted) -> None:
    """A body that is a list of models yields the properties of one item."""
    assert accepted.for_("POST", "/logs/") == frozenset({"collision_strategy"})


def test_circular_models_end(accepted: Accepted) -> None:
    """A model that contains itself is read once."""
    assert accepted.for_("POST", "/loop/") == frozenset({"end"})


def test_prefix_before_every_path_is_understood() -> None:
    """A document that writes /api before every path means the same routes."""
    prefixed = parse_openapi({**DOCUMENT, "paths": {f"/api{path}": ops for path, ops in DOCUMENT["paths"].items()}})
    assert prefixed == parse_openapi(DOCUMENT)


@pytest.mark.parametrize(
    "document",
    [
        None,
        [],
        "text",
        {"paths": []},
        {"paths": {"/x/": []}},
        {"paths": {"/x/": {"post": _body(7)}}},
        {"paths": {"/x/": {"post": _body({"$ref": 3, "anyOf": 4, "properties": []})}}},
        {"paths": {"/x/": {"post": _body(_reference("Gone"))}}, "components": 1},
    ],
)
def test_wrong_shapes_mean_not_known(document: Any) -> None:
    """A document of the wrong shape raises nothing and says nothing."""
    assert parse_openapi(document).for_("POST", "/x/") is None
