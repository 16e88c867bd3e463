"""What of a JSON Schema applies to a value and to its parts, whatever the draft. Schemas are untrusted. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from urllib.parse import unquote

from bundle.model import Body, Json, JsonType, Pointer
from bundle.record.pointers import join, resolve

_LISTS_OF_SCHEMAS = ("anyOf", "allOf", "oneOf")
_CONDITIONS = ("if", "then", "else")
_MAPS_OF_SCHEMAS = ("dependentSchemas", "dependencies")
REFERENCES = ("$ref", "$dynamicRef", "$recursiveRef")
_OTHER_MEMBERS = ("additionalProperties", "unevaluatedProperties")
_OTHER_ITEMS = ("additionalItems", "unevaluatedItems", "contains")
_TYPES: Mapping[str, JsonType] = {
    "string": "string",
    "boolean": "boolean",
    "array": "array",
    "object": "object",
    "number": "number",
    "integer": "number",
}
Path = tuple[str, ...]


class UnclearError(Exception):
    """A schema calls a value secret, or cannot be understood: the whole value is secret."""


def is_declared_secret(schema: Body) -> bool:
    """Whether a schema calls a value secret, or says something about it that cannot be understood."""
    form = schema.get("format")
    return (
        form == "password"
        or not (form is None or isinstance(form, str))
        or schema.get("writeOnly") not in {None, False}
    )


def alternatives(schema: Body) -> Iterator[Json]:
    for word in _LISTS_OF_SCHEMAS:
        yield from _list(schema, word)
    yield from (schema[word] for word in _CONDITIONS if word in schema)
    for word in _MAPS_OF_SCHEMAS:
        # An older draft has lists of names here as well.
        yield from (each for each in _map(schema, word).values() if not isinstance(each, list))


def schemas_of_member(schema: Body, name: str) -> Iterator[Json]:
    properties = _map(schema, "properties")
    yield from _map(schema, "patternProperties").values()
    if name in properties:
        yield properties[name]
    else:
        yield from (schema[word] for word in _OTHER_MEMBERS if word in schema)


def schemas_of_item(schema: Body, position: int) -> Iterator[Json]:
    items = schema.get("items")
    first = [*_list(schema, "prefixItems"), *(items if isinstance(items, list) else ())]
    yield from first[position : position + 1]
    if not isinstance(items, list):
        yield items
    yield from (schema[word] for word in _OTHER_ITEMS if word in schema)


def _list(schema: Body, word: str) -> list[Json]:
    found = schema.get(word)
    if found is not None and not isinstance(found, list):
        raise UnclearError
    return found or []


def _map(schema: Body, word: str) -> Body:
    found = schema.get(word)
    if found is not None and not isinstance(found, dict):
        raise UnclearError
    return found or {}


def definition(target: Json, root: Json) -> Json:
    """What a reference inside a document points to; anything else is unclear."""
    if not isinstance(target, str) or not target.startswith("#"):
        raise UnclearError
    pointer = unquote(target[1:])
    try:
        return resolve(root, pointer)
    except LookupError:
        raise UnclearError from None


def declared_type(schema: Body) -> JsonType | None:
    declared = schema.get("type")
    kinds = declared if isinstance(declared, list) else [declared]
    return next((_TYPES[kind] for kind in kinds if isinstance(kind, str) and kind in _TYPES), None)


def secret_paths(views: Iterable[Body]) -> Iterator[Path]:
    for view in views:
        for entry in _list(view, "secret_fields"):
            if not isinstance(entry, str):
                raise UnclearError
            yield tuple(entry.split("."))


def ways_into(value: Body, path: Path) -> Iterator[tuple[Pointer, int]]:
    """The members that a path can begin with, and how many of its parts each takes.

    A member name may itself contain dots, which secret_fields does not distinguish. Of a name that is not there,
    one that differs in its spelling alone is the alias.
    """
    heads = list(_heads(path))
    found = [(join(name), taken) for name, taken in heads if name in value]
    yield from found
    if not found:
        spellings = {_spelling(name): taken for name, taken in reversed(heads)}
        alike = [(join(name), spellings[_spelling(name)]) for name in value if _spelling(name) in spellings]
        yield from alike


def _heads(path: Path) -> Iterator[tuple[str, int]]:
    return ((".".join(path[:taken]), taken) for taken in range(1, len(path) + 1))


def _spelling(name: str) -> str:
    return "".join(character for character in name if character.isalnum()).lower()


def declares(schema: Body, path: Path) -> bool:
    properties = schema.get("properties")
    return isinstance(properties, dict) and any(name in properties for name, _ in _heads(path))


def is_map(schema: Body) -> bool:
    """Whether a schema allows objects whose members it does not name."""
    is_elsewhere = any(word in schema for word in (*REFERENCES, *_LISTS_OF_SCHEMAS))
    kind = schema.get("type")
    allows_objects = kind is None or kind == "object" or (isinstance(kind, list) and "object" in kind)
    return allows_objects and not is_elsewhere and not schema.get("properties")
