"""The rules that hold between the records of a bundle, checked as they pass.

Rules: records come in ascending order of wave, kind and key; no key comes twice; references and
secrets of a record are in order; a reference points at a string and to a record of an earlier wave
or of the same one; a secret points at null. Writer and reader keep the same ledger, so what one writes the other takes.
"""

from __future__ import annotations

import hashlib
import itertools
from array import array
from collections.abc import Sequence

from bundle.canonical import resolve, split
from bundle.container.limits import Limits
from bundle.container.manifest import is_key, shown
from bundle.model import Key, Placed, Pointer, Record, Reference, SecretSlot

_MASK = (1 << 64) - 1
_TABLES = 256
_SMALL = 1024
_NAMED = 100


class Ledger:
    """Keeps account of a sequence of records."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._last: tuple[int, str, Key] = (-1, "", "")
        self._keys = KeySet()
        # Targets not seen yet, by number, and the beginnings of the two keys to name if they do not come.
        self._open: dict[int, tuple[Key, Key]] = {}
        self._content = hashlib.sha256()

    def add(self, placed: Placed) -> Sequence[SecretSlot]:
        """Enter the next record; the answer is how the manifest lists its secrets.

        Raises:
            ValueError: it breaks a rule.
        """
        record = placed.record
        place = (placed.wave, record.kind, record.key)
        if place <= self._last:
            raise ValueError("it is out of order")
        if placed.wave != self._last[0]:
            self._close_wave()
        self._last = place
        if not self._keys.add(record.key):
            raise ValueError("its key comes twice")
        self._content.update(f"{record.digest}\n".encode())
        if len(record.references) > 1 and not _in_order(record.references):
            raise ValueError("its references are out of order")
        for reference in record.references:
            self._enter(record, reference)
        return [_slot(record, index) for index in range(len(record.secrets))] if record.secrets else ()

    def close(self) -> str:
        """End the account; the answer is the content digest.

        Raises:
            ValueError: a reference of the last wave points at nothing.
        """
        self._close_wave()
        return self._content.hexdigest()

    def _enter(self, record: Record, reference: Reference) -> None:
        value = _at(record, reference.pointer)
        if not is_key(reference.target) or reference.offset < 0:
            raise ValueError("it has a malformed reference")
        if reference.form == "name":
            return
        if not _fits(reference, value):
            raise ValueError(f"its reference at {shown(reference.pointer)} does not fit what stands there")
        number = self._keys.number(reference.target)
        if number not in self._keys:
            self._open[number] = (record.key[:_NAMED], reference.target[:_NAMED])
        if len(self._open) > self._limits.open_references:
            raise ValueError("too many references point ahead inside one wave")

    def _close_wave(self) -> None:
        for number, (key, target) in self._open.items():
            if number not in self._keys:
                raise ValueError(
                    f"{shown(key)} refers to {shown(target)}, which is in no earlier wave nor in the same one"
                )
        self._open.clear()


class KeySet:
    """A set of texts in 11 to 16 bytes each, whatever their length.

    It holds only their 64-bit hashes under a seed of this process. That two of a million keys are taken
    for one another happens in one of 30 million bundles.
    """

    def __init__(self) -> None:
        # Many small tables, so that growing one never needs much memory for the old and the new together.
        self._tables = [array("Q", bytes(8 * 16)) for _ in range(_TABLES)]
        self._used = [0] * _TABLES

    @staticmethod
    def number(text: str) -> int:
        """What stands for a text here; never 0."""
        return hash(text) & _MASK or 1

    def add(self, text: str) -> bool:
        """Add a text; the answer is whether it is new."""
        number = self.number(text)
        which = number % _TABLES
        table = self._tables[which]
        index = _find(table, number)
        if table[index]:
            return False
        table[index] = number
        self._used[which] += 1
        if 4 * self._used[which] > 3 * len(table):
            self._tables[which] = _grown(table)
        return True

    def __contains__(self, number: int) -> bool:
        table = self._tables[number % _TABLES]
        return table[_find(table, number)] != 0


def _find(table: array[int], number: int) -> int:
    """The place of a number, or the free one where it belongs."""
    size = len(table)
    index = number // _TABLES % size
    while table[index] not in (0, number):
        index = index + 1 if index + 1 < size else 0
    return index


def _grown(table: array[int]) -> array[int]:
    size = len(table)
    larger = array("Q", bytes(8 * (2 * size if size < _SMALL else size * 3 // 2)))
    for number in table:
        if number:
            larger[_find(larger, number)] = number
    return larger


def _in_order(references: Sequence[Reference]) -> bool:
    return all(first <= second for first, second in itertools.pairwise(map(_order, references)))


def _order(reference: Reference) -> tuple[Pointer, int, Key]:
    # As records are made: ids that stood side by side keep their order, names are sorted.
    return (reference.pointer, reference.offset, reference.target if reference.form == "name" else "")


def _fits(reference: Reference, value: object) -> bool:
    if reference.form == "member":
        name = split(reference.pointer)[-1:]
        return bool(name) and name[0].startswith(reference.target, reference.offset)
    return isinstance(value, str) and reference.offset <= len(value)


def _slot(record: Record, index: int) -> SecretSlot:
    secret = record.secrets[index]
    if not secret.slot or _at(record, secret.pointer) is not None:
        raise ValueError(f"its secret at {shown(secret.pointer)} has no slot or does not stand at a null")
    if index and record.secrets[index - 1].pointer >= secret.pointer:
        raise ValueError("its secrets are out of order")
    return SecretSlot(secret.slot, record.key, secret.pointer, secret.type)


def _at(record: Record, pointer: Pointer) -> object:
    try:
        return resolve(record.body, pointer)
    except LookupError as error:
        raise ValueError(f"nothing stands at its pointer {shown(pointer)}") from error
