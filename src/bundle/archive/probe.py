"""Make a place a store, after proving that it keeps what it has: a second creation of a name must fail."""

from __future__ import annotations

import msgspec

from bundle.archive import point as points
from bundle.archive.store import Exists, Missing, Store, StoreError


class Mark(msgspec.Struct, frozen=True):
    """``xfer-store.json``: the version of the layout, and a random id of the store."""

    version: str
    id: str


def initialize(store: Store, token: str) -> Mark:
    """Make a store.

    Raises:
        Exists: it is one already.
        StoreError: it replaces what is there without a word (``store-not-exclusive``), or cannot be used.
    """
    mark = Mark(points.VERSION, token)
    trial = f".xfer-probe-{token}"
    try:
        store.create(trial, b"1")
        _create_twice(store, trial)
    finally:
        store.delete(trial)
    store.create(points.MARK, msgspec.json.encode(mark, order="sorted") + b"\n")
    return mark


def _create_twice(store: Store, trial: str) -> None:
    try:
        store.create(trial, b"2")
    except Exists:
        pass
    else:
        raise _not_exclusive(store)
    try:
        if store.read(trial, 1) != b"1":
            raise _not_exclusive(store)
    except Missing as error:
        raise _not_exclusive(store) from error


def _not_exclusive(store: Store) -> StoreError:
    return StoreError(
        f"{store.url}: store-not-exclusive: an object that is there can be replaced by a creation",
        hint="use a store that knows conditional writes (If-None-Match), or a directory",
    )
