"""A record as one line of a member, and the checks that a line and the manifest share (docs/format.md, "Record").

Rules: a line is canonical JSON, but that members of objects below the fields of ``body`` keep the order in
which they were given; its digest is of the sorted form, so the order is no part of what a record says.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from bundle.container.limits import Limits
from bundle.model import Key, Record
from bundle.record.canonical import encode, sha256_hex
from bundle.record.depth import is_deep_in

MALFORMED = (ValueError, RecursionError)
_BODY = "body"
_KEY = re.compile(r"[a-z][a-z-]*:.", re.DOTALL)
_DIGEST_FIELD = b',"digest":"'
_DIGEST_LENGTH = len(_DIGEST_FIELD) + 64 + len('"')
_NOT_CANONICAL = "it is not in the canonical form, or has unknown fields"
_TEXT = re.compile(rb'"[^"]*"')
_DEEP = "it is nested deeper than {} levels"
_RECORDS = msgspec.json.Decoder(Record)
_IN_ORDER = msgspec.json.Encoder()


def encode_record(record: Record) -> bytes:
    """The line of a record, without the line break."""
    return _line(msgspec.structs.asdict(record))


def decode_record(line: bytes, limits: Limits, *, newer: bool, ordered: bool) -> Record:
    """The record in one line of a member; ``newer`` lets it have unknown fields, ``ordered`` members in any order.

    Raises:
        ValueError: it is not a record, not canonical, beyond a limit, or its digest is wrong.
    """
    if too_many_values(line, limits):
        raise ValueError(f"it holds more than {limits.values} JSON values")
    try:
        record = _RECORDS.decode(line)
    except MALFORMED as error:
        raise ValueError(f"it is not a record: {reason_of(error)}") from error
    # Before anything is encoded, which would recurse as deep as the record does.
    if is_deep_in(line, record.body, limits.depth - 1):
        raise ValueError(_DEEP.format(limits.depth))
    unsigned = _unsigned(line, record, limits, newer=newer, ordered=ordered)
    if sha256_hex(unsigned) != record.digest:
        raise ValueError("its digest differs from its content")
    problem = record_problem(record, line, limits)
    if problem:
        raise ValueError(problem)
    return record


def record_problem(record: Record, line: bytes, limits: Limits) -> str | None:
    """Why a record, encoded as ``line``, is beyond what a bundle can hold; None when it is not."""
    if not _KEY.match(record.key):
        return "its key is malformed"
    if len(record.key) > limits.key_length:
        return f"its key is longer than {limits.key_length} characters"
    if len(line) > limits.record_bytes:
        return f"it is larger than {limits.record_bytes} bytes"
    if too_many_values(line, limits):
        return f"it holds more than {limits.values} JSON values"
    # References and secrets lie two levels deep; a record is one level around its body.
    return _DEEP.format(limits.depth) if is_deep_in(line, record.body, limits.depth - 1) else None


def undigested(line: bytes) -> bytes:
    """What the digest of a record is taken over: its canonical JSON, all sorted, without the field ``digest``."""
    # Inside a string the quotes would be escaped, and no field that sorts after "digest" holds such a field.
    start = line.rindex(_DIGEST_FIELD)
    return line[:start] + line[start + _DIGEST_LENGTH :]


def is_key(text: str) -> bool:
    """Whether a text has the form of a key."""
    return _KEY.match(text) is not None


def too_many_values(data: bytes, limits: Limits) -> bool:
    """Whether a JSON document could unpack to more values than allowed; told from its bytes alone."""
    if len(data) <= limits.values or _marks(data) <= limits.values:
        return False
    # Texts may be long lists of their own. Between two of them there is a mark or a colon, so this ends soon.
    found, start = 0, 0
    bare = data.replace(rb"\\\\", b"").replace(rb"\"", b"")
    for text in _TEXT.finditer(bare):
        found += _marks(bare[start : text.start()])
        if found > limits.values:
            return True
        start = text.end()
    return found + _marks(bare[start:]) > limits.values


def reason_of(error: Exception) -> str:
    """Why something could not be decoded, in ASCII and without anything of it that is long."""
    if isinstance(error, RecursionError):
        return "it is nested too deep"
    return "it is not UTF-8" if isinstance(error, UnicodeError) else ascii(str(error))[1:-1][:200]


def shown(text: Key) -> str:
    """A text from a bundle, safe to print: quoted, control characters escaped, of bounded length."""
    return ascii(text) if len(text) <= 200 else ascii(text[:200]) + "…"  # noqa: PLR2004


def _marks(data: bytes) -> int:
    """Commas and opening brackets: as many as values, but for the outermost one."""
    return data.count(b",") + data.count(b"[") + data.count(b"{")


def _line(fields: dict[str, Any]) -> bytes:
    sorted_ = {name: msgspec.Raw(encode(value)) for name, value in fields.items() if name != _BODY}
    return _IN_ORDER.encode(dict(sorted({**sorted_, _BODY: dict(sorted(fields[_BODY].items()))}.items())))


def _unsigned(line: bytes, record: Record, limits: Limits, *, newer: bool, ordered: bool) -> bytes:
    whole = encode(record)
    if whole == line or (ordered and encode_record(record) == line):
        return undigested(whole)
    if not newer:
        raise ValueError(_NOT_CANONICAL)
    value = _decoded(line)
    if is_deep_in(line, value, limits.depth):
        raise ValueError(_DEEP.format(limits.depth))
    if _line(value) != line:
        raise ValueError(_NOT_CANONICAL)
    del value["digest"]
    return encode(value)


def _decoded(line: bytes) -> Any:
    try:
        return msgspec.json.decode(line)
    except RecursionError as error:
        raise ValueError(f"it is not a record: {reason_of(error)}") from error
