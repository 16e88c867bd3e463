"""JSON documents with something wrong at random places."""

from __future__ import annotations

import copy
import random
from typing import Any

_ID = "00000000-0000-4000-8000-000000000007"


def _deep(depth: int) -> Any:
    value: Any = 1
    for level in range(depth):
        value = [value] if level % 2 else {"a": value}
    return value


def values(rng: random.Random) -> Any:
    """An odd value, other than the last one most of the time."""
    return rng.choice((
        None, True, False, 0, -1, 1.5, 10**30, "", "a", "~", "/", "{{ x", "\x00", "\u202e", _ID, f"{_ID} {_ID}",
        [], {}, [None], [[]], {"": None}, {"$ref": "#"}, {"type": ["string"]}, {"id": _ID}, [{"id": _ID}],
        "x" * 300, _deep(rng.choice((3, 70, 200))), {"anyOf": [{"$ref": "#/definitions/a"}]}, {"properties": []},
    ))  # fmt: skip


def mutant(document: Any, rng: random.Random) -> Any:
    """A copy with one to three changes."""
    changed = [copy.deepcopy(document)]
    for _ in range(rng.choice((1, 1, 2, 3))):
        _change(changed, rng)
    return changed[0]


def _change(top: list[Any], rng: random.Random) -> None:
    container: Any = top
    place: Any = 0
    while rng.random() < 0.8 and isinstance(container[place], dict | list) and container[place]:
        container = container[place]
        place = rng.choice(list(container)) if isinstance(container, dict) else rng.randrange(len(container))
    way = rng.random()
    if container is top or way < 0.6:
        container[place] = values(rng)
    elif way < 0.75:
        del container[place]
    elif isinstance(container, list):
        container.append(copy.deepcopy(container[place]))
    else:
        container[rng.choice(("name", "id", "zz", "type", "$ref"))] = values(rng)
