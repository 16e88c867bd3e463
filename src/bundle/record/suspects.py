"""Finds obvious secrets that no schema declares, and shows values without them.

Rules:

1. A value is suspected for its name, its form, or the form of a part of it. Names are those of the member, of what is
   around it, of a sibling (``{"name": "DB_PASSWORD", "value": …}``), and of the resource itself.
2. A flag like ``--password`` in a list tells of the item behind it.
3. JSON inside a text is looked into, a few levels deep.
4. Booleans, empty values, templates, references and stand-ins are never suspected.

Pure; takes any JSON, and never raises for it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from bundle.model import Json, JsonType, Pointer
from bundle.record.pointers import join, replace_all, split
from bundle.record.secret_names import Told, is_innocent, told_by, told_by_one
from bundle.record.secret_schema import MASK, json_type
from bundle.record.secret_texts import Span, is_by_chance, is_key, may_be_secret, secret_parts

SHOWN = "***"
_NAMING = ("name", "key", "env_name", "variable", "Name", "Key")
_VALUES = frozenset({"value", "val", "default", "content", "plaintext", "Value"})
_INSTANCES = frozenset({"default", "const", "examples", "enum"})
_SCHEMA_WORDS = frozenset({"type", "anyOf", "allOf", "oneOf", "$ref", "properties", "title"})
_DATA = "data"
_SMALLEST_NUMBER = 1_000
_DEEPEST_JSON = 4
_LONGEST_FLAG = 80
_A_PAIR = 2
_LONGEST_JSON = 4_000_000
_Entry = tuple[Pointer, Json, Told]


def suspects(body: Json) -> dict[Pointer, JsonType]:
    """The places of suspected secrets: the smallest whole values, with their JSON types."""
    return {place: json_type(value) for place, value, _ in _suspected(body, Told.NOTHING, 0)}


def masked(value: Json, told: Told = Told.NOTHING) -> Json:
    """A value to be shown: every suspected secret in it is ``***``, of a text only the part that is one.

    Args:
        value: any JSON.
        told: what the names around it say, see ``told_at``.
    """
    return _masked(value, told, 0)


def masked_text(text: str) -> str:
    """A text to be shown, with ``***`` for the parts that are secrets by their form."""
    return str(masked(text))


def told_at(body: Json, pointer: Pointer) -> Told:
    """What the names around a place of a body say of the value that is there, or could be there."""
    told, above = Told.NOTHING, body
    for depth, token in enumerate(split(pointer)):
        if isinstance(above, dict):
            told = _told_member(above, token, told, is_top=depth == 0)
            above = above.get(token)
        elif isinstance(above, list) and token.isdigit() and int(token) < len(above):
            told = _told_items(above, told)[int(token)]
            above = above[int(token)]
        else:
            told = max(told_by(token), told)
            above = None
    return told


def _masked(value: Json, told: Told, depth: int) -> Json:
    found = {place: shown for place, _, shown in _suspected(value, told, depth)}
    return replace_all({"": value}, {f"/{place}": shown for place, shown in found.items()})[""]


def _suspected(value: Json, told: Told, depth: int) -> Iterator[tuple[Pointer, Json, Json]]:
    """Each suspect with its place and the form in which it may be shown, in document order."""
    rest: list[_Entry] = [("", value, told)]
    while rest:
        at, item, level = rest.pop()
        if isinstance(item, dict):
            # The body of a resource is a mapping like any other, but that its name tells of its data.
            members = [
                (at + join(str(name)), each, _told_member(item, str(name), level, is_top=not at))
                for name, each in item.items()
            ]
            rest += reversed(members)
        elif isinstance(item, list):
            levels = _told_items(item, level)
            rest += reversed([(f"{at}/{place}", each, levels[place]) for place, each in enumerate(item)])
        else:
            shown = _shown(item, level, depth)
            if shown is not item:
                yield at, item, shown


def _told_member(around: dict[str, Json], name: str, told: Told, *, is_top: bool) -> Told:
    """What is told of a member of an object, of which something is told itself."""
    if told is Told.ALL and not _SCHEMA_WORDS.isdisjoint(around) and _is_schema(around):
        return Told.ALL if name in _INSTANCES else Told.NOTHING
    own = told_by(name)
    if told is Told.ALL and own is Told.NOTHING and not is_innocent(name):
        own = Told.ALL
    if name in _VALUES or (is_top and name == _DATA):
        siblings = told_by_one(str(around[each]) for each in _NAMING if isinstance(around.get(each), str))
        inner = around.get(name)
        if name != _DATA:
            return max(own, siblings)
        # Of a block's data, the name of the block tells only of what is called its value.
        is_one_value = isinstance(inner, dict) and set(inner) <= _VALUES
        return max(own, siblings) if is_one_value else own
    return own


def _is_schema(value: dict[str, Json]) -> bool:
    kind = value.get("type")
    return (
        "anyOf" in value
        or "$ref" in value
        or "allOf" in value
        or (
            isinstance(kind, str | list)
            and (
                not isinstance(kind, str)
                or kind in {"string", "object", "array", "number", "integer", "boolean", "null"}
            )
        )
    )


def _told_items(items: Sequence[Json], told: Told) -> list[Told]:
    levels = [told] * len(items)
    if told is Told.VALUE and len(items) == _A_PAIR:
        levels[0] = Told.NOTHING  # the user, before the password
    for place, item in enumerate(items[:-1]):
        if isinstance(item, str) and item.startswith("-") and "=" not in item and len(item) < _LONGEST_FLAG:
            levels[place + 1] = max(told, told_by(item))
    return levels


def _shown(value: Json, told: Told, depth: int) -> Json:
    """A value as it may be shown; itself where it is no suspect."""
    if isinstance(value, str):
        return _shown_text(value, told, depth) if value and value != MASK else value
    if isinstance(value, int) and not isinstance(value, bool):
        return SHOWN if told >= Told.VALUE and abs(value) >= _SMALLEST_NUMBER else value
    return value


def _shown_text(text: str, told: Told, depth: int) -> str:
    if told >= Told.VALUE and may_be_secret(text) and not text.startswith("--"):
        inner = _decoded(text, depth)
        return SHOWN if inner is None else _again(text, inner, told, depth)
    if is_key(text) or (told is Told.PERHAPS and is_by_chance(text)):
        return SHOWN
    inner = _decoded(text, depth)
    if inner is not None:
        return _again(text, inner, told, depth)
    return _without(text, secret_parts(text))


def _without(text: str, spans: Sequence[Span]) -> str:
    kept, begin = [], 0
    for start, end in spans:
        kept += [text[begin:start], SHOWN]
        begin = end
    return "".join([*kept, text[begin:]]) if spans else text


def _again(text: str, inner: Json, told: Told, depth: int) -> str:
    """JSON in a text, written again without its suspects."""
    shown = _masked(inner, told, depth + 1)
    return text if shown == inner else msgspec.json.encode(shown).decode()


def _decoded(text: str, depth: int) -> Json:
    """The object or list that a text is; None for any other text."""
    if depth >= _DEEPEST_JSON or len(text) > _LONGEST_JSON or text.lstrip()[:1] not in {"{", "["}:
        return None
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError, UnicodeError):
        return None
