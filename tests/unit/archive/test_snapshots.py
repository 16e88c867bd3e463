"""Writing and forgetting snapshots, killed anywhere and between each other."""

from __future__ import annotations

import contextlib
import hashlib
import io
from datetime import UTC, timedelta

import msgspec
import pytest

from bundle.archive import integrity
from bundle.archive.forget import GRACE, Forgotten, forget
from bundle.archive.integrity import EVERY, Subset
from bundle.archive.point import Note, Point, encode, new_id, notes_prefix
from bundle.archive.retention import Policy
from bundle.archive.snapshot import Written, write
from bundle.archive.store import Store
from bundle.archive.timeline import Damaged, look, timeline
from bundle.container.reader import read_bundle
from support.bundles import bundle_bytes, flow
from support.stores import START, Between, Killed, MemoryStore

LAST = Policy(counts={"last": 1})
ONE, TWO = bundle_bytes(flow("one")), bundle_bytes(flow("two"))


def point(number: int, data: bytes) -> Point:
    return Point(
        id=new_id(START, f"{number:012x}"),
        name="prod",
        created=START.isoformat(),
        content_digest=read_bundle(io.BytesIO(data)).manifest.content_digest,
        sha256="",
        size=0,
        resources=1,
    )


def put(store: Store, number: int, data: bytes) -> Written:
    return write(store, point(number, data), data, {})


def drop(store: Store, now: object = None, policy: Policy = LAST) -> Forgotten:
    return forget(store, "prod", policy, now=now or START + timedelta(days=9), zone=UTC, dry_run=False)  # type: ignore[arg-type]


def filled() -> MemoryStore:
    """Two snapshots of different content, a day apart."""
    store = MemoryStore()
    put(store, 1, ONE)
    store.now += timedelta(days=1)
    put(store, 2, TWO)
    store.now += timedelta(days=1)
    return store


def ids(store: Store) -> list[int]:
    return [int(each.point.id[-12:], 16) for each in timeline(store, look(store, "prod"))]


def whole(store: Store) -> bool:
    """Whether every point has its bundle, to the last byte."""
    return integrity.check(store, "prod", EVERY).is_whole


def test_an_unchanged_environment_stores_a_point_only() -> None:
    """Of less than a kilobyte, that names the bundle of before; also of one that names another's itself."""
    store = filled()
    before = len(store.objects)
    assert put(store, 3, TWO).point.same_as == point(2, TWO).id
    assert put(store, 4, TWO).point.same_as == point(2, TWO).id
    added = list(store.objects.values())[before:]
    assert len(added) == 2
    assert all(len(data) < 1024 for data, _ in added)
    assert whole(store)


def test_content_of_before_last_is_stored_again() -> None:
    """Only the newest counts, so that a snapshot never depends on an old one."""
    store = filled()
    assert put(store, 3, ONE).point.same_as is None


def test_forgetting_removes_points_and_the_bundles_that_nothing_names_any_more() -> None:
    """A bundle that a kept point shares stays."""
    store = filled()
    put(store, 3, TWO)
    drop(store)
    assert ids(store) == [3]
    assert whole(store)
    assert sum(name.endswith(".pxb") for name in store.objects) == 1


def test_notes_go_with_their_snapshot() -> None:
    """Those of others stay."""
    store = filled()
    for number in (1, 2):
        found = point(number, ONE).id
        store.create(f"{notes_prefix('prod', found)}x.json", encode(Note(point=found, kind="check")))
    drop(store)
    assert [name for name in store.objects if "/notes/" in name] == [f"{notes_prefix('prod', point(2, ONE).id)}x.json"]


@pytest.mark.parametrize("at", range(12))
def test_a_writer_may_be_killed_anywhere(at: int) -> None:
    """With new content or with the old: no point lacks its bundle, and what is left over goes after a day."""
    for data in (ONE, TWO):
        store = filled()

        def kill() -> None:
            raise Killed

        with contextlib.suppress(Killed):
            put(Between(store, at, kill), 3, data)
        assert whole(store)
        put(store, 4, data)
        drop(store, store.now + GRACE * 2)
        assert ids(store) == [4]
        assert whole(store)
        assert {name.rpartition(".")[2] for name in store.objects} == {"json", "pxb"}
        assert len(store.objects) <= 3


