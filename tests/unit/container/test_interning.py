"""Records in memory: equal parts once, and in proportion to the file."""

from __future__ import annotations

import io

import pytest

from bundle.container.interning import Shelf
from bundle.container.limits import Limits
from bundle.container.reader import read_bundle
from bundle.model import Placed, Record, Reference, Secret
from bundle.record.canonical import make_record
from support.bundles import bundle_bytes

LARGE = {"properties": {f"p{number}": {"title": f"p{number}", "type": "string"} for number in range(40)}}


def test_equal_parts_of_records_are_kept_once() -> None:
    """What repeats itself in a bundle takes memory once, also inside parts that differ otherwise."""
    bodies = [{"name": str(number), "schema": {**LARGE, "title": str(number)}} for number in range(3)]
    placed = [Placed(0, make_record(f"flow:{body['name']}", body, [], [])) for body in bodies]

    records = [each.record for each in read_bundle(io.BytesIO(bundle_bytes(*placed))).records]

    assert [record.body for record in records] == bodies
    assert len({id(record.body["schema"]["properties"]) for record in records}) == 1


@pytest.mark.parametrize(
    "record",
    [
        make_record("flow:a", {"x": [1.5] * 2000}, [], []),
        make_record("flow:a", {"x": [{}] * 500}, [], []),
        make_record("flow:a", {"x": "a" * 100_000}, [], []),
        make_record("flow:a", {"x": ""}, [Reference("/x", "flow:a")] * 500, []),
        make_record(
            "flow:a", {str(n): None for n in range(300)}, [], [Secret(f"/{n}", "s", "string") for n in range(300)]
        ),
        make_record("flow:" + "a" * 50_000, {}, [], []),
    ],
    ids=["values", "objects", "text", "references", "secrets", "key"],
)
def test_records_in_memory_are_in_proportion_to_the_file(record: Record) -> None:
    """Everything that takes memory counts, and more of it is taken the more was read."""
    shelf = Shelf(Limits(memory_bytes=50_000, memory_ratio=10))
    assert shelf.put(record, read_bytes=100_000) == record

    shelf = Shelf(Limits(memory_bytes=50_000, memory_ratio=10))
    with pytest.raises(ValueError, match="more memory"):
        shelf.put(record, read_bytes=100)
