"""Finds secret values that a schema itself holds: defaults, constants and examples of what it calls secret.

Pure: no I/O, no logging.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from bundle.model import Body, Json, JsonType, Pointer
from bundle.record.pointers import join, resolve, walk
from bundle.record.secret_schema import MOST_STEPS, TooMuchError, json_type, outermost, places_of

_SINGLE = (
    *("if", "then", "else", "items", "additionalProperties", "unevaluatedProperties"),
    *("additionalItems", "unevaluatedItems", "contains"),
)
_LISTED = ("anyOf", "allOf", "oneOf", "items", "prefixItems")
_NAMED = ("properties", "patternProperties", "definitions", "$defs", "dependentSchemas", "dependencies")
_VALUES = ("default", "const")
_LISTS_OF_VALUES = ("examples", "enum")


def secret_values(schema: Json) -> dict[Pointer, JsonType]:
    """The places in a schema that hold secret values: defaults, constants and examples of what it calls secret."""
    try:
        found = dict(_values_in(schema))
    except (TooMuchError, RecursionError):
        found = {
            place: json_type(value)
            for place, value in walk(schema)
            if place.rpartition("/")[2] in {*_VALUES, *_LISTS_OF_VALUES}
        }
    return outermost({place: kind for place, kind in found.items() if not _is_stars(resolve(schema, place))})


def _values_in(schema: Json) -> Iterator[tuple[Pointer, JsonType]]:
    for steps, (at, part) in enumerate(_subschemas(schema)):
        if steps > MOST_STEPS:
            raise TooMuchError
        for place, value in _instances(part):
            whole: Mapping[Pointer, JsonType] = places_of({"": value}, {"properties": {"": part}}, schema)
            yield from ((at + place + inner[1:], kind) for inner, kind in whole.items())
        yield from _defaults_on_paths(at, part, schema)


def _defaults_on_paths(at: Pointer, part: Body, root: Json) -> Iterator[tuple[Pointer, JsonType]]:
    """Secret values of properties that only the paths of the schema around them call secret."""
    properties = part.get("properties")
    if not part.get("secret_fields") or not isinstance(properties, dict):
        return
    for name, each in properties.items():
        for place, value in _instances(each) if isinstance(each, dict) else ():
            found = places_of({name: value}, part, root)
            above = at + join("properties", name) + place
            yield from ((above + inner[len(join(name)) :], kind) for inner, kind in found.items())


def _instances(schema: Body) -> Iterator[tuple[Pointer, Json]]:
    """The values that a schema holds as examples of what it describes."""
    yield from ((join(word), schema[word]) for word in _VALUES if word in schema)
    for word in _LISTS_OF_VALUES:
        values = schema.get(word)
        yield from ((join(word, place), each) for place, each in enumerate(values if isinstance(values, list) else ()))


def _subschemas(schema: Json) -> Iterator[tuple[Pointer, Body]]:
    """A schema and all that are written down inside it."""
    rest: list[tuple[Pointer, Json]] = [("", schema)]
    while rest:
        at, part = rest.pop()
        if isinstance(part, dict):
            yield at, part
            rest += ((at + join(word), part[word]) for word in _SINGLE if word in part)
            rest += _inside(at, part, _LISTED, list)
            rest += _inside(at, part, _NAMED, dict)


def _inside(
    at: Pointer, part: Body, words: Sequence[str], form: type[list[Json] | dict[str, Json]]
) -> Iterator[tuple[Pointer, Json]]:
    for word in words:
        found = part.get(word)
        if isinstance(found, form):
            members = found.items() if isinstance(found, dict) else enumerate(found)
            yield from ((at + join(word, name), each) for name, each in members)


def _is_stars(value: Json) -> bool:
    """What pydantic writes in the place of a secret default."""
    return isinstance(value, str) and not value.strip("*")
