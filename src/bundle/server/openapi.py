"""What a server accepts: request bodies judged by its OpenAPI document.

Prefect's request models refuse unknown keys, or silently lose them, and each
release knows other keys; so the server itself is asked. Pure: a decoded
document goes in. The document comes from a server and is not trusted: a wrong
shape means "not known", never an error, and circular models end.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec

from bundle.model import Json, Pointer
from bundle.record.canonical import encode, sha256_hex
from bundle.record.pointers import join

Route = tuple[str, str]
Model = Mapping[str, Any]
Path = tuple[str | int, ...]

_PARAMETER = re.compile(r"\{[^{}]*\}")
_REFERENCE = "#/components/schemas/"
_MOST_STEPS = 100_000
_ALTERNATIVES = ("anyOf", "oneOf")


class Misfits(msgspec.Struct, frozen=True):
    """What a server makes of one body.

    ``unknown`` are places that its models have no field for. ``refused`` are
    places whose value is of none of the shapes that the models allow there;
    the whole body would be refused.
    """

    unknown: tuple[Pointer, ...] = ()
    refused: tuple[Pointer, ...] = ()


class Accepted(msgspec.Struct, frozen=True):
    """The request bodies that one server accepts.

    Paths are templates relative to the API URL. What a parameter is called
    does not matter: ``/work_pools/{name}`` and ``/work_pools/{x}`` are one route.
    ``digest`` is the SHA-256 of the whole document in canonical JSON, in hex.
    """

    bodies: Mapping[Route, Model | None]
    models: Mapping[str, Model]
    digest: str = ""

    @classmethod
    def of_bodies(cls, bodies: Mapping[Route, Model]) -> Accepted:
        """What accepts these bodies, by method and path template, and no others."""
        return cls(bodies={_route(*route): model for route, model in bodies.items()}, models={})

    def offers(self, method: str, path: str) -> bool:
        """Whether the server has this route at all."""
        return _route(method, path) in self.bodies

    def names(self, method: str, path: str, *properties: str) -> frozenset[str]:
        """The property names of a body, or of an object inside it, reached through ``properties``.

        Lists count as their items, and alternatives are united. Empty where nothing is known.
        """
        try:
            judge = _Judge(self.models)
            models = judge.objects(self.bodies.get(_route(method, path)))
            for name in properties:
                models = [part for model in models for part in judge.objects(_properties(model).get(name))]
        except (_TooMuchError, RecursionError):
            return frozenset()
        return frozenset(name for model in models for name in _properties(model))

    def judge(self, method: str, path: str, body: Json, *, is_strict: bool = False) -> Misfits:
        """Where a body does not fit; what the document does not say counts as fitting.

        Only shapes are judged, constants among them: numbers, formats and
        lengths are not, since servers also take what their documents do not show.
        ``is_strict``: types of scalars and bounds of numbers are, too.
        """
        found = _Judge(self.models, is_strict=is_strict)
        try:
            found.visit(self.bodies.get(_route(method, path)), body, ())
        except (_TooMuchError, RecursionError):
            return Misfits()
        return Misfits(tuple(found.unknown), tuple(found.refused))


class _TooMuchError(Exception):
    """A document took more steps than any honest one does: models that contain themselves, or double at each step."""


class _Judge:
    """Walks a value along the models, gathering what does not fit."""

    def __init__(self, models: Mapping[str, Model], *, is_strict: bool = False) -> None:
        self._models = models
        self._is_strict = is_strict
        self._steps_left = _MOST_STEPS
        self.unknown: list[Pointer] = []
        self.refused: list[Pointer] = []

    def visit(self, schema: Any, value: Json, path: Path) -> None:
        models = self.plain(schema)
        # Of a whole body only parts may be at hand, and there is nothing to choose from.
        fitting = [each for each in models if self._is_possible(each, value)] if path else models
        if models and not fitting:
            self.refused.append(join(*path))
        elif isinstance(value, dict) and fitting:
            self._members(fitting, value, path)
        elif isinstance(value, list):
            items = [each["items"] for each in fitting if isinstance(each.get("items"), dict)]
            for position, item in enumerate(value if len(items) == len(fitting) else ()):
                self.visit({"anyOf": items}, item, (*path, position))

    def _is_possible(self, model: Model, value: Json) -> bool:
        return _is_possible(model, value) and (not self._is_strict or _is_of(model, value))

    def _members(self, models: list[Model], value: Mapping[str, Json], path: Path) -> None:
        """The members of an object, by the alternatives that know most of them."""
        unknown = min((_strangers(model, value) for model in models), key=len)
        best = [model for model in models if len(_strangers(model, value)) == len(unknown)]
        self.unknown += [join(*path, name) for name in unknown]
        for name, item in value.items():
            schemas = [model["properties"][name] for model in best if name in _properties(model)]
            if schemas and len(schemas) == len(best):
                self.visit({"anyOf": schemas}, item, (*path, name))

    def plain(self, schema: Any) -> list[Model]:
        """The alternatives behind references and unions; parts joined by allOf are one."""
        found: list[Model] = []
        waiting: list[Model] = [_table(schema)]
        seen: set[str] = set()
        while waiting:
            model = waiting.pop()
            self._steps_left -= 1
            if self._steps_left < 0:
                raise _TooMuchError
            name = _text(model.get("$ref")).removeprefix(_REFERENCE)
            alternatives = list(_listed(model, _ALTERNATIVES))
            if "$ref" in model:
                waiting.extend([self._models[name]] if name in self._models and name not in seen else [])
                seen.add(name)
            elif alternatives:
                waiting.extend(alternatives)
            elif "allOf" in model:
                found.append(_united(part for each in _listed(model, ("allOf",)) for part in self.plain(each)))
            else:
                found.append(model)
        return found

    def objects(self, schema: Any) -> list[Model]:
        """The models of objects behind references, alternatives and list items."""
        found = self.plain(schema)
        return found + [part for model in found for part in self.plain(model.get("items"))]


def parse_openapi(document: Any) -> Accepted:
    """Read an OpenAPI 3 document as Prefect serves it at ``GET /openapi.json``.

    Prefect 3 writes its paths without ``/api``, which is in ``servers``; a
    document that writes it before every path is understood too.
    """
    paths = _table(_table(document).get("paths"))
    models = _table(_table(_table(document).get("components")).get("schemas"))
    prefix = "/api" if paths and all(path.startswith("/api/") for path in paths) else ""
    bodies = {
        _route(method, path.removeprefix(prefix)): _body(_table(operation))
        for path, operations in paths.items()
        for method, operation in _table(operations).items()
    }
    tables = {name: _table(model) for name, model in models.items()}
    return Accepted(bodies=bodies, models=tables, digest=sha256_hex(encode(document)))


def _body(operation: Model) -> Model | None:
    content = _table(_table(operation.get("requestBody")).get("content"))
    return _table(_table(content.get("application/json")).get("schema")) or None


def _route(method: str, path: str) -> Route:
    return method.upper(), _PARAMETER.sub("{}", path)


def _is_possible(model: Model, value: Json) -> bool:
    """Whether a value is of a model's shape, as far as one look shows.

    Null always is: bodies of bundles hold it where a secret was. Scalars are
    not distinguished: a duration may be a number or a text.
    """
    kind, constants = _text(model.get("type")), _constants(model)
    if isinstance(value, dict):
        return kind in {"object", ""} and not _lacking(model, value) and _has_constants(model, value)
    if isinstance(value, list):
        return kind in {"array", ""} and not _properties(model)
    is_scalar = kind not in {"object", "array", "null"} and not _properties(model)
    return value is None or (is_scalar and (not constants or value in constants))


def _is_of(model: Model, value: Json) -> bool:
    """Whether a scalar is of a model's type, and a number within its bounds; anything else is."""
    kind = _text(model.get("type"))
    if isinstance(value, bool):
        return kind in {"boolean", ""}
    if isinstance(value, str):
        # A duration may be a number or a text.
        return kind in {"string", ""} or (kind == "number" and value.startswith("P"))
    if isinstance(value, int | float):
        is_number = kind in {"number", ""} or (kind == "integer" and value == int(value))
        return is_number and _is_within(model, value)
    return True


