"""Stores for tests: in memory, with a clock that can be set, and one that does something between two calls."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime

from bundle.archive.store import Entry, Exists, Missing, Store

START = datetime(2026, 11, 1, tzinfo=UTC)


class Killed(BaseException):
    """The process ended here."""


class MemoryStore:
    """Objects in memory; ``now`` is the store's clock."""

    def __init__(self, now: datetime = START) -> None:
        self.now = now
        self.objects: dict[str, tuple[bytes, datetime]] = {}

    @property
    def url(self) -> str:
        return "memory"

    def create(self, name: str, data: bytes) -> None:
        if name in self.objects:
            raise Exists(name, hint="none")
        self.objects[name] = data, self.now

    def read(self, name: str, most: int) -> bytes:
        if name not in self.objects:
            raise Missing(name, hint="none")
        assert len(self.objects[name][0]) <= most
        return self.objects[name][0]

    def list(self, prefix: str) -> Iterator[Entry]:
        return iter(
            [Entry(name, len(data), at) for name, (data, at) in self.objects.items() if name.startswith(prefix)]
        )

    def delete(self, name: str) -> None:
        self.objects.pop(name, None)


class Between:
    """A store at which ``happens`` is called before one of the calls, counted from 0; ``calls`` counts them."""

    def __init__(self, store: Store, at: int, happens: Callable[[], None]) -> None:
        self._store = store
        self._at = at
        self._happens = happens
        self.calls = 0

    @property
    def url(self) -> str:
        return self._store.url

    def create(self, name: str, data: bytes) -> None:
        self._turn()
        self._store.create(name, data)

    def read(self, name: str, most: int) -> bytes:
        self._turn()
        return self._store.read(name, most)

    def list(self, prefix: str) -> Iterator[Entry]:
        self._turn()
        return self._store.list(prefix)

    def delete(self, name: str) -> None:
        self._turn()
        self._store.delete(name)

    def _turn(self) -> None:
        self.calls += 1
        if self.calls - 1 == self._at:
            self._happens()
