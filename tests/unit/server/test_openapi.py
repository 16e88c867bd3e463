"""bundle.server.openapi: which properties a server's request bodies may have."""

from __future__ import annotations

from typing import Any

import pytest

from bundle.server.openapi import Accepted, Misfits, parse_openapi


def _body(schema: Any) -> dict[str, Any]:
    return {"requestBody": {"content": {"application/json": {"schema": schema}}}}


def _reference(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


def _constant(value: str, **more: Any) -> dict[str, Any]:
    return {"properties": {"type": {"const": value}, **more}, "type": "object"}


DOCUMENT: dict[str, Any] = {
    "servers": [{"url": "/api"}],
    "paths": {
        "/deployments/": {"post": _body(_reference("DeploymentCreate"))},
        "/automations/": {"post": _body(_reference("AutomationCreate"))},
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
                    "parameters": {"type": "object"},
                    "labels": {"properties": {"owner": {}}, "additionalProperties": {}},
                },
                "required": ["name", "flow_id"],
            },
            "Options": {
                "properties": {"collision_strategy": {"type": "string", "enum": ["ENQUEUE"]}},
                "required": ["collision_strategy"],
            },
            "Schedule": {"properties": {"schedule": {"anyOf": [_reference("Cron"), _reference("Interval")]}}},
            "Cron": {"properties": {"cron": {}, "timezone": {}}, "required": ["cron"]},
            "Interval": {"properties": {"interval": {"type": "number"}, "timezone": {}}, "required": ["interval"]},
            "Base": {"properties": {"description": {}}},
            "PoolUpdate": {"allOf": [_reference("Base"), {"properties": {"is_paused": {}}}]},
            "Loop": {"anyOf": [_reference("Loop"), {"properties": {"end": {}}}]},
            "AutomationCreate": {
                "properties": {
                    "actions": {"type": "array", "items": {"anyOf": [_reference("Run"), _reference("Nothing")]}},
                    "trigger": {"oneOf": [_reference("Event"), _reference("Compound")]},
                }
            },
            "Run": _constant("run", deployment_id={}),
            "Nothing": _constant("nothing"),
            "Event": _constant("event", match={"type": "object"}),
            "Compound": _constant("compound", triggers={"type": "array", "items": _reference("Event")}),
        }
    },
}


@pytest.fixture
def accepted() -> Accepted:
    return parse_openapi(DOCUMENT)


@pytest.mark.parametrize(
    ("body", "unknown"),
    [
        ({"name": "x"}, ()),
        ({"name": "x", "slug~/": 1}, ("/slug~0~1",)),
        ({"concurrency_options": {"collision_strategy": "ENQUEUE", "grace": 1}}, ("/concurrency_options/grace",)),
        ({"concurrency_options": None}, ()),
        ({"schedules": [{}, {"slug": "s", "schedule": {"cron": "x"}}]}, ("/schedules/1/slug",)),
        ({"schedules": [{"schedule": {"interval": 1, "day_or": True}}]}, ("/schedules/0/schedule/day_or",)),
        ({"parameters": {"anything": {"goes": 1}}, "labels": {"owner": 1, "any": 2}}, ()),
    ],
)
def test_fields_without_a_place_are_named(accepted: Accepted, body: Any, unknown: tuple[str, ...]) -> None:
    """Unknown fields are found at any depth: in lists, in unions, not in free-form objects."""
    found = accepted.judge("POST", "/deployments/", body)
    assert (found.unknown, found.refused) == (unknown, ())


@pytest.mark.parametrize(
    ("body", "refused"),
    [
        ({"concurrency_options": {"collision_strategy": "CANCEL_OLD"}}, ("/concurrency_options",)),
        ({"schedules": {"a": 1}}, ("/schedules",)),
        ({"schedules": [{"schedule": {"rrule": "x"}}]}, ("/schedules/0/schedule",)),
        ({"name": ["x"], "parameters": "text"}, ("/name", "/parameters")),
    ],
)
def test_values_of_no_known_shape_are_named(accepted: Accepted, body: Any, refused: tuple[str, ...]) -> None:
    """A value that no alternative takes is refused where it stands."""
    assert accepted.judge("POST", "/deployments/", body).refused == refused


def test_alternatives_are_told_apart_by_their_constants(accepted: Accepted) -> None:
    """A field is judged by the model that its object names, and an object of no model is refused."""
    event = {"type": "event", "match": {"a": "b"}}
    body = {
        "trigger": {"type": "compound", "triggers": [event, {"type": "metric"}], "match": {}},
        "actions": [{"type": "nothing", "deployment_id": "x"}, {"type": "run", "deployment_id": "x"}, {"type": "new"}],
    }
    found = accepted.judge("POST", "/automations/", body)
    assert found.unknown == ("/trigger/match", "/actions/0/deployment_id")
    assert found.refused == ("/trigger/triggers/1", "/actions/2")


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        (("concurrency_options",), {"collision_strategy"}),
        (("schedules",), {"schedule"}),
        (("schedules", "schedule"), {"cron", "interval", "timezone"}),
        (("name",), set()),
        (("nowhere", "deeper"), set()),
    ],
)
def test_names_of_nested_models(accepted: Accepted, steps: tuple[str, ...], expected: set[str]) -> None:
    """Nested models are reached through null alternatives, lists and unions."""
    assert accepted.names("POST", "/deployments/", *steps) == expected


