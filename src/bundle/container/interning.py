"""Keeps the records of a whole bundle in little memory: parts that are equal are kept once.

Environments repeat themselves, and so do bundles that are made to unpack to much. Both then cost what
their distinct parts cost. Those of a bundle that is no attack are in proportion to its size (benchmarks: 50 to 90
times, by the estimate here, which is 1.5 to 3 times what is really taken); others are refused.
"""

from __future__ import annotations

import hashlib

import msgspec

from bundle.container.limits import Limits
from bundle.model import Json, Record
from bundle.record.weight import OBJECT, VALUE, weight

# Parts of parts are looked at this deep, and those from this size on (bytes of JSON) are kept once.
_DEPTH = 3
_LEAST = 256
# Members in another order are another part.
_ENCODE = msgspec.json.Encoder().encode
# Bytes of memory: of a record, a reference or secret, and a kept part.
_RECORD, _PLACE, _PART = 640, 192, 160


class Shelf:
    """Equal parts of all records so far, once each; ``cost`` is an estimate of what they take, in bytes."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._parts: dict[bytes, Json] = {}
        self.cost = 0

    def put(self, record: Record, *, read_bytes: int) -> Record:
        """The same record, made of what is kept already wherever that is equal; its body is not to be changed.

        Args:
            record: the next one.
            read_bytes: how much of the bundle's file has been read so far.

        Raises:
            ValueError: all records so far take too much memory for what was read.
        """
        kept = self._made_of_parts(record)
        if self.cost > self._limits.memory_bytes + self._limits.memory_ratio * read_bytes:
            raise ValueError("with it the records take more memory than their file can justify")
        return kept

    def _made_of_parts(self, record: Record) -> Record:
        self.cost += _RECORD + 2 * len(record.key)
        self.cost += sum(_PLACE + len(each.pointer) + len(each.target) for each in record.references)
        self.cost += sum(_PLACE + len(each.pointer) + len(each.slot) for each in record.secrets)
        return msgspec.structs.replace(record, body=self._members(record.body, _DEPTH))

    def _members(self, value: dict[str, Json], depth: int) -> dict[str, Json]:
        self.cost += OBJECT + sum(VALUE + len(name) for name in value)
        return {name: self._kept(item, depth - 1) for name, item in value.items()}

    def _kept(self, value: Json, depth: int) -> Json:
        data = _ENCODE(value)
        if len(data) < _LEAST:
            self.cost += weight(data)
            return value
        digest = hashlib.sha256(data).digest()
        if digest not in self._parts:
            self.cost += _PART
            self._parts[digest] = self._new(value, data, depth)
        return self._parts[digest]

    def _new(self, value: Json, data: bytes, depth: int) -> Json:
        if depth and isinstance(value, dict):
            return self._members(value, depth)
        if depth and isinstance(value, list):
            self.cost += VALUE * (1 + len(value))
            return [self._kept(item, depth - 1) for item in value]
        self.cost += weight(data)
        return value
