"""A row that is odd concerns that row: whatever a server answers in one place, all else travels."""

from __future__ import annotations

import copy
import functools
import io
from typing import Any

import msgspec
import pytest

from bundle.container.reader import read_bundle
from bundle.environment.validation import checked
from bundle.kinds import KINDS
from bundle.kinds.base import Kind
from bundle.model import Key
from bundle.operations.export import Exported
from bundle.report import export as export_report
from bundle.report import json as json_report
from bundle.report.model import Side
from support.fake_prefect import FakePrefect
from support.moving import export, import_into, written
from support.odd_rows import BROKEN, CANARY, answering, dumped, odd_rows
from support.seeded import plant, seeded

PLANTED = [
    "flow", "deployment", "work-pool", "work-queue", "block-type", "block-schema", "block", "variable",
    "concurrency-limit", "tag-limit", "automation", "saved-search",
]  # fmt: skip
EVERY = pytest.mark.parametrize("kind", [KINDS[name] for name in PLANTED], ids=lambda kind: kind.name)


@functools.cache
def planted() -> FakePrefect:
    return plant(FakePrefect())


@functools.cache
def digests() -> dict[Key, str]:
    return {placed.record.key: placed.record.digest for placed in seeded().records}


def richest(rows: list[Any]) -> Any:
    return max(rows, key=lambda row: len(dumped([row])))


def exported(kind: Kind, more: list[bytes]) -> Exported:
    """What is exported of a server that lists further rows before its own."""

    def change(rows: list[Any]) -> bytes:
        return b"[" + b",".join([*more, dumped(rows)[1:-1]]) + b"]"

    fake = copy.deepcopy(planted())
    return export(fake, answering(fake, kind, change))


def odd(kind: Kind, most: int = 150) -> list[bytes]:
    """Rows of a kind with odd values everywhere."""
    lists: list[list[Any]] = []
    fake = copy.deepcopy(planted())
    export(fake, answering(fake, kind, lambda rows: lists.append(rows) or dumped(rows)))  # type: ignore[func-returns-value]
    row = richest([each for each in lists[0] if kind.name != "tag-limit" or each["name"].startswith("tag:")])
    return [dumped([each])[1:-1] for each in odd_rows(row, kind, most=most)]


@EVERY
def test_an_odd_row_costs_no_other(kind: Kind) -> None:
    """With every member replaced by every type of value, all good rows travel as before.

    Odd schemas of a type may call more of its blocks secret, and that counts.
    """
    found = exported(kind, odd(kind))
    here = {placed.record.key: placed.record.digest for placed in found.records}

    assert digests().keys() <= here.keys()
    changed = {key for key, digest in digests().items() if here[key] != digest}
    assert {key for key in changed if kind.name != "block-schema" or not key.startswith("block:")} == set()
    bundle = read_bundle(io.BytesIO(written(found)))
    assert len(list(checked(bundle.records))) == len(here)
    assert all(count.seen == count.exported + count.left_out for count in bundle.manifest.census.values())


@EVERY
def test_what_is_no_row_at_all_costs_no_other(kind: Kind) -> None:
    """Text that is no JSON, is too deep or is no object is left out with its reason, and exit code 3 says so."""
    found = exported(kind, list(BROKEN))
    here = {placed.record.key: placed.record.digest for placed in found.records}
    of_list = "concurrency-limit" if kind.name == "tag-limit" else kind.name
    lacking = {each.kind: each.count for each in found.header.left_out if each.reason == "not-portable"}
    bundle = read_bundle(io.BytesIO(written(found)))

    assert here == digests()
    assert lacking == {of_list: len(BROKEN)}
    assert export_report.report(bundle.manifest, None, Side("a", "b"), ()).exit_code == 3


@EVERY
def test_nothing_of_a_row_that_is_left_out_is_in_the_bundle(kind: Kind) -> None:
    """No value of a malformed row leaves the machine: not in the bundle, not in the report."""
    row = {"id": "00000000-0000-4000-8000-000000000001", "name": [CANARY], "tag": [CANARY], "data": CANARY}
    found = exported(kind, [dumped([row])[1:-1]])
    data = written(found)
    manifest = read_bundle(io.BytesIO(data)).manifest
    report = export_report.report(manifest, None, Side("a", "b"), ())

    assert [each.count for each in manifest.left_out if each.reason == "not-portable"] == [1]
    assert CANARY not in json_report.render(report)
    assert all(CANARY.encode() not in msgspec.json.encode(placed.record) for placed in found.records)
    assert CANARY.encode() not in msgspec.json.encode(manifest)


@EVERY
def test_an_odd_row_of_a_destination_creates_no_twins(kind: Kind) -> None:
    """A destination with odd rows keeps what it has: an import sends no creation of anything that is there."""
    fake = copy.deepcopy(planted())
    rows = odd(kind, most=60)

    def change(own: list[Any]) -> bytes:
        return b"[" + b",".join([*rows, dumped(own)[1:-1]]) + b"]"

    fake.reset()
    import_into(fake, seeded(), answering(fake, kind, change))
    assert fake.writes == []


@EVERY
def test_what_may_be_there_unseen_is_not_created(kind: Kind) -> None:
    """A resource whose row at the destination is broken is refused, with what needs it, and never made twice."""
    fake = copy.deepcopy(planted())
    fake.reset()
    result = import_into(fake, seeded(), answering(fake, kind, lambda _rows: b"[7]"))
    listed = {each.key: each.reason for each in result.outcomes if each.key.startswith(f"{kind.name}:")}

    assert {reason for key, reason in listed.items()} <= {"unreadable", "exists-same", "exists-differs", "waits-for"}
    assert "unreadable" in listed.values() or kind.name == "tag-limit"
    assert [each for each in fake.writes if each.status == 201] == []
