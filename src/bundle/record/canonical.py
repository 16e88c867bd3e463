"""One way to write a JSON value as bytes, digests over it, and JSON Pointers into it.

Rules: keys are sorted by code point, there is no white space, text is UTF-8. So equal
values have equal bytes, and a digest of the bytes is a digest of the value. Nothing
here changes a value that it is given.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from bundle.model import Body, Key, Record, Reference, Secret

_SHA256 = re.compile(r"[0-9a-f]{64}")
_ENCODER = msgspec.json.Encoder(order="sorted")


def encode(value: Any) -> bytes:
    """The canonical JSON of a value (docs/format.md, "Canonical JSON")."""
    return _ENCODER.encode(value)


def sha256_hex(data: bytes | bytearray) -> str:
    """The SHA-256 of some bytes as 64 lower-case hex digits."""
    return hashlib.sha256(data).hexdigest()


def is_sha256_hex(text: str) -> bool:
    """Whether a text is a SHA-256 as digests are written: 64 lower-case hex digits."""
    return _SHA256.fullmatch(text) is not None


def record_digest(key: Key, body: Body, references: Sequence[Reference], secrets: Sequence[Secret]) -> str:
    """The digest of a record with these fields (docs/format.md, "Record")."""
    return sha256_hex(encode({"body": body, "key": key, "references": references, "secrets": secrets}))


def make_record(key: Key, body: Body, references: Iterable[Reference], secrets: Iterable[Secret]) -> Record:
    """The record of a resource, with references and secrets in their fixed order and the digest computed."""
    ordered = tuple(sorted(references, key=_reference_order))
    taken = tuple(sorted(secrets, key=lambda secret: secret.pointer))
    return Record(key, body, ordered, taken, record_digest(key, body, ordered, taken))


def lean_record(record: Record, *, is_exported: bool = True) -> Record:
    """What stands for a record in a lean bundle: its key, its digest for a body, and whether an export has it."""
    body: Body = {"digest": record.digest} if is_exported else {"digest": record.digest, "exported": False}
    return make_record(record.key, body, (), ())


def is_lean(record: Record) -> bool:
    """Whether a record has the form of one in a lean bundle."""
    stated = record.body.get("digest")
    has_form = record.body.keys() <= {"digest", "exported"} and record.body.get("exported", False) is False
    is_bare = has_form and not record.references and not record.secrets
    return is_bare and isinstance(stated, str) and is_sha256_hex(stated)


def is_exported(record: Record) -> bool:
    """Whether an export has what a record of a lean bundle stands for; it leaves out what every server creates."""
    return "exported" not in record.body


def _reference_order(reference: Reference) -> tuple[str, int, str]:
    # Ids that stood side by side in one string were cut out at the same offset: their given order is
    # where they were, so it must survive. Names are not cut out and have no such order.
    return (reference.pointer, reference.offset, reference.target if reference.form == "name" else "")
