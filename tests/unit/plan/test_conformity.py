"""What does not conform to a schema, in words."""

from __future__ import annotations

import time
from typing import Any

import pytest

from bundle.plan.conformity import faults


def schema(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties}


@pytest.mark.parametrize(
    ("spec", "value", "words"),
    [
        ({"type": "array"}, {}, "`x` must be an array"),
        ({"type": "integer"}, True, "`x` must be an integer"),
        ({"type": "string", "maxLength": 2}, "abc", "`x` must have at most 2 characters"),
        ({"type": "integer", "minimum": 3}, 2, "`x` must be at least 3"),
        ({"enum": ["secret"]}, "other", "`x` must be one of the listed values"),
        ({"type": ["string", "null"]}, 1, "`x` must be a string or a null"),
        ({"anyOf": [{"type": "string"}, {"type": "integer"}]}, [], "`x` does not conform to its schema"),
        ({"type": "object", "additionalProperties": {"type": "string"}}, {"A": 1}, "`x.A` must be a string"),
        ({"items": [{"type": "string"}], "type": "array"}, [1], "`x.0` must be a string"),
    ],
)
def test_a_fault_names_the_place_and_the_rule(spec: dict[str, Any], value: Any, words: str) -> None:
    """No value is in the words."""
    assert [text for _, text in faults({"x": value}, schema(x=spec))] == [words]


@pytest.mark.parametrize(
    ("spec", "value"),
    [
        ({"type": "array"}, None),
        ({"type": "string", "pattern": "(a+)+$"}, "a" * 40 + "b"),
        ({"type": "string", "format": "date"}, "no date"),
        ({"type": "object", "required": ["y"]}, {}),
        ({"type": "integer"}, {"__prefect_kind": "workspace_variable", "variable_name": "v"}),
        ({"$ref": "http://127.0.0.1:9/schema"}, 1),
        ({"$ref": "#/nowhere"}, 1),
        ({"type": "unheard of"}, 1),
        ({"minimum": "two"}, 1),
        (["no schema"], 1),
        ("no schema", 1),
    ],
)
def test_what_is_not_known_is_not_judged(spec: Any, value: Any) -> None:
    """Nulls, patterns, what is to come, what a run fills in, and schemas that nobody understands."""
    assert faults({"x": value}, schema(x=spec)) == []


@pytest.mark.parametrize("value", [None, [], "x", 1])
def test_only_objects_are_judged(value: Any) -> None:
    """A bundle may have anything in the place of one."""
    assert faults(value, schema()) == faults({}, value) == []


def test_a_schema_that_unfolds_without_end_costs_little() -> None:
    """Each of forty models names the next one twice; no one waits for them."""
    models = {str(each): {"allOf": [{"$ref": f"#/$defs/{each + 1}"}] * 2} for each in range(40)}
    begun = time.process_time()

    assert faults({"x": 1}, schema(x={"$ref": "#/$defs/0"}) | {"$defs": models | {"40": {"type": "string"}}}) == []
    assert time.process_time() - begun < 20
