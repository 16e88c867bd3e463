"""JSON Pointers (RFC 6901) into bodies. Nothing here changes a value that it is given."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from bundle.model import Body, Json, Pointer

_BAD_ESCAPE = re.compile(r"~(?![01])")
_INDEX = re.compile(r"0|[1-9][0-9]{0,8}")


def join(*tokens: str | int) -> Pointer:
    """The JSON Pointer (RFC 6901) of a path: ``join("a/b", 0)`` is ``/a~1b/0``."""
    return "".join(["/" + _escape(str(token)) for token in tokens])


def split(pointer: Pointer) -> list[str]:
    """The tokens of a JSON Pointer, the inverse of ``join``.

    Raises:
        LookupError: the pointer is malformed.
    """
    if not pointer:
        return []
    if pointer[0] != "/" or _BAD_ESCAPE.search(pointer):
        raise LookupError("not a JSON Pointer")
    tokens = pointer[1:].split("/")
    if "~" not in pointer:
        return tokens
    return [token.replace("~1", "/").replace("~0", "~") for token in tokens]


def resolve(body: Json, pointer: Pointer) -> Json:
    """The value at a pointer.

    Raises:
        LookupError: nothing is there, or the pointer is malformed.
    """
    for token in split(pointer):
        body = body[_place(body, token)]
    return body


def exists(body: Json, pointer: Pointer) -> bool:
    """Whether anything is at a pointer."""
    try:
        resolve(body, pointer)
    except LookupError:
        return False
    return True


def replace(body: Body, pointer: Pointer, value: Json) -> Body:
    """A body with another value at one pointer; ``body`` itself stays as it is.

    Raises:
        LookupError: nothing is there, or the pointer is malformed.
    """
    return replace_all(body, {pointer: value})


def replace_all(body: Body, values: Mapping[Pointer, Json]) -> Body:
    """A body with other values at some pointers, applied in order; ``body`` itself stays as it is.

    Only the containers on the way to a pointer are copied; all else is shared.

    Raises:
        LookupError: nothing is at one of the pointers, or it is malformed.
    """
    top: list[Any] = [body]
    # The copies made here, by id. Holding them keeps an id from being given to another object.
    copies: dict[int, Any] = {}
    for pointer, value in values.items():
        container: Any = top
        place: str | int = 0
        for token in split(pointer):
            container = _copied(container, place, copies)
            place = _place(container, token)
        container[place] = value
    replaced: Body = top[0]
    return replaced


def without(body: Body, pointers: Iterable[Pointer]) -> Body:
    """A body without the members of objects at some pointers; ``body`` itself stays as it is.

    Raises:
        LookupError: nothing is at one of the pointers, or it is malformed.
    """
    for pointer in pointers:
        *above, name = split(pointer)
        around = join(*above)
        body = replace_all(body, {around: {key: item for key, item in resolve(body, around).items() if key != name}})
    return body


def outermost(pointers: Iterable[Pointer]) -> tuple[Pointer, ...]:
    """The pointers that lead into no other one's value, in order and each once."""
    found: list[Pointer] = []
    for pointer in sorted(set(pointers)):
        if not any(pointer.startswith(f"{above}/") for above in found):
            found.append(pointer)
    return tuple(found)


def walk(value: Json) -> Iterator[tuple[Pointer, Json]]:
    """Every value inside a value with its pointer, in document order; a container comes before its items."""
    rest: list[tuple[Pointer, Json]] = [("", value)]
    while rest:
        pointer, item = rest.pop()
        yield pointer, item
        if isinstance(item, dict):
            rest.extend([(f"{pointer}/{_escape(name)}", item[name]) for name in reversed(item)])
        elif isinstance(item, list):
            rest.extend([(f"{pointer}/{index}", item[index]) for index in range(len(item) - 1, -1, -1)])


def _escape(token: str) -> str:
    return token.replace("~", "~0").replace("/", "~1")


def _place(container: Any, token: str) -> str | int:
    if isinstance(container, dict) and token in container:
        return token
    if isinstance(container, list) and _INDEX.fullmatch(token) and int(token) < len(container):
        return int(token)
    raise LookupError("nothing is at this JSON Pointer")


def _copied(container: Any, place: str | int, copies: dict[int, Any]) -> Any:
    child = container[place]
    if id(child) in copies or not isinstance(child, dict | list):
        return child
    copy = child.copy()
    copies[id(copy)] = container[place] = copy
    return copy
