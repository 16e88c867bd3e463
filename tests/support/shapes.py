"""Shapes of block classes that hold secrets, made with Prefect's SDK and pydantic: a type, and a value of it."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pydantic
from prefect.blocks.core import Block
from prefect.types import SecretDict
from pydantic import Field, Secret, SecretBytes, SecretStr

CANARY = "canary-"
PLAIN = "plain-"


class Shape(NamedTuple):
    """A type, a value of it with canaries in the secret places, and whether it holds any secret."""

    name: str
    type: Any
    value: Any
    is_secret: bool


def leaf(name: str, number: int) -> Shape:
    """A secret or a plain type; ``number`` makes its value its own."""
    secret, plain = f"{CANARY}{number}", f"{PLAIN}{number}"
    return {
        "str": Shape(name, SecretStr, secret, is_secret=True),
        "bytes": Shape(name, SecretBytes, secret, is_secret=True),
        "dict": Shape(name, SecretDict, {"a": secret}, is_secret=True),
        "secret": Shape(name, Secret[str], secret, is_secret=True),
        "plain": Shape(name, str, plain, is_secret=False),
        "number": Shape(name, int, number, is_secret=False),
    }[name]


LEAVES = ("str", "bytes", "dict", "secret", "plain", "number")


def _generic(generic: Any, *parameters: Any) -> Any:
    return generic[parameters if len(parameters) > 1 else parameters[0]]


def _model(inner: Shape, *, alias: str | None = None, inherited: bool = False, default: bool = False) -> Shape:
    field: Any = (inner.type | None, None) if default else (inner.type, Field(alias=alias) if alias else ...)
    name = f"Model{abs(hash((inner.name, alias, inherited, default)))}"
    made = pydantic.create_model(name, inner=field, beside=(str, "beside"))
    if inherited:
        made = pydantic.create_model(f"{name}Child", __base__=made)
    return Shape(f"model {inner.name}", made, {alias or "inner": inner.value, "beside": PLAIN}, inner.is_secret)


def _around(name: str, wrap: Callable[[Any], Any], fill: Callable[[Any], Any]) -> Callable[[Shape], Shape]:
    return lambda each: Shape(f"{name} {each.name}", wrap(each.type), fill(each.value), each.is_secret)


WRAPPERS: tuple[Callable[[Shape], Shape], ...] = (
    _around("list", lambda kind: _generic(list, kind), lambda value: [value, value]),
    _around("pair", lambda kind: _generic(tuple, kind, int), lambda value: [value, 1]),
    _around("tuple", lambda kind: _generic(tuple, kind, ...), lambda value: [value]),
    _around("map", lambda kind: _generic(dict, str, kind), lambda value: {"eu": value, "a.b/c": value}),
    _around("optional", lambda kind: kind | None, lambda value: value),
    _around("union", lambda kind: kind | int, lambda value: value),
    _model,
    lambda each: _model(each, alias="other-Name"),
    lambda each: _model(each, inherited=True),
    lambda each: _model(each, default=True),
)


def block_class(shape: Shape, number: int) -> Any:
    """A block class of its own with one field of a shape."""
    return pydantic.create_model(f"Shape{number}", __base__=Block, field=(shape.type, ...), note=(str, PLAIN))


def compositions() -> Iterator[Shape]:
    """Wrappers around wrappers around a secret text, each wrapper around another secret, and secrets by themselves."""
    numbers = itertools.count()
    for place, outer in enumerate(WRAPPERS):
        for inner in (*WRAPPERS[place % 2 :: 2],):
            yield outer(inner(leaf("str", next(numbers))))
        yield outer(leaf(LEAVES[1 + place % 3], next(numbers)))
    for name in LEAVES[:4]:
        yield leaf(name, next(numbers))
