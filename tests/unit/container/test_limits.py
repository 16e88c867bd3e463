"""Limits: a hostile bundle costs little."""

from __future__ import annotations

import tracemalloc

import pytest

from bundle.container.limits import Limits
from bundle.model import Placed, Reference
from bundle.record.canonical import make_record
from support.bundles import SAMPLE, bundle_bytes, flow
from support.forgery import forged, frame, refused


def test_bombs_are_refused_at_low_cost() -> None:
    """A member that unpacks to far more than it should costs little memory."""
    bomb = frame(bytes(2**28))
    many = forged(lambda manifest: manifest["members"][0].update(size=2**40))
    few = Limits(ratio_from_bytes=0, ratio=2)
    tracemalloc.start()
    refused(bomb, "where 1024 to")
    refused(many, "larger than")
    refused(bundle_bytes(flow("a", text="x" * 10_000)), "times its size", few)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert peak < 2**22


@pytest.mark.parametrize(
    ("limits", "why"),
    [
        (Limits(total_bytes=1024), "more than 1024 bytes"),
        (Limits(total_bytes=2500), "more than 2500 bytes"),
        (Limits(members=1), "more than 1 members"),
        (Limits(records=1), "more than 1 records"),
        (Limits(member_bytes=10), "larger than 10 bytes"),
        (Limits(record_bytes=10), "larger than 10 bytes"),
        (Limits(manifest_bytes=1000), "where 1024 to"),
        (Limits(key_length=3), "longer than 3 characters"),
        (Limits(depth=3), "deeper than 3"),
        (Limits(depth=1), "deeper than 1"),
        (Limits(values=30), "more than 30"),
        (Limits(inner_references=0), "too many references"),
    ],
)
def test_limits_hold(limits: Limits, why: str) -> None:
    """Each limit refuses a bundle beyond it."""
    cycle = (
        make_record("automation:a", {"x": "", "y": [[1]] * 40}, [Reference("/x", "automation:b")], []),
        make_record("automation:b", {"x": ""}, [Reference("/x", "automation:a")], []),
    )
    refused(bundle_bytes(*SAMPLE, *(Placed(2, each) for each in cycle)), why, limits)
