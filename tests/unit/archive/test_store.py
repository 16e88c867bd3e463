"""What every store promises: one suite for a directory and for a bucket."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from bundle.archive import objects
from bundle.archive.directories import DirectoryStore
from bundle.archive.probe import initialize
from bundle.archive.store import Exists, Missing, Store, StoreError
from bundle.archive.timeline import check_store
from bundle.errors import UsageError
from support.stores import MemoryStore


@pytest.fixture(params=["directory", "bucket"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    """A store of each sort."""
    return DirectoryStore(tmp_path / "store") if request.param == "directory" else objects.connect("memory://")


def test_what_was_created_is_read_back(store: Store) -> None:
    """Byte by byte, whatever the folder."""
    store.create("prod/2026/11/a.pxb", b"\0\xffabc")
    assert store.read("prod/2026/11/a.pxb", 5) == b"\0\xffabc"


def test_nothing_is_replaced(store: Store) -> None:
    """A second creation of a name fails, and what is there stays."""
    store.create("a/b", b"first")
    with pytest.raises(Exists):
        store.create("a/b", b"second")
    assert store.read("a/b", 10) == b"first"


def test_of_many_writers_one_wins(store: Store) -> None:
    """They race for one name; the others are told."""
    won: list[int] = []
    barrier = threading.Barrier(8)

    def race(number: int) -> None:
        barrier.wait()
        try:
            store.create("a/b", str(number).encode())
        except Exists:
            return
        won.append(number)

    threads = [threading.Thread(target=race, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [store.read("a/b", 1)] == [str(number).encode() for number in won]


def test_what_is_larger_than_it_should_be_is_not_read(store: Store) -> None:
    """The limit is that of what it should be."""
    store.create("a", b"12345")
    with pytest.raises(StoreError, match="more than 4 bytes"):
        store.read("a", 4)


def test_what_is_not_there_is_missing(store: Store) -> None:
    """Reading it says so; removing it is done already; a folder that is not there is empty."""
    with pytest.raises(Missing):
        store.read("a/b", 1)
    store.delete("a/b")
    assert list(store.list("a/")) == []


def test_a_folder_lists_what_is_below_it(store: Store) -> None:
    """With name and size, and nothing of a neighbour whose name begins alike."""
    for name in ("prod/a", "prod/b/c", "prod2/a"):
        store.create(name, name.encode())
    assert sorted((each.name, each.size) for each in store.list("prod/")) == [("prod/a", 6), ("prod/b/c", 8)]
    assert sorted(each.name for each in store.list("")) == ["prod/a", "prod/b/c", "prod2/a"]
    store.delete("prod/a")
    assert [each.name for each in store.list("prod/")] == ["prod/b/c"]


def test_a_place_becomes_a_store_once(store: Store) -> None:
    """Before it is none; afterwards nothing of the trial is left."""
    with pytest.raises(UsageError, match="not a store"):
        check_store(store)
    initialize(store, "0123456789ab")
    check_store(store)
    assert [each.name for each in store.list("")] == ["xfer-store.json"]
    with pytest.raises(Exists):
        initialize(store, "ba9876543210")


class Forgetful(MemoryStore):
    """Ignores the condition of a creation, as some servers do."""

    def create(self, name: str, data: bytes) -> None:
        self.objects[name] = data, self.now


class Silent(MemoryStore):
    """Refuses a second creation, but has replaced the content all the same."""

    def create(self, name: str, data: bytes) -> None:
        try:
            super().create(name, data)
        finally:
            self.objects[name] = data, self.now


@pytest.mark.parametrize("kind", [Forgetful, Silent])
def test_a_place_that_replaces_is_no_store(kind: Callable[[], MemoryStore]) -> None:
    """It is found out before anything is kept there, and nothing is left behind."""
    found = kind()
    with pytest.raises(StoreError, match="store-not-exclusive"):
        initialize(found, "0123456789ab")
    assert found.objects == {}


def test_files_are_for_their_owner_only(tmp_path: Path) -> None:
    """Mode 0600 in folders of mode 0700."""
    DirectoryStore(tmp_path / "store").create("prod/a", b"x")
    assert (tmp_path / "store/prod/a").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "store/prod").stat().st_mode & 0o777 == 0o700


def test_links_are_no_objects(tmp_path: Path) -> None:
    """What a link points to is not listed, read or removed."""
    secret = tmp_path / "secret"
    secret.write_text("mine")
    found = DirectoryStore(tmp_path / "store")
    found.create("prod/a", b"x")
    (tmp_path / "store/prod/b").symlink_to(secret)
    assert [each.name for each in found.list("prod/")] == ["prod/a"]
    with pytest.raises(StoreError):
        found.read("prod/b", 10)
    found.delete("prod/b")
    assert secret.read_text() == "mine"


def test_a_url_that_is_no_store_is_misuse() -> None:
    """Said without the library's words."""
    with pytest.raises(UsageError, match="not a store"):
        objects.connect("s3://")
