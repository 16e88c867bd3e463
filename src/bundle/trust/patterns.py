"""OpenSSH's lists of patterns (ssh_config(5), PATTERNS): ``*@example.com,!mallory@*``.

``*`` stands for any text, ``?`` for one character, all else for itself. A list matches if one of its patterns does and
none of those with ``!``.
"""

from __future__ import annotations

import functools
import re

from bundle.trust.wire import MalformedError

_LONGEST = 1022


def check(patterns: str) -> str:
    """The list itself.

    Raises:
        MalformedError: one of its patterns is empty, or longer than OpenSSH reads.
    """
    for each in patterns.split(","):
        if not each.removeprefix("!"):
            raise MalformedError("an empty pattern")
        if len(each.removeprefix("!").encode()) > _LONGEST:
            raise MalformedError(f"a pattern of more than {_LONGEST} bytes")
    return patterns


def matches(text: str, patterns: str) -> bool:
    """Whether a list of patterns matches a text; upper and lower case differ."""
    wanted = [_expression(each) for each in patterns.split(",") if not each.startswith("!")]
    unwanted = [_expression(each[1:]) for each in patterns.split(",") if each.startswith("!")]
    return _any(wanted, text) and not _any(unwanted, text)


def literals(patterns: str) -> tuple[str, ...]:
    """The names of a list that are no patterns, and that the list matches, in order."""
    names = [each for each in patterns.split(",") if is_literal(each)]
    return tuple(name for name in dict.fromkeys(names) if matches(name, patterns))


def is_literal(pattern: str) -> bool:
    """Whether a pattern is just a name."""
    return not set(pattern) & set("*?!,")


def _any(expressions: list[re.Pattern[bytes]], text: str) -> bool:
    return any(each.fullmatch(text.encode()) for each in expressions)


@functools.lru_cache(maxsize=1024)
def _expression(pattern: str) -> re.Pattern[bytes]:
    # OpenSSH counts bytes. Between stars the first match is as good as any other, so none is taken back
    # (an atomic group): the time is bounded whatever the pattern is.
    first, *others = (_fixed(part) for part in re.split(rb"\*+", pattern.encode()))
    if not others:
        return re.compile(first, re.DOTALL)
    between = b"".join(b"(?>.*?" + part + b")" for part in others[:-1])
    return re.compile(first + between + b".*" + others[-1], re.DOTALL)


def _fixed(part: bytes) -> bytes:
    return b".".join(re.escape(each) for each in part.split(b"?"))
