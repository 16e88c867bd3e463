"""Names and rows of one environment by id."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from bundle.container.limits import Limits
from bundle.environment.read import Rows
from bundle.kinds.base import Kind
from bundle.kinds.protocols import Raw
from bundle.model import Key, Pointer
from bundle.record.pointers import join, split
from bundle.record.references import replace_ids


class Lookup:
    """Names and rows by id; ``nameless`` has those that no name can be told of, with the type of the error."""

    def __init__(self, rows: Rows, kinds: Mapping[str, Kind]) -> None:
        self._kinds = kinds
        self._rows = rows
        self._by_id = {str(row["id"]): (kinds[name], row) for name, each in rows.items() for row in each}
        self._names: dict[str, str] = {}
        self.nameless: dict[str, str] = {}
        self._indexes: dict[tuple[str, str], dict[str, list[Raw]]] = {}

    def raw(self, identifier: str | None) -> Raw | None:
        found = self._by_id.get(identifier or "")
        return found[1] if found else None

    def name(self, identifier: str | None) -> str | None:
        if identifier not in self._by_id:
            return None
        if identifier not in self._names:
            kind, row = self._by_id[identifier]
            # Names that contain each other's ids would never end; the kind's name breaks the circle.
            self._names[identifier] = kind.name
            try:
                self._names[identifier] = self._readable(kind.natural_name(row, self))
            except Exception as error:  # noqa: BLE001 - whoever has it as a parent is not at fault
                self.nameless[identifier] = type(error).__name__
        return self._names[identifier]

    def _readable(self, name: str) -> str:
        # Each name may hold others twice, so lengths can double with every step.
        readable = replace_ids(name, self.name)
        if len(readable) > Limits().key_length:
            raise ValueError("the name is too long")
        return readable

    def readable_key(self, key: Key) -> Key:
        """A key made of names, in which ids are replaced as they are in names."""
        return replace_ids(key, self.name)

    def readable_pointer(self, pointer: Pointer) -> Pointer:
        """A pointer into a body in which ids in member names have given way to keys."""
        return join(*(replace_ids(token, self._key_or_none) for token in split(pointer)))

    def _key_or_none(self, identifier: str) -> Key | None:
        return self.key(identifier) if identifier in self else None

    def key(self, identifier: str) -> Key:
        """The natural key, which several resources may share."""
        return f"{self._by_id[identifier][0].name}:{self.name(identifier)}"

    def index(self, kind: str, field: str) -> Mapping[str, list[Raw]]:
        if (kind, field) not in self._indexes:
            index: dict[str, list[Raw]] = {}
            for row in self._rows.get(kind, ()):
                index.setdefault(str(row.get(field)), []).append(row)
            self._indexes[kind, field] = index
        return self._indexes[kind, field]

    def __contains__(self, identifier: str) -> bool:
        return identifier in self._by_id

    def __iter__(self) -> Iterator[tuple[str, Kind, Raw]]:
        return iter([(identifier, kind, row) for identifier, (kind, row) in self._by_id.items()])
