"""Rows as no Prefect answers them, beside good ones: every member of a row, at any depth, with every type of value."""

from __future__ import annotations

import copy
import itertools
import json
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import httpx

from bundle.kinds.base import Kind
from bundle.record.pointers import replace, walk
from support.fake_prefect import FakePrefect
from support.tampering import Tampering

CANARY = "CANARY-6f1d"


def nested(depth: int) -> Any:
    """Lists in lists."""
    value: Any = CANARY
    for _ in range(depth):
        value = [value]
    return value


VALUES: tuple[Any, ...] = (
    None, True, -1, 2.5, 10**25, "", CANARY, f"{CANARY} {uuid.UUID(int=7)}", [], [CANARY], [[None]], {}, {"a": CANARY},
    {"$ref": "#"}, {"": [{}]}, nested(70), nested(300), "x" * 70_000,
)  # fmt: skip

# What JSON text may hold and no decoded value can.
BROKEN = (b'{"name": "\\ud800"}', b'{"name": 1e999}', b'{"name": ' + b"[" * 3000 + b"]" * 3000 + b"}", b"7", b"null")


def odd_rows(row: dict[str, Any], kind: Kind, *, most: int) -> Iterator[dict[str, Any]]:
    """Copies of a row, each with another id, another name and one odd value."""
    places = [place for place, _ in walk(row) if place]
    cases = list(itertools.product(places, VALUES))
    for number, (place, value) in enumerate(cases[:: -(-len(cases) // most)]):
        other = copy.deepcopy(row) | {"id": str(uuid.UUID(int=(1 << 100) + number))}
        # Two of one name are another matter: nobody could say which of them is meant.
        other |= {field: f"odd-{number}" for field in (kind.name_field, "slug", "checksum") if field in other}
        if isinstance(other.get("fields"), dict):
            other["fields"]["title"] = f"odd-{number}"
        yield replace(other, place, value)


def answering(fake: FakePrefect, kind: Kind, change: Callable[[list[Any]], bytes]) -> Tampering:
    """A fake server whose list of a kind is what is made of its first page."""
    path = "/v2/concurrency_limits" if kind.name == "tag-limit" else kind.path

    def after(request: httpx.Request, response: httpx.Response) -> httpx.Response:
        is_meant = request.url.path == f"/api{path}/filter" and response.status_code == httpx.codes.OK
        body = json.loads(request.content or b"{}")
        if not is_meant or body.get("offset") or "limit" in body:
            return response
        return httpx.Response(200, content=change(response.json()), headers={"content-type": "application/json"})

    return Tampering(fake, after=after)


def dumped(rows: list[Any]) -> bytes:
    """Rows as an answer has them."""
    return json.dumps(rows, ensure_ascii=False).encode()
