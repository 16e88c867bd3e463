"""What of a server's own words may be passed on: nothing that may repeat what was sent. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

from bundle.model import Json
from bundle.server.responses import DETAIL_CHARACTERS, Call, Response
from bundle.server.target import Target

_MOST_FIELDS = 100
# A server's text that holds a value this long, or the beginning of a longer one, may be repeating what was sent.
_ECHO_VALUE, _ECHO_WORD, _ECHO_BEGINNING = 4, 6, 16
_NAMES = frozenset({"name", "tag", "slug"})
# A value that does not conform to a schema is told in a text, with the value in it: place, value and rule.
_NONCONFORMING = "Validation failed"
_PLACE = re.compile(r" for field (['\"])([\w.$\[\]-]{1,200})\1\. Failure reason: ")
_TYPES = r"(?:'(?:string|number|integer|object|array|boolean|null)'(?:, )?){1,7}"
_RULES = (
    (re.compile(rf" is not of type ({_TYPES})\s*$"), "must be of type {}"),
    (re.compile(r" is a required property\s*$"), "lacks a required member"),
    (re.compile(r"Failure reason: Additional properties are not allowed"), "has a member that is not allowed"),
    (re.compile(r" is not valid under any of the given schemas\s*$"), "fits none of the allowed forms"),
)


def safe_detail(target: Target, call: Call, response: Response) -> str:
    """The server's text, unless it may repeat what was sent: any 422, and where it holds a value of ours.

    What the body calls its object is not a secret and may be repeated.
    """
    if response.status == HTTPStatus.UNPROCESSABLE_ENTITY:
        return ""
    body = call.body
    unnamed = {key: value for key, value in body.items() if key not in _NAMES} if isinstance(body, dict) else body
    ours = [*_values(unnamed), *(value.reveal() for _, value in target.headers)]
    ours += [] if target.credentials is None else target.credentials.reveal().split(":")
    return "" if any(_repeats(response.detail, value) for value in ours) else response.detail


def _repeats(detail: str, value: str) -> bool:
    """Whether a text holds a value, or the beginning of a word of it; words of letters alone may be prose."""
    if len(value) >= _ECHO_VALUE and value in detail:
        return True
    words = re.split(r"""[^\x21-\x7e\xa0-\uffff]|["'\\]""", value)
    telling = (word for word in words if len(word) >= _ECHO_WORD and not word.isalpha())
    return any(word[:_ECHO_BEGINNING] in detail for word in telling)


def _values(body: Json) -> Iterator[str]:
    """Every text and number in a body."""
    if isinstance(body, dict | list | tuple):
        for value in body.values() if isinstance(body, dict) else body:
            yield from _values(value)
    elif body is not None and not isinstance(body, bool):
        yield str(body)


def fields(response: Response) -> tuple[tuple[str, str], ...]:
    """Where a 422 finds fault, and the type of fault; never the message or the input, which repeat values.

    Prefect 3 lists them under ``exception_detail``, FastAPI itself under
    ``detail``; types are pydantic's (``extra_forbidden``, in 2.x servers ``value_error.extra``).
    """
    body = response.json if response.status == HTTPStatus.UNPROCESSABLE_ENTITY else None
    lists = [body.get("exception_detail"), body.get("detail")] if isinstance(body, dict) else []
    faults = next((found for found in lists if isinstance(found, list)), None)
    if faults is None:
        return tuple(_nonconforming(body.get("detail") if isinstance(body, dict) else None))
    return tuple(_field(fault) for fault in faults[:_MOST_FIELDS] if isinstance(fault, dict))


def _nonconforming(text: Any) -> Iterator[tuple[str, str]]:
    """What a text says of values that do not conform to a schema: the place and the rule, never the value."""
    for part in text.split(_NONCONFORMING)[1 : _MOST_FIELDS + 1] if isinstance(text, str) else ():
        place = _PLACE.match(part)
        rules = ((rule.search(part), words) for rule, words in _RULES)
        why = next((words.format(*hit.groups()) for hit, words in rules if hit), "does not conform to its schema")
        yield place[2] if place else "", why.replace("'", "")


def _field(fault: dict[str, Any]) -> tuple[str, str]:
    location = fault.get("loc")
    steps = location if isinstance(location, list) else []
    path = ".".join(str(step) for step in steps if isinstance(step, str | int))
    kind = fault.get("type")
    return path[:DETAIL_CHARACTERS], kind[:100] if isinstance(kind, str) else ""
