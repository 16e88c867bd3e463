"""Finds secrets, names their slots, and makes the marker for a missing one.

Rules:

1. Prefect's own masking is not trusted: it lets objects under a secret field
   through. A place is secret when it is, or lies below, a path in the block
   schema's ``secret_fields`` (``*`` stripped, lists walked through), or when
   its property has ``format: password`` or ``writeOnly``.
2. The whole value at a secret place is taken out, whatever its type. Null
   holds no secret and stays.
3. Values that merely look like secrets elsewhere are reported by place; their
   text never leaves this module.

Pure: no I/O, no logging.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping

from bundle.model import Body, Json, JsonType, Key, Pointer, Secret
from bundle.record.pointers import join, replace_all, resolve, walk

MASK = "********"
SUPPLIED_PREFIX = "XFER_SECRET_"

_ANY = "*"
_SECRET_NAME = re.compile(
    r"pass(word|phrase|wd)?$|^pwd$|secret|token|api[-_]?key|access[-_]?key|private[-_]?key|credential"
    r"|conn(ection)?[-_]?str|auth(orization)?$|bearer|cookie|dsn$|(^|_)sas(_|$)",
    re.IGNORECASE,
)
_NAMES_ANOTHER = re.compile(r"_(name|slug|id)$", re.IGNORECASE)
# Each alternative ends soon after where it begins, so that a long text costs no more than its length.
_SECRET_VALUE = re.compile(
    r"[a-z0-9]://(?:[^/\s:@]+:[^/\s@]+|[^/\s:@]{12,})@"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----|AKIA[0-9A-Z]{16}|gh[pousr]_[A-Za-z0-9]{20,}|github_pat_|glpat-"
    r"|xox[abpr]-|hooks\.slack\.com/services/|eyJ[\w-]{8,500}\.[\w-]{8,}\.|pn[ub]_[A-Za-z0-9]{20,}|AccountKey=",
)
_PURE_TEMPLATE = re.compile(r"^\s*\{\{[^{}]*\}\}\s*$")
_DENSE = re.compile(r"^[A-Za-z0-9+/=_-]{24,}$")
_DENSE_BITS_PER_CHARACTER = 4.2


def secret_places(data: Json, fields: Body) -> dict[Pointer, JsonType]:
    """The places in a block document's ``data`` that its schema calls secret.

    Args:
        data: the document's data, nested documents already replaced.
        fields: the block schema's ``fields`` (a JSON schema with ``secret_fields``).

    Returns:
        Pointers relative to ``data`` and the JSON type of each value.
    """
    places: dict[Pointer, JsonType] = {}
    paths = [tuple(str(entry).split(".")) for entry in fields.get("secret_fields") or ()]
    for path in paths:
        for tokens, value in _below(data, path, ()):
            if value is not None:
                places[join(*tokens)] = _type(value, _declared_type(fields, path))
    for tokens, value, schema in _declared_secret(data, fields, fields, ()):
        if value is not None:
            places.setdefault(join(*tokens), _type(value, _type_of_schema(schema, fields)))
    return {pointer: kind for pointer, kind in places.items() if not _is_below_any(pointer, places)}


def _below(value: Json, path: tuple[str, ...], at: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Json]]:
    if isinstance(value, list) and path and path[0] != _ANY:
        for position, item in enumerate(value):
            yield from _below(item, path, (*at, str(position)))
        return
    if not path or (path[0] == _ANY and len(path) == 1):
        yield at, value
    elif path[0] == _ANY:
        for name, item in _members(value):
            yield from _below(item, path[1:], (*at, name))
    elif isinstance(value, dict):
        yield from _below_member(value, path, at)
    elif value == MASK:
        yield at, value


def _below_member(value: Body, path: tuple[str, ...], at: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Json]]:
    # A member name may itself contain dots, which secret_fields does not distinguish.
    for taken in range(1, len(path) + 1):
        name = ".".join(path[:taken])
        if name in value:
            yield from _below(value[name], path[taken:], (*at, name))


def _members(value: Json) -> Iterator[tuple[str, Json]]:
    if isinstance(value, dict):
        yield from value.items()
    elif isinstance(value, list):
        yield from ((str(position), item) for position, item in enumerate(value))


def _declared_secret(
    value: Json, schema: Json, root: Body, at: tuple[str, ...], seen: frozenset[str] = frozenset()
) -> Iterator[tuple[tuple[str, ...], Json, Body]]:
    if not isinstance(schema, dict) or value is None:
        return
    if schema.get("format") == "password" or schema.get("writeOnly") is True:
        yield at, value, schema
        return
    target = schema.get("$ref")
    if isinstance(target, str) and target not in seen:
        yield from _declared_secret(value, _definition(target, root), root, at, seen | {target})
    for word in ("anyOf", "allOf", "oneOf"):
        for option in schema.get(word) or ():
            yield from _declared_secret(value, option, root, at, seen)
    properties = schema.get("properties") or {}
    if isinstance(value, dict):
        for name, item in value.items():
            inner = properties.get(name, schema.get("additionalProperties"))
            yield from _declared_secret(item, inner, root, (*at, name))
    elif isinstance(value, list):
        for position, item in enumerate(value):
            yield from _declared_secret(item, schema.get("items"), root, (*at, str(position)))


def _definition(target: str, root: Body) -> Json:
    found: Json = root
    for token in target.removeprefix("#/").split("/"):
        found = found.get(token) if isinstance(found, dict) else None
    return found


def _declared_type(fields: Body, path: tuple[str, ...]) -> JsonType | None:
    schema: Json = fields
    for token in path:
        if token == _ANY:
            return "object"
        schema = _property(schema, token, fields)
    return _type_of_schema(schema, fields)


def _property(schema: Json, name: str, root: Body) -> Json:
    if not isinstance(schema, dict):
        return None
    if name in (schema.get("properties") or {}):
        return schema["properties"][name]
    options = [*(schema.get("anyOf") or ()), *(schema.get("allOf") or ()), *(schema.get("oneOf") or ())]
    if isinstance(schema.get("$ref"), str):
        options.append(_definition(schema["$ref"], root))
    return next((found for option in options if (found := _property(option, name, root)) is not None), None)


def _type_of_schema(schema: Json, root: Body) -> JsonType | None:
    if not isinstance(schema, dict):
        return None
    declared = schema.get("type")
    if declared in {"string", "boolean", "array", "object", "number"}:
        return declared  # type: ignore[no-any-return]
    if declared == "integer":
        return "number"
    options = [*(schema.get("anyOf") or ()), *(schema.get("allOf") or ())]
    if isinstance(schema.get("$ref"), str):
        options.append(_definition(schema["$ref"], root))
    return next((found for option in options if (found := _type_of_schema(option, root))), None)


def _type(value: Json, declared: JsonType | None) -> JsonType:
    """The type of a value; behind the server's mask, what the schema declares."""
    if value == MASK:
        return declared or "string"
    return json_type(value)


