"""Laws of the container: nothing is changed by it, and no change to it goes unseen."""

from __future__ import annotations

import hashlib
import io
import random
from typing import Any

import msgspec
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from bundle.container.reader import read_bundle
from bundle.errors import BundleRejected
from bundle.model import Bundle, Placed, Reference, Secret
from bundle.record.canonical import encode, make_record
from bundle.record.graph import place
from bundle.record.pointers import replace_all, resolve, walk
from support.bundles import bundle_bytes, header_for
from support.forgery import frames

TEXTS = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
    st.sampled_from(
        [
            "********",
            "flow:a",
            "{{ prefect.blocks.secret.x }}",
            '{"pointer":"/x","target":"flow:a"}',
            ',"digest":"' + "0" * 64 + '"',
            "\\u0000",
            "\x00\n\x1b\u2028",
            "manifest.json",
            "01234567-89ab-4cde-8f01-23456789abcd",
        ]
    ),
)
NUMBERS = st.one_of(st.integers(-(2**63), 2**64 - 1), st.floats(allow_nan=False, allow_infinity=False))
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), NUMBERS, TEXTS),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)
BODIES = st.dictionaries(TEXTS, VALUES, max_size=5)
NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
KINDS = st.sampled_from(["flow", "work-pool", "variable"])


@st.composite
def environments(draw: st.DrawFn) -> list[Placed]:
    """Records in their waves, with references to each other, in cycles too, and secrets where null stands."""
    bodies = draw(st.dictionaries(st.builds("{}:{}".format, KINDS, NAMES), BODIES, max_size=8))
    return list(place([draw(records(key, bodies[key], sorted(bodies))) for key in bodies]))


@st.composite
def records(draw: st.DrawFn, key: str, body: dict[str, Any], targets: list[str]) -> Any:
    places = list(walk(body))
    texts = [pointer for pointer, value in places if isinstance(value, str)]
    nulls = [pointer for pointer, value in places if value is None]
    references = [
        Reference(pointer, draw(st.sampled_from(targets)), draw(st.sampled_from(["uuid", "hex", "name"])), offset)
        for pointer in (draw(st.lists(st.sampled_from(texts), max_size=3)) if texts else [])
        for offset in [draw(st.integers(0, len(resolve(body, pointer))))]
    ]
    taken = draw(st.sets(st.sampled_from(nulls), max_size=2)) if nulls else set()
    return make_record(key, body, references, [Secret(pointer, f"slot{pointer}", "string") for pointer in taken])


def written(placed: list[Placed], **provenance: Any) -> bytes:
    header = msgspec.structs.replace(header_for(placed), provenance=provenance)
    return bundle_bytes(*placed, header=header)


def accepted(data: bytes) -> Bundle | None:
    try:
        return read_bundle(io.BytesIO(data))
    except BundleRejected:
        return None


SMALL = written(
    [
        Placed(0, make_record("flow:a", {"name": "a"}, [], [])),
        Placed(
            1,
            make_record("variable:v", {"x": "", "y": None}, [Reference("/x", "flow:a")], [Secret("/y", "s", "string")]),
        ),
    ]
)


PARTS = [*frames(SMALL), SMALL[-40:]]


@settings(max_examples=100)
@given(environments())
def test_round_trip_changes_nothing(placed: list[Placed]) -> None:
    """Whatever the records hold, look-alikes of our own notation included, they come back as they were."""
    bundle = read_bundle(io.BytesIO(written(placed)))

    assert encode(bundle.records) == encode(placed)


@settings(max_examples=25)
@given(environments(), BODIES)
def test_same_content_has_the_same_digest(placed: list[Placed], provenance: dict[str, Any]) -> None:
    """The content digest depends on the records alone."""
    first = read_bundle(io.BytesIO(written(placed))).manifest.content_digest
    second = read_bundle(io.BytesIO(written(placed, provenance=provenance))).manifest.content_digest

    assert first == second


@settings(max_examples=50)
@given(BODIES, st.randoms(use_true_random=False))
def test_order_of_names_does_not_show(body: dict[str, Any], chance: random.Random) -> None:
    """A record is the same in whatever order a server sends the fields."""
    names = list(body)
    chance.shuffle(names)

    assert make_record("flow:a", body, [], []) == make_record("flow:a", {name: body[name] for name in names}, [], [])


@given(BODIES)
def test_replacing_every_leaf_by_itself_changes_nothing(body: dict[str, Any]) -> None:
    """Pointers from a walk lead back to their values, in any body."""
    leaves = {pointer: value for pointer, value in walk(body) if not isinstance(value, dict | list)}

    assert encode(replace_all(body, leaves)) == encode(body)


def test_every_bit_flip_is_refused() -> None:
    """No bit can be flipped, not even one that a decoder passes over."""
    for position in range(8 * len(SMALL)):
        changed = bytearray(SMALL)
        changed[position // 8] ^= 1 << position % 8

        assert accepted(bytes(changed)) is None


def test_every_truncation_is_refused() -> None:
    """No proper beginning of a bundle is a bundle."""
    assert [length for length in range(len(SMALL)) if accepted(SMALL[:length])] == []


def test_every_appended_byte_is_refused() -> None:
    """Nothing may follow the end of a bundle, whatever the byte."""
    assert [byte for byte in range(256) if accepted(SMALL + bytes([byte]))] == []


def test_every_removed_or_doubled_byte_is_refused() -> None:
    """No byte can be left out or come twice."""
    for position in range(len(SMALL)):
        without = accepted(SMALL[:position] + SMALL[position + 1 :])
        doubled = accepted(SMALL[: position + 1] + SMALL[position:])

        assert without is None
        assert doubled is None


@given(st.lists(st.integers(0, len(PARTS) - 1), max_size=7))
def test_only_the_given_sequence_of_members_is_taken(order: list[int]) -> None:
    """Frames in another order, doubled or left out, are no bundle."""
    data = b"".join(PARTS[index] for index in order)

    assert (accepted(data) is not None) == (data == SMALL)


@settings(max_examples=300)
@given(st.data())
def test_random_damage_is_refused(data: st.DataObject) -> None:
    """Any splice of other bytes into a bundle is refused, and never crashes."""
    start = data.draw(st.integers(0, len(SMALL)))
    end = data.draw(st.integers(start, min(len(SMALL), start + 40)))
    changed = SMALL[:start] + data.draw(st.binary(max_size=40)) + SMALL[end:]

    assert accepted(changed) is None or changed == SMALL


@settings(max_examples=300)
@given(st.integers(0, 4), st.data())
def test_random_damage_inside_the_frames_is_refused(index: int, data: st.DataObject) -> None:
    """Damage below the checksums of a frame and of the file is refused too."""
    parts = PARTS[:-1]
    plain = bytearray(zstandard.ZstdDecompressor().decompress(parts[index]))
    plain[data.draw(st.integers(0, len(plain) - 1))] ^= data.draw(st.integers(1, 255))
    parts[index] = zstandard.ZstdCompressor(write_checksum=True).compress(bytes(plain))

    sealed = b"".join(parts)

    assert accepted(sealed + SMALL[-40:-32] + hashlib.sha256(sealed).digest()) is None
