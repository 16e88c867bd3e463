"""Holds values against the schemas by which a destination checks them: what does not conform, in words. Pure.

Rules:

1. Schemas are untrusted. None is fetched, no foreign regular expression is run, and a value is looked at for a bounded
   number of steps; where a schema cannot be understood, nothing is said.
2. As Prefect does it, null is taken for any member, nothing is required, and a list of ``items`` is that of a tuple.
3. What is not in the value yet is not judged: secrets and ids that were cut out, values that a run fills in.
4. Words have names of members and types, never a value.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from bundle.model import Json, Pointer
from bundle.record.pointers import join

_MOST_STEPS = 5_000
_MOST_FAULTS = 5
# What is required, as Prefect passes it over; regular expressions; references whose meaning depends on the way to them.
_PASSED_OVER = frozenset(
    {"required", "pattern", "patternProperties", "format", "$dynamicRef", "$recursiveRef", "$schema", "$id"}
)
_PLAIN = frozenset(
    {"title", "type", "properties", "required", "definitions", "$defs", "description", "default", "position"}
)
_TYPES: Mapping[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "array": (list,),
    "object": (dict,),
}
_FILLED_IN = "__prefect_kind"
_WORDS = {
    "minimum": "must be at least {}",
    "maximum": "must be at most {}",
    "minLength": "must have at least {} characters",
    "maxLength": "must have at most {} characters",
    "minItems": "must have at least {} items",
    "maxItems": "must have at most {} items",
    "enum": "must be one of the listed values",
    "const": "must be one certain value",
    "additionalProperties": "has a member that is not allowed",
}
Fault = tuple[Pointer, str]
"""A place in a value, and what is wrong there: ``("/env", "`env` must be an array")``."""


def faults(value: Json, schema: Json) -> list[Fault]:
    """Where an object does not conform to a schema; none where that cannot be told. What is required may be to come."""
    if not isinstance(value, dict) or not isinstance(schema, dict) or _is_plainly_fine(value, schema):
        return []
    return _judged(value, schema)


def _is_plainly_fine(value: Mapping[str, Json], schema: Mapping[str, Json]) -> bool:
    """Whether one look at each member is enough, as for most values; jsonschema takes a hundred times as long."""
    known = schema.get("properties")
    if not schema.keys() <= _PLAIN or not isinstance(known, dict):
        return False
    return all(name not in known or _is_plainly_of(item, known[name]) for name, item in value.items())


def _is_plainly_of(item: Json, spec: Json) -> bool:
    if not isinstance(spec, dict) or not spec.keys() <= _PLAIN - {"properties", "required"}:
        return False
    kind = spec.get("type")
    if kind is None or item is None:
        return kind is None
    types = _TYPES.get(kind, ()) if isinstance(kind, str) else ()
    return isinstance(item, types) and (kind == "boolean" or not isinstance(item, bool))


def _judged(value: Json, schema: Mapping[str, Json]) -> list[Fault]:
    import jsonschema.exceptions  # noqa: PLC0415 - a quarter of a second that most commands do not need
    import referencing  # noqa: PLC0415

    unclear = (
        *(AttributeError, LookupError, RecursionError, TypeError, ValueError, ArithmeticError),
        jsonschema.exceptions.UnknownType,
        referencing.exceptions.Unresolvable,
    )
    try:
        found = _validator()(_readable(schema), registry=referencing.Registry()).iter_errors(value)
        return [fault for each in found if (fault := _fault(each)) is not None][:_MOST_FAULTS]
    except (*unclear, _TooMuchError):
        return []


class _TooMuchError(Exception):
    """A schema took more steps than any honest one does."""


def _validator() -> Any:
    """A validator that counts the references it follows: only by these can a schema be larger than it looks."""
    from jsonschema import Draft202012Validator, validators  # noqa: PLC0415

    follow: Callable[..., Iterator[Any]] = Draft202012Validator.VALIDATORS["$ref"]
    steps = 0

    def counted(*given: Any) -> Iterator[Any]:
        nonlocal steps
        steps += 1
        if steps > _MOST_STEPS:
            raise _TooMuchError
        yield from follow(*given) or ()

    return validators.extend(Draft202012Validator, {"$ref": counted})  # type: ignore[no-untyped-call]


def _readable(schema: Json) -> Json:
    """A schema without what is not to be run or held against parts, in the draft that Prefect reads it by."""
    if isinstance(schema, list):
        return [_readable(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    gone = _PASSED_OVER | ({"additionalProperties"} if "patternProperties" in schema else frozenset())
    read = {name: _readable(item) for name, item in schema.items() if name not in gone}
    if isinstance(read.get("items"), list) and "prefixItems" not in read:
        read["prefixItems"] = read.pop("items")
    return read


def _fault(error: Any) -> Fault | None:
    place = join(*error.absolute_path)
    if error.instance is None or (isinstance(error.instance, dict) and _FILLED_IN in error.instance):
        return None
    name = ".".join(map(str, error.absolute_path)) or "the whole"
    return place, f"`{name}` {_rule(error)}"


def _rule(error: Any) -> str:
    if error.validator == "type":
        names = error.validator_value if isinstance(error.validator_value, list) else [error.validator_value]
        return f"must be {' or '.join(map(_with_article, names))}"
    words = _WORDS.get(error.validator, "does not conform to its schema")
    return words.format(error.validator_value)


@functools.cache
def _with_article(name: str) -> str:
    return f"{'an' if name[:1] in 'aeio' else 'a'} {name}"