@pytest.mark.parametrize("at", range(16))
def test_forget_may_be_killed_anywhere(at: int) -> None:
    """What stays is whole, and the next run finishes the work."""
    store = filled()
    put(store, 3, TWO)

    def kill() -> None:
        raise Killed

    with contextlib.suppress(Killed):
        drop(Between(store, at, kill))
    assert whole(store)
    assert ids(store)[-1] == 3
    drop(store)
    assert ids(store) == [3]
    assert whole(store)


@pytest.mark.parametrize("at", range(16))
def test_a_snapshot_between_any_two_steps_of_forget_keeps_its_bundle(at: int) -> None:
    """Also one that shares the bundle which is about to go, and one that is killed right after its point."""
    store = filled()

    def share() -> None:
        put(store, 3, TWO)

    # Everything but the newest goes, so the writer's new point makes the shared bundle's own point superfluous.
    drop(Between(store, at, share))
    assert whole(store)
    assert ids(store)[-1] in {2, 3}


@pytest.mark.parametrize("at", range(16))
def test_forget_between_any_two_steps_of_a_snapshot_leaves_it_whole(at: int) -> None:
    """The bundle that the writer wants to share may go before, with or after its claim."""
    for after in (timedelta(0), GRACE * 2):
        store = filled()

        def remove_everything(store: MemoryStore = store, after: timedelta = after) -> None:
            # A colleague's newer snapshot, then a policy that drops all others.
            put(store, 9, ONE)
            drop(store, store.now + after)

        put(Between(store, at, remove_everything), 3, TWO)
        missing = [each.code for each in integrity.check(store, "prod", EVERY).faults if each.code != "orphan"]
        # A writer that stands still for longer than a claim holds finds its bundle gone, and the check says so.
        assert missing == [] or (after and missing == ["missing"])


def test_a_damaged_point_ends_forget_before_anything_is_removed() -> None:
    """Nobody knows what it names."""
    store = filled()
    name = next(each for each in store.objects if each.endswith(".json"))
    store.objects[name] = b"{", store.now
    before = dict(store.objects)
    with pytest.raises(Damaged):
        drop(store)
    assert store.objects == before


@pytest.mark.parametrize("end", ["pxb", "json"])
def test_every_damaged_object_is_found_and_named(end: str) -> None:
    """A bit flipped anywhere in a bundle or point of a store."""
    store = filled()
    name = next(each for each in store.objects if each.endswith(f".{end}"))
    data, at = store.objects[name]
    for place in range(0, len(data), max(1, len(data) // 40)):
        flipped = bytes([*data[:place], data[place] ^ 1, *data[place + 1 :]])
        store.objects[name] = flipped, at
        found = integrity.check(store, "prod", EVERY)
        if end == "pxb":
            assert [(each.code, each.object) for each in found.faults] == [("content-differs", name)]
        else:
            assert not found.is_whole or msgspec.json.decode(flipped) != msgspec.json.decode(data)


def test_what_is_missing_or_cut_is_found_without_reading() -> None:
    """The listing has names and sizes."""
    store = filled()
    first, second = sorted(each for each in store.objects if each.endswith(".pxb"))
    del store.objects[first]
    store.objects[second] = store.objects[second][0][:-1], store.now
    found = integrity.check(store, "prod", None)
    assert [each.code for each in found.faults] == ["missing", "size-differs"]
    assert [len(each.points) for each in found.faults] == [1, 1]


def test_all_parts_together_read_everything_once() -> None:
    """Each bundle is in exactly one of seven parts."""
    known = [hashlib.sha256(str(number).encode()).hexdigest()[:12] for number in range(200)]
    assert [sum(id_ in Subset(part, 7) for part in range(1, 8)) for id_ in known] == [1] * len(known)
