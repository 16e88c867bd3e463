"""A set of keys in little memory."""

from __future__ import annotations

from array import array
from collections.abc import Iterator

_MASK = (1 << 64) - 1
_TABLES = 256
_SMALL = 1024
_EMPTY = array("Q", bytes(8 * 16))


class KeySet:
    """A set of texts in 11 to 16 bytes each, whatever their length.

    It holds only their 64-bit hashes under a seed of this process. That two of a million keys are taken
    for one another happens in one of 30 million bundles.
    """

    def __init__(self) -> None:
        # Many small tables, so that growing one never needs much memory for the old and the new together.
        self._tables = [_EMPTY] * _TABLES
        self._used = [0] * _TABLES
        self._count = 0

    @staticmethod
    def number(text: str) -> int:
        """The number of a text; never 0."""
        return hash(text) & _MASK or 1

    def add(self, number: int) -> bool:
        """Add the number of a text; the answer is whether it is new."""
        which = number % _TABLES
        table = self._tables[which]
        index = _find(table, number)
        if table[index]:
            return False
        if table is _EMPTY:
            table = self._tables[which] = array("Q", _EMPTY)
        table[index] = number
        self._count += 1
        self._used[which] += 1
        if 4 * self._used[which] > 3 * len(table):
            self._tables[which] = _grown(table)
        return True

    def joined(self, other: KeySet) -> KeySet:
        """Both in one of them; neither of the two is to be used any more."""
        less, more = (self, other) if self._count < other._count else (other, self)
        for number in less:
            more.add(number)
        return more

    def __iter__(self) -> Iterator[int]:
        return (number for table in self._tables if table is not _EMPTY for number in table if number)

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