def _is_within(model: Model, value: float) -> bool:
    bounds = {word: bound for word, bound in model.items() if isinstance(bound, int | float)}
    return bounds.get("minimum", value) <= value <= bounds.get("maximum", value) and bounds.get(
        "exclusiveMinimum", value - 1
    ) < value < bounds.get("exclusiveMaximum", value + 1)


def _lacking(model: Model, value: Mapping[str, Json]) -> bool:
    required = model.get("required")
    return isinstance(required, list) and any(name not in value for name in required if isinstance(name, str))


def _has_constants(model: Model, value: Mapping[str, Json]) -> bool:
    """Whether the members by which alternatives are distinguished have one of their fixed texts."""
    fixed = {name: _constants(_table(part)) for name, part in _properties(model).items()}
    return all(value[name] in texts for name, texts in fixed.items() if texts and value.get(name) is not None)


def _constants(part: Model) -> list[Json]:
    if "const" in part:
        return [part["const"]]
    listed = part.get("enum")
    return listed if isinstance(listed, list) else []


def _strangers(model: Model, value: Mapping[str, Json]) -> list[str]:
    """The members of a value that a model has no field for; a model that lists none takes all."""
    if not _properties(model) or model.get("additionalProperties") not in (None, False):
        return []
    return [name for name in value if name not in _properties(model)]


def _united(parts: Iterable[Model]) -> Model:
    known = list(parts)
    properties = {name: schema for part in known for name, schema in _properties(part).items()}
    return {**(known[0] if known else {}), "properties": properties}


def _listed(model: Model, words: Iterable[str]) -> Iterator[Model]:
    for word in words:
        parts = model.get(word)
        yield from (part for part in (parts if isinstance(parts, list) else ()) if isinstance(part, dict))


def _properties(model: Model) -> Mapping[str, Any]:
    return _table(model.get("properties"))


def _table(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
