"""The items of a JSON list as bytes, however deep and whatever they are: one that is broken costs only itself. Pure."""

from __future__ import annotations

import re

_SPACE = b" \t\n\r"
# What opens, closes or separates; a string is one token, so that nothing in it counts.
_TOKEN = re.compile(rb'"(?:[^"\\]++|\\.)*+"|[\[\]{},]', re.DOTALL)


def items_of(content: bytes) -> list[bytes] | None:
    """The items of a list, each as it stands; None where the brackets and strings are not those of one list."""
    content = content.strip(_SPACE)
    if not content.startswith(b"["):
        return None
    items: list[bytes] = []
    depth, start = 0, 1
    for token in _TOKEN.finditer(content):
        sign = token[0]
        if sign in {b"[", b"{"}:
            depth += 1
        elif sign in {b"]", b"}"}:
            depth -= 1
        if depth == 0 or (depth == 1 and sign == b","):
            items.append(content[start : token.start()].strip(_SPACE))
            start = token.end()
        if depth == 0:
            break
    is_whole = depth == 0 and start == len(content)
    return (items if items != [b""] else []) if is_whole else None
