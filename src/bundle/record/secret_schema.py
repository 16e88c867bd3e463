"""Finds the places that a schema calls secret: in a value that has the schema, and in the schema itself.

Rules:

1. A schema declares a secret by ``format: password``, by ``writeOnly``, or by a path in Prefect's ``secret_fields``.
2. Schemas are untrusted. One that cannot be understood at some place makes the whole value there secret, and
   one that takes too long makes everything secret. None raises.
3. A path of ``secret_fields`` crosses lists and maps. Its names are those of Python, so a member may be called
   otherwise (an alias); a path that leads nowhere makes the whole of what it led into secret.
4. Patterns of ``patternProperties`` count for every member: a foreign regular expression is never run.
5. Null and what is empty hold no secret.

Pure: no I/O, no logging.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from bundle.model import Body, Json, JsonType, Pointer
from bundle.record.pointers import join
from bundle.record.schema_views import (
    REFERENCES,
    Path,
    UnclearError,
    alternatives,
    declared_type,
    declares,
    definition,
    is_declared_secret,
    is_map,
    schemas_of_item,
    schemas_of_member,
    secret_paths,
    ways_into,
)

MASK = "********"
_ANY = "*"
MOST_STEPS = 400_000
_Member = tuple[str, Json, list[Json]]


def secret_places(value: Json, schema: Json) -> dict[Pointer, JsonType]:
    """The places in a value that its schema calls secret.

    Args:
        value: an object, such as a block document's data (nested documents already replaced) or parameters.
        schema: its JSON Schema, for blocks with ``secret_fields``.

    Returns:
        Pointers relative to ``value``, none inside another, and the JSON type of each. Where the
        whole value is secret, each of its members is.
    """
    return places_of(value, schema, schema)


def json_type(value: Json) -> JsonType:
    """The JSON type of a value that is not null."""
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number"
    if isinstance(value, list):
        return "array"
    return "object" if isinstance(value, dict) else "string"


def holds_nothing(value: Json) -> bool:
    """Whether a value is too empty to hold a secret."""
    return value is None or (isinstance(value, str | dict | list) and not value)


def places_of(value: Json, schema: Json, root: Json) -> dict[Pointer, JsonType]:
    search = _Search(root)
    try:
        search.look(value, [schema])
        found = search.places
    except (TooMuchError, RecursionError):
        found = {"": json_type(value)}
    if "" not in found or not isinstance(value, dict):
        return outermost(found)
    return {join(name): json_type(item) for name, item in value.items() if not holds_nothing(item)}


def outermost(places: Mapping[Pointer, JsonType]) -> dict[Pointer, JsonType]:
    return {place: kind for place, kind in places.items() if not any(each in places for each in _above(place))}


def _above(place: Pointer) -> Iterator[Pointer]:
    while place:
        place = place.rpartition("/")[0]
        yield place


class TooMuchError(Exception):
    """A schema or a value took more steps than any honest one does."""


class _Search:
    """One search of one value; ``places`` has what was found."""

    def __init__(self, root: Json) -> None:
        self._root = root
        self._steps_left = MOST_STEPS
        self.places: dict[Pointer, JsonType] = {}

    def look(self, value: Json, schemas: list[Json]) -> None:
        """Go through a value beside its schemas, by format and by the paths that each schema has for itself."""
        rest: list[_Member] = [("", value, schemas)]
        while rest:
            at, item, applying = rest.pop()
            if holds_nothing(item):
                continue
            try:
                views = self._views(applying)
                for path in secret_paths(views):
                    if not self._follow(item, path, at, applying):
                        self._take(at, item, applying)
                rest += [each for each in self._members(item, at, views) if each[2]]
            except UnclearError:
                self._take(at, item, applying)

    def _spend(self) -> None:
        self._steps_left -= 1
        if self._steps_left < 0:
            raise TooMuchError

    def _take(self, at: Pointer, value: Json, schemas: Iterable[Json], path: Path = ()) -> None:
        """Note a place; behind the server's mask, its type is what the schema, or the rest of the path, declares."""
        declared = self._declared_type(schemas) if value == MASK else None
        if value == MASK and declared is None and path[:1] == (_ANY,):
            declared = "object"
        self.places[at] = declared or self.places.get(at) or json_type(value)

    # Schemas

    def _views(self, schemas: Iterable[Json]) -> list[Body]:
        """All schemas that may apply to a value, those behind references and in unions included.

        Raises:
            UnclearError: one of them calls the value secret, or is no schema.
        """
        views = list(self._expanded(schemas))
        if any(is_declared_secret(view) for view in views):
            raise UnclearError
        return views

    def _expanded(self, schemas: Iterable[Json]) -> Iterator[Body]:
        seen: set[int] = set()
        rest = [*schemas]
        while rest:
            self._spend()
            schema = rest.pop()
            if schema is None or isinstance(schema, bool) or id(schema) in seen:
                continue
            if not isinstance(schema, dict):
                raise UnclearError
            seen.add(id(schema))
            yield schema
            rest += reversed([*alternatives(schema), *self._referred(schema)])

    def _referred(self, schema: Body) -> Iterator[Json]:
        return (definition(schema[word], self._root) for word in REFERENCES if schema.get(word) is not None)

    def _declared_type(self, schemas: Iterable[Json]) -> JsonType | None:
        try:
            return next((found for view in self._expanded(schemas) if (found := declared_type(view))), None)
        except UnclearError:
            return None

    def _members(self, value: Json, at: Pointer, views: list[Body]) -> Iterator[_Member]:
        """What is inside a value, each with the schemas that may apply to it."""
        if isinstance(value, dict):
            for name, item in value.items():
                self._spend()
                yield at + join(name), item, [each for view in views for each in schemas_of_member(view, name)]
        elif isinstance(value, list):
            for position, item in enumerate(value):
                self._spend()
                yield at + join(position), item, [each for view in views for each in schemas_of_item(view, position)]

    # Paths of secret_fields

    def _follow(self, value: Json, path: Path, at: Pointer, schemas: list[Json]) -> bool:
        """Note what a path leads to; the answer is whether it leads anywhere."""
        self._spend()
        if holds_nothing(value):
            return True
        if not path or path == (_ANY,) or value == MASK:
            self._take(at, value, schemas, path)
            return True
        views = self._clear_views(schemas)
        if isinstance(value, dict):
            return self._follow_object(value, path, at, views)
        if isinstance(value, list):
            return self._follow_each(self._members(value, at, views), path)
        # What is neither may be the plain side of a union, if the schema knows of the other one.
        return any(declares(view, path) for view in views)

    def _follow_object(self, value: Body, path: Path, at: Pointer, views: list[Body]) -> bool:
        members = list(self._members(value, at, views))
        if path[0] == _ANY:
            return self._follow_each(members, path[1:])
        named = dict(ways_into(value, path))
        is_absent = not named and any(declares(view, path) for view in views)
        is_open = not views or any(map(is_map, views))
        if not named and not is_absent:
            return is_open and self._follow_each(members, path)
        for place, item, schemas in members:
            name = place[len(at) :]
            if name in named and not self._follow(item, path[named[name] :], place, schemas):
                self._take(place, item, schemas)
            elif name not in named and is_open and isinstance(item, dict | list):
                self._follow(item, path, place, schemas)
        return True

    def _follow_each(self, members: Iterable[_Member], path: Path) -> bool:
        """Follow a path through all members of a map or a list; those where it leads nowhere are secret, too."""
        lost = [each for each in members if not self._follow(each[1], path, each[0], each[2])]
        members = list(members) if isinstance(members, list) else lost
        if lost and len(lost) == len(members):
            return False
        for place, item, schemas in lost:
            self._take(place, item, schemas)
        return True

    def _clear_views(self, schemas: list[Json]) -> list[Body]:
        """The schemas of a value, none where they cannot be understood: then a path must find its way without."""
        try:
            return list(self._expanded(schemas))
        except UnclearError:
            return []
