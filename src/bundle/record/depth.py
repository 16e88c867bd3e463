"""How deep JSON values are nested, told without recursion. Pure."""

from __future__ import annotations

from bundle.model import Json
from bundle.record.canonical import encode


def is_deep(value: Json, depth: int) -> bool:
    """Whether a value is nested deeper than so many levels; its own is the first."""
    try:
        data = encode(value)
    except RecursionError:
        return True
    return is_deep_in(data, value, depth)


def is_deep_in(data: bytes, value: Json, depth: int) -> bool:
    """The same of a value in some JSON; most does not hold enough brackets to be looked into."""
    return data.count(b"[") + data.count(b"{") > depth and is_deeper(value, depth)


def is_deeper(value: Json, depth: int) -> bool:
    """The same, without a look at the brackets first."""
    level = [value]
    for _ in range(depth + 1):
        level = [item for item in level if isinstance(item, dict | list)]
        if not level:
            return False
        level = [item for outer in level for item in (outer.values() if isinstance(outer, dict) else outer)]
    return True
