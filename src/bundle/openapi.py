"""What a server accepts: the property names of its request bodies, read from its OpenAPI document.

Prefect's request models refuse unknown keys, and each release knows other
keys, so the server itself is asked. Pure: a decoded document goes in. The
document comes from a server and is not trusted: a wrong shape means "not
known", never an error, and circular models end.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec

Route = tuple[str, str]
Model = Mapping[str, Any]

_PARAMETER = re.compile(r"\{[^{}]*\}")
_REFERENCE = "#/components/schemas/"
_ALTERNATIVES = ("allOf", "anyOf", "oneOf")


class Accepted(msgspec.Struct, frozen=True):
    """The request bodies that one server accepts.

    Paths are templates relative to the API URL. What a parameter is called
    does not matter: ``/work_pools/{name}`` and ``/work_pools/{x}`` are one route.
    """

    bodies: Mapping[Route, Model | None]
    models: Mapping[str, Model]

    def offers(self, method: str, path: str) -> bool:
        """Whether the server has this route at all."""
        return _route(method, path) in self.bodies

    def for_(self, method: str, path: str) -> frozenset[str] | None:
        """The property names of the JSON body; None where they are not known or the body is free-form."""
        return self.nested(method, path)

    def nested(self, method: str, path: str, *properties: str) -> frozenset[str] | None:
        """The property names of an object inside the body, reached through ``properties``.

        Lists count as their items, and alternatives are united. None as for ``for_``.
        """
        found = self._objects(self.bodies.get(_route(method, path)))
        for name in properties:
            found = [part for model in found for part in self._objects(_properties(model).get(name))]
        return frozenset(name for model in found for name in _properties(model)) or None

    def _objects(self, schema: Any) -> list[Model]:
        """The object models behind references, alternatives and list items."""
        found: list[Model] = []
        waiting: list[Model] = [_table(schema)]
        seen: set[str] = set()
        while waiting:
            model = waiting.pop()
            if _properties(model):
                found.append(model)
            waiting.extend(_parts(model))
            name = _text(model.get("$ref")).removeprefix(_REFERENCE)
            if name in self.models and name not in seen:
                seen.add(name)
                waiting.append(self.models[name])
        return found


def parse_openapi(document: Any) -> Accepted:
    """Read an OpenAPI 3 document as Prefect serves it at ``GET /openapi.json``.

    Prefect 3.8.8 writes its paths without ``/api``, which stands in ``servers``;
    a document that writes it before every path is understood too.
    """
    paths = _table(_table(document).get("paths"))
    models = _table(_table(_table(document).get("components")).get("schemas"))
    prefix = "/api" if paths and all(path.startswith("/api/") for path in paths) else ""
    bodies = {
        _route(method, path.removeprefix(prefix)): _body(_table(operation))
        for path, operations in paths.items()
        for method, operation in _table(operations).items()
    }
    return Accepted(bodies=bodies, models={name: _table(model) for name, model in models.items()})


def _body(operation: Model) -> Model | None:
    content = _table(_table(operation.get("requestBody")).get("content"))
    return _table(_table(content.get("application/json")).get("schema")) or None


def _route(method: str, path: str) -> Route:
    return method.upper(), _PARAMETER.sub("{}", path)


def _parts(model: Model) -> list[Model]:
    lists = [model.get(word) for word in _ALTERNATIVES]
    parts = [part for parts in lists if isinstance(parts, list) for part in parts]
    return [_table(part) for part in (model.get("items"), *parts) if isinstance(part, dict)]


def _properties(model: Model) -> Mapping[str, Any]:
    return _table(model.get("properties"))


def _table(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
