"""The rules that hold between the records of a bundle, checked as they pass.

Rules: records come in ascending order of wave, kind and key; no key comes twice; references and
secrets of a record are in order; a reference points at a string and to a record of an earlier wave, or
of the same one inside a cycle, or to what the manifest calls external; a secret points at null; in a lean bundle
a record is a key and the digest of the record that it stands for. Writer
and reader keep the same ledger, so what one writes the other takes.
"""

from __future__ import annotations

import hashlib
import itertools
from array import array
from collections import defaultdict
from collections.abc import Iterable, Sequence

from bundle.container.limits import Limits
from bundle.container.lines import is_key, shown
from bundle.model import Key, Placed, Pointer, Record, Reference, SecretSlot
from bundle.record.canonical import is_lean
from bundle.record.graph import components
from bundle.record.key_set import KeySet
from bundle.record.pointers import resolve, split

_NAMED = 100


class Ledger:
    """Keeps account of a sequence of records."""

    def __init__(self, limits: Limits, external: Iterable[Key] = (), *, lean: bool = False) -> None:
        self._limits = limits
        self._lean = lean
        self._external = frozenset(external)
        self._unused = set(self._external)
        self._last: tuple[int, str, Key] = (-1, "", "")
        self._earlier, self._wave = KeySet(), KeySet()
        # From whom to whom inside this wave, by number, with the beginnings of the two keys; and the same by name.
        self._inner: dict[tuple[int, int], tuple[Key, Key]] = {}
        self._by_name = array("Q")
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
        number = KeySet.number(record.key)
        if number in self._earlier or not self._wave.add(number) or record.key in self._external:
            raise ValueError("its key comes twice")
        if self._lean and not is_lean(record):
            raise ValueError("it is more than a key and a digest")
        self._content.update(f"{record.digest}\n".encode())
        if len(record.references) > 1 and not _in_order(record.references):
            raise ValueError("its references are out of order")
        if not _rename_once(record.references):
            raise ValueError("two of its references rename one member")
        for reference in record.references:
            self._enter(record, reference)
        return [_slot(record, index) for index in range(len(record.secrets))] if record.secrets else ()

    def close(self) -> str:
        """End the account; the answer is the content digest.

        Raises:
            ValueError: a reference of the last wave points at nothing, or nothing to what is external.
        """
        self._close_wave()
        if self._unused:
            raise ValueError(f"nothing refers to {shown(min(self._unused))}, which the manifest calls external")
        return self._content.hexdigest()

    def _enter(self, record: Record, reference: Reference) -> None:
        value = _at(record, reference.pointer)
        if not is_key(reference.target) or reference.offset < 0:
            raise ValueError("it has a malformed reference")
        self._unused.discard(reference.target)
        if reference.form != "name" and not _fits(reference, value):
            raise ValueError(f"its reference at {shown(reference.pointer)} does not fit the value there")
        edge = (KeySet.number(record.key), KeySet.number(reference.target))
        if edge[1] in self._earlier or edge[0] == edge[1] or reference.target in self._external:
            return
        if reference.form != "name":
            self._inner[edge] = (record.key[:_NAMED], reference.target[:_NAMED])
        elif len(self._by_name) < 2 * self._limits.inner_references:
            self._by_name.extend(edge)
        if len(self._inner) > self._limits.inner_references:
            raise ValueError("too many references stay inside one wave")

    def _close_wave(self) -> None:
        if self._inner:
            self._check_cycles()
        self._inner.clear()
        del self._by_name[:]
        self._earlier, self._wave = self._earlier.joined(self._wave), KeySet()

    def _check_cycles(self) -> None:
        for (_, target), (key, name) in self._inner.items():
            if target not in self._wave:
                raise ValueError(
                    f"{shown(key)} refers to {shown(name)}, which is in no earlier wave nor in the same one"
                )
        if len(self._by_name) >= 2 * self._limits.inner_references:
            return  # a cycle may go by names that were not kept
        circle = self._circles()
        for (number, target), (key, name) in self._inner.items():
            if circle[number] != circle[target]:
                raise ValueError(f"{shown(key)} refers to {shown(name)} in the same wave, and they are in no cycle")

    def _circles(self) -> dict[int, int]:
        """The number of the cycle of each record that refers to another one of this wave, or is referred to."""
        needs: dict[int, list[int]] = defaultdict(list)
        named = zip(self._by_name[::2], self._by_name[1::2], strict=True)
        for number, target in itertools.chain(self._inner, (edge for edge in named if edge[1] in self._wave)):
            needs[number].append(target)
        needs |= {target: [] for targets in list(needs.values()) for target in targets if target not in needs}
        return {number: place for place, circle in enumerate(components(needs)) for number in circle}


def _in_order(references: Sequence[Reference]) -> bool:
    return all(first <= second for first, second in itertools.pairwise(map(_order, references)))


def _rename_once(references: Sequence[Reference]) -> bool:
    renamed = [each.pointer for each in references if each.form == "member"]
    return len(renamed) == len(set(renamed))


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
        raise ValueError(f"its secret at {shown(secret.pointer)} has no slot or is not at a null")
    if index and record.secrets[index - 1].pointer >= secret.pointer:
        raise ValueError("its secrets are out of order")
    return SecretSlot(secret.slot, record.key, secret.pointer, secret.type)


def _at(record: Record, pointer: Pointer) -> object:
    try:
        return resolve(record.body, pointer)
    except LookupError as error:
        raise ValueError(f"nothing is at its pointer {shown(pointer)}") from error
