"""One request of a scenario, and short ways to write one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

Json = Any

GONE = "00000000-0000-4000-8000-00000000dead"


@dataclass(frozen=True)
class Ask:
    """One request. ``$name.field.0`` in it is a value of the answer kept under ``name``.

    ``hides``: the answer differs in what a fake need not have, and is not compared;
    ``loose``: only its status is.
    """

    method: str
    path: str
    body: Json = None
    keep: str = ""
    hides: bool = False
    loose: bool = False


def post(path: str, body: Json = None, keep: str = "", *, loose: bool = False) -> Ask:
    return Ask("POST", path, {} if body is None else body, keep, loose=loose)


def get(path: str, keep: str = "", *, hides: bool = False) -> Ask:
    return Ask("GET", path, None, keep, hides=hides)


def patch(path: str, body: Json) -> Ask:
    return Ask("PATCH", path, body)


def put(path: str, body: Json) -> Ask:
    return Ask("PUT", path, body)


def delete(path: str) -> Ask:
    return Ask("DELETE", path)


def reference(block: str) -> Json:
    return {"$ref": {"block_document_id": block}}
