"""Whatever is done to a small bundle, it is refused in so many words, or it is a bundle by every rule.

The number of mutants is ``XFER_FUZZ_MUTANTS`` (2000 where it is not set).
"""

from __future__ import annotations

import io
import os
import random
from collections import Counter
from collections.abc import Callable

import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from bundle.container import schema
from bundle.container.manifest import is_newer
from bundle.container.reader import open_bundle
from bundle.container.writer import write_bundle
from bundle.errors import BundleRejected
from bundle.model import Manifest, Placed
from bundle.record.canonical import encode
from support.bundles import header_of, validator
from support.forgery import frames
from support.mutants import BASES, CLOSED, FILES, OPEN, PARSED, WAYS, mutant, order_of_frames, parsed, rebuilt, rows_of

MUTANTS = int(os.environ.get("XFER_FUZZ_MUTANTS", "2000"))
# Found to be enough to reach both the refusals and the readings of each way to mutate.
SPREAD = 500

Read = tuple[Manifest, tuple[Placed, ...]]


def read(data: bytes) -> Read | None:
    """What the reader takes a bundle for; None when it refuses it, and any other error is an error here."""
    try:
        reader = open_bundle(io.BytesIO(data))
        return reader.manifest, tuple(reader.records())
    except BundleRejected:
        return None


ORIGINALS = tuple(map(read, BASES))


MANIFESTS, RECORDS = validator(schema.MANIFEST), validator(schema.RECORD)


def check_bundle(data: bytes, found: Read) -> None:
    """What was read is what the bytes say, fits the published schemas, and is what the writer writes and reads."""
    manifest, records = found
    plains = [zstandard.ZstdDecompressor().decompress(each) for each in frames(data)]
    document, stored = parsed(plains)
    assert MANIFESTS.is_valid(document)
    assert all(RECORDS.is_valid(record) for _, record in stored)
    assert [placed.record.key for placed in records] == [record["key"] for _, record in stored]
    assert [encode(placed.record.body) for placed in records] == [encode(record["body"]) for _, record in stored]
    if not is_newer(manifest.format):
        assert_writable(manifest, records)


def assert_writable(manifest: Manifest, records: tuple[Placed, ...]) -> None:
    output = io.BytesIO()
    written = write_bundle(header_of(manifest), records, output)
    again = read(output.getvalue())
    assert again is not None
    assert again[1] == records
    assert written.content_digest == manifest.content_digest


def check(way: Callable[[random.Random, int], bytes], base: int, data: bytes) -> bool:
    """Whether a mutant was read; fails when anything but a refusal or a bundle came out."""
    found = read(data)
    if found is None:
        return False
    if way in CLOSED:
        assert found in ORIGINALS if way is order_of_frames else found == ORIGINALS[base]
    check_bundle(data, found)
    return True


def test_mutants_are_refused_or_bundles() -> None:
    """No mutant crashes the reader, and none is taken for more than it is; deep ones are read and refused both."""
    taken: Counter[str] = Counter()
    for number in range(MUTANTS):
        way, base, data = mutant(number)
        try:
            taken[way.__name__] += check(way, base, data)
        except BaseException as error:
            raise AssertionError(f"mutant {number}, {way.__name__} of {FILES[base].name}") from error

    if MUTANTS >= SPREAD:
        assert all(taken[way.__name__] for way in OPEN)
    assert all(count < MUTANTS / len(WAYS) for count in taken.values())


@settings(max_examples=150)
@given(st.sampled_from(WAYS), st.integers(0, len(BASES) - 1), st.randoms(use_true_random=False))
def test_chosen_mutants_are_refused_or_bundles(
    way: Callable[[random.Random, int], bytes], base: int, chance: random.Random
) -> None:
    """The same for mutants that Hypothesis chooses, and makes as small as it can when one fails."""
    check(way, base, way(chance, base))


def test_bases_are_bundles() -> None:
    """What is mutated is whole, and the tools of this file put it together again as it was."""
    for number, base in enumerate(BASES):
        original = ORIGINALS[number]
        assert original is not None
        check_bundle(base, original)
        again = read(rebuilt(rows_of(PARSED[number][1]), number))
        assert again is not None
        assert again[1] == original[1]
