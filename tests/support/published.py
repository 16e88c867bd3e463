"""The compact form in which xfer keeps what the newest Prefect takes: its OpenAPI document, cut to what is judged by.

``python tests/support/published.py URL`` writes it anew, from a running server.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx

from bundle.kinds import KINDS
from bundle.plan.capabilities import Fields, Offered
from bundle.server import published

_JUDGED = frozenset(
    """
    type items anyOf oneOf allOf $ref enum const required additionalProperties
    minimum maximum exclusiveMinimum exclusiveMaximum
    """.split()  # noqa: SIM905 - a long list of words
)
_VERSION = (3, 9, 1)


def compact(document: dict[str, Any]) -> dict[str, Any]:
    """The routes that create something, and the models that they use, without words that nobody is judged by."""
    routes = {kind.route(Offered(Fields(None, _VERSION), {})) for kind in KINDS.values()}
    paths = {}
    for method, path in sorted(routes):
        operation = document["paths"].get(path, {}).get(method.lower(), {})
        if "requestBody" in operation:
            schema = _cut(operation["requestBody"]["content"]["application/json"]["schema"])
            paths[path] = {method.lower(): {"requestBody": {"content": {"application/json": {"schema": schema}}}}}
    models: dict[str, Any] = {}
    waiting = list(_references(paths))
    while waiting:
        name = waiting.pop()
        if name not in models:
            models[name] = _cut(document["components"]["schemas"][name])
            waiting += _references(models[name])
    return {"paths": paths, "components": {"schemas": models}}


def _cut(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_cut(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    kept = {word: _cut(item) for word, item in schema.items() if word in _JUDGED}
    if "properties" in schema:
        kept["properties"] = {name: _cut(item) for name, item in schema["properties"].items()}
    return kept


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for word, item in value.items():
            if word == "$ref":
                yield item.rpartition("/")[2]
            else:
                yield from _references(item)
    elif isinstance(value, list):
        for item in value:
            yield from _references(item)


def text_of(document: dict[str, Any]) -> str:
    """The file, as it is kept."""
    return json.dumps(compact(document), sort_keys=True, separators=(",", ":")) + "\n"


if __name__ == "__main__":
    answer = httpx.get(f"{sys.argv[1]}/openapi.json", timeout=60, trust_env=False)
    Path(published.__file__).with_name(published.FILE).write_text(text_of(answer.json()), encoding="utf-8")