def test_parts_joined_by_all_of_are_one_model(accepted: Accepted) -> None:
    """Neither the method's case nor what a parameter of the path is called matters."""
    body = {"description": "", "is_paused": True, "type": "x"}
    assert accepted.judge("patch", "/work_pools/{any}", body) == Misfits(unknown=("/type",))


@pytest.mark.parametrize(
    ("method", "path"), [("POST", "/nowhere/"), ("GET", "/work_pools/{name}"), ("PATCH", "/flow_runs/{id}/labels")]
)
def test_what_is_not_told_fits(accepted: Accepted, method: str, path: str) -> None:
    """Unknown routes, routes without a body and free-form bodies find no fault."""
    assert accepted.judge(method, path, {"any": {"thing": [1]}}) == Misfits()


def test_offers_tells_routes_apart_from_bodies(accepted: Accepted) -> None:
    """A route without a body is still offered; another method on it is not."""
    assert accepted.offers("GET", "/work_pools/{x}")
    assert not accepted.offers("DELETE", "/work_pools/{x}")


def test_list_bodies_are_judged_item_by_item(accepted: Accepted) -> None:
    """A body that is a list of models is judged like a list inside a body."""
    body = [{"collision_strategy": "ENQUEUE"}, {"collision_strategy": "ENQUEUE", "new": 1}]
    assert accepted.judge("POST", "/logs/", body) == Misfits(unknown=("/1/new",))


def test_circular_models_end(accepted: Accepted) -> None:
    """A model that is an alternative of itself is read once."""
    assert accepted.judge("POST", "/loop/", {"end": 1, "start": 2}) == Misfits(unknown=("/start",))


def test_prefix_before_every_path_is_understood() -> None:
    """A document that writes /api before every path means the same routes."""
    prefixed = parse_openapi({**DOCUMENT, "paths": {f"/api{path}": ops for path, ops in DOCUMENT["paths"].items()}})
    plain = parse_openapi(DOCUMENT)
    assert (prefixed.bodies, prefixed.models) == (plain.bodies, plain.models)


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
    assert parse_openapi(document).judge("POST", "/x/", {"a": [1], "b": {}}) == Misfits()


@pytest.mark.parametrize(
    ("schema", "fitting", "others"),
    [
        ({"type": "boolean"}, [True, None], [1, "true"]),
        ({"type": "string"}, ["", "x"], [1, True]),
        ({"type": "integer", "minimum": 0}, [0, 7, 2.0], [-1, 1.5, True, "1"]),
        ({"type": "number", "exclusiveMinimum": 0, "maximum": 2}, [0.5, 2, "PT1H"], [0, 3, "x"]),
        ({"anyOf": [{"type": "integer"}, {"type": "null"}]}, [1, None], ["1"]),
        ({}, [1, "x", True], []),
    ],
)
def test_a_strict_look_tells_scalars_apart(schema: Any, fitting: list[Any], others: list[Any]) -> None:
    """Types and bounds count when asked for, and only then."""
    paths = {"/x/": {"post": _body({"type": "object", "properties": {"a": schema}})}}
    accepted = parse_openapi({"paths": paths})

    assert [each for each in fitting if accepted.judge("POST", "/x/", {"a": each}, is_strict=True).refused] == []
    assert [each for each in others if not accepted.judge("POST", "/x/", {"a": each}, is_strict=True).refused] == []
    assert [each for each in others if accepted.judge("POST", "/x/", {"a": each}).refused] == []


def _doubling() -> dict[str, Any]:
    pair = {f"M{number}": {"allOf": [_reference(f"M{number + 1}")] * 2} for number in range(60)}
    return {**pair, "M60": {"properties": {"a": {}}}}


@pytest.mark.parametrize(
    "models",
    [
        {"M0": {"allOf": [_reference("M0")]}},
        {"M0": {"allOf": [_reference("M1")]}, "M1": {"allOf": [_reference("M0"), _reference("M0")]}},
        _doubling(),
        {"M0": {"anyOf": [{"properties": {"a": _reference("M0")}}] * 3000}},
    ],
    ids=["itself", "each other", "doubling", "wide"],
)
def test_models_without_an_end_mean_not_known(models: dict[str, Any]) -> None:
    """Models that contain themselves, or double with every step, say nothing, and take no time to say it."""
    body = {"requestBody": {"content": {"application/json": {"schema": _reference("M0")}}}}
    found = parse_openapi({"paths": {"/a/": {"post": body}}, "components": {"schemas": models}})
    value: Any = {"a": None}
    for _ in range(90):
        value = {"a": value}
    assert found.judge("POST", "/a/", value) == Misfits()
    assert found.names("POST", "/a/", "a", "a") == frozenset()
