"""What must hold from one record to the next: order, references, secrets, cycles."""

from __future__ import annotations

import io

import msgspec
import pytest

from bundle.container.reader import read_bundle
from bundle.container.writer import write_bundle
from bundle.model import Count, Header, Placed, Reference, Secret
from bundle.record.canonical import make_record
from support.bundles import SAMPLE, bundle_bytes, flow, refer


def _referring(*external: str, target: str = "work-pool:k8s") -> bytes:
    placed = [Placed(0, make_record("deployment:a/b", {"pool": ""}, [Reference("/pool", target)], []))]
    output = io.BytesIO()
    write_bundle(Header(census={"deployment": Count(1, 1, 0)}, external=external), placed, output)
    return output.getvalue()


def _inside(*references: tuple[str, str, str]) -> bytes:
    """A bundle of automations a, b and c in one wave, with some references from one to another."""
    records = []
    for name in "abc":
        own = [each for each in references if each[0] == name]
        body = {target: "" for _, target, _ in own}
        found = [Reference(f"/{target}", f"automation:{target}", form) for _, target, form in own]  # type: ignore[arg-type]
        records.append(Placed(0, make_record(f"automation:{name}", body, found, [])))
    return bundle_bytes(*records)


@pytest.mark.parametrize(
    ("records", "why"),
    [
        ((flow("b"), flow("a")), "out of order"),
        ((flow("a"), flow("a")), "out of order"),
        ((flow("a", 1), flow("b", 0)), "out of order"),
        ((flow("a", 0), flow("a", 1)), "comes twice"),
        ((refer("flow:none"),), "refers to 'flow:none', which is in no earlier wave"),
        ((refer("flow:z"), flow("z", 2)), "refers to 'flow:z'"),
        ((flow("a"), refer("flow:a", "/none")), "nothing is at"),
        ((flow("a"), refer("flow:a", "/number")), "does not fit"),
        ((flow("a"), refer("flow:a", "/text", offset=4)), "does not fit"),
        ((flow("a"), refer("flow:a", "/text", offset=-1)), "malformed"),
        ((flow("a"), refer("nonsense", "/text", "name")), "malformed"),
        ((Placed(0, make_record("flow:a", {"x": 1}, [], [Secret("/x", "s", "string")])),), "null"),
        ((Placed(0, msgspec.structs.replace(flow("a").record, digest="0" * 64)),), "digest"),
    ],
)
def test_writer_refuses_records_that_break_a_rule(records: tuple[Placed, ...], why: str) -> None:
    """What the reader would refuse is a mistake of the caller and is not written."""
    with pytest.raises(ValueError, match=why):
        bundle_bytes(*records)


def test_names_may_point_outside() -> None:
    """A reference by name needs no record in the bundle."""
    assert len(read_bundle(io.BytesIO(bundle_bytes(refer("flow:elsewhere", form="name")))).records) == 1


def test_a_bundle_names_the_resources_that_it_does_not_hold() -> None:
    """A reference may point outside, where the manifest says so; the format is then 1.1, else 1.0."""
    manifest = read_bundle(io.BytesIO(_referring("work-pool:k8s"))).manifest

    assert (manifest.format, manifest.external) == ("1.1", ("work-pool:k8s",))
    assert read_bundle(io.BytesIO(bundle_bytes(*SAMPLE))).manifest.format == "1.0"


@pytest.mark.parametrize("external", [(), ("work-pool:other",), ("work-pool:k8s", "work-pool:other")])
def test_external_resources_are_exactly_those_referred_to(external: tuple[str, ...]) -> None:
    """What the manifest calls external is what records refer to and do not find."""
    with pytest.raises(ValueError, match="refer"):
        _referring(*external)


@pytest.mark.parametrize(
    "references",
    [
        [("a", "b", "uuid"), ("b", "a", "uuid")],
        [("a", "b", "uuid"), ("b", "c", "uuid"), ("c", "a", "uuid")],
        [("a", "b", "uuid"), ("b", "c", "name"), ("c", "a", "name")],
        [("a", "a", "uuid")],
        [("a", "b", "name")],
    ],
)
def test_a_cycle_may_stand_in_one_wave(references: list[tuple[str, str, str]]) -> None:
    """Members of one cycle refer to each other in one wave, also where it goes by names."""
    assert len(read_bundle(io.BytesIO(_inside(*references))).records) == 3


@pytest.mark.parametrize(
    "references",
    [
        [("a", "b", "uuid")],
        [("b", "a", "uuid")],
        [("a", "b", "uuid"), ("b", "a", "uuid"), ("a", "c", "uuid")],
        [("a", "b", "uuid"), ("b", "c", "name")],
    ],
)
def test_what_is_in_no_cycle_does_not_stand_in_one_wave(references: list[tuple[str, str, str]]) -> None:
    """A reference inside a wave that is in no cycle is refused: its target belongs into an earlier wave."""
    with pytest.raises(ValueError, match="in no cycle"):
        _inside(*references)