def json_type(value: Json) -> JsonType:
    """The JSON type of a value that is not null."""
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number"
    if isinstance(value, list):
        return "array"
    return "object" if isinstance(value, dict) else "string"


def _is_below_any(pointer: Pointer, places: Mapping[Pointer, JsonType]) -> bool:
    parent = pointer.rpartition("/")[0]
    while parent:
        if parent in places:
            return True
        parent = parent.rpartition("/")[0]
    return False


def take_out(key: Key, body: Body, places: Mapping[Pointer, JsonType]) -> tuple[Body, tuple[Secret, ...]]:
    """The body with null at each secret place, and the slots for them."""
    slots = tuple(Secret(pointer, slot_id(key, pointer), kind) for pointer, kind in sorted(places.items()))
    return replace_all(body, {secret.pointer: None for secret in slots}), slots


def slot_id(key: Key, pointer: Pointer) -> str:
    """The name of a secret slot: the resource's key, a ``#``, the place in its body."""
    return f"{key}#{pointer}"


def variable_name(slot: str) -> str:
    """The environment variable that fills a slot: ``XFER_SECRET_BLOCK_SECRET_DB_DATA_VALUE``."""
    return SUPPLIED_PREFIX + re.sub(r"[^A-Za-z0-9]+", "_", slot).strip("_").upper()


def marker(secret: Secret) -> Json:
    """The value that says plainly at the destination which secret is missing."""
    text = f"xfer: this secret was not supplied: {secret.slot}"
    if secret.type == "object":
        return {"xfer": text}
    return [text] if secret.type == "array" else text


def fill(body: Body, secrets: Iterable[Secret], supplied: Mapping[str, Json]) -> Body:
    """The body with each secret's supplied value, or its marker, in place."""
    return replace_all(
        body, {each.pointer: supplied[each.slot] if each.slot in supplied else marker(each) for each in secrets}
    )


def suspects(body: Body) -> Iterator[Pointer]:
    """Places whose value looks like a secret although Prefect does not mask it."""
    for pointer, value in walk(body):
        if isinstance(value, str) and value not in {"", MASK} and _looks_secret(pointer, value):
            yield pointer


def _looks_secret(pointer: Pointer, value: str) -> bool:
    if _PURE_TEMPLATE.match(value):
        return False
    name = pointer.rpartition("/")[2]
    is_told = _SECRET_NAME.search(name) and not _NAMES_ANOTHER.search(name)
    if _SECRET_VALUE.search(value) or (is_told and "{{" not in value):
        return True
    return bool(_DENSE.match(value)) and _entropy(value) >= _DENSE_BITS_PER_CHARACTER


def _entropy(text: str) -> float:
    shares = [text.count(character) / len(text) for character in set(text)]
    return -sum(share * math.log2(share) for share in shares)


def still_marked(body: Body, secret: Secret) -> bool:
    """Whether the destination still holds our marker in a slot."""
    try:
        return bool(resolve(body, secret.pointer) == marker(secret))
    except LookupError:
        return False
