"""Writing a bundle: the same bytes for the same input, whole or not at all."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

import msgspec
import pytest

from bundle.container import writer
from bundle.container.reader import read_bundle, verify_bundle
from bundle.container.writer import write_bundle, write_file
from bundle.errors import BundleError, OutputError
from bundle.model import Count, Header, Placed
from bundle.record.canonical import make_record
from support.bundles import SAMPLE, bundle_bytes, flow, header_for, nested


def test_content_digest_is_over_the_record_digests() -> None:
    """The content digest can be computed from the records alone, and provenance is not in it."""
    lines = "".join(f"{placed.record.digest}\n" for placed in SAMPLE).encode()
    plain = header_for(SAMPLE)
    other = msgspec.structs.replace(plain, provenance={"time": "later"})
    digests = {
        verify_bundle(io.BytesIO(bundle_bytes(*SAMPLE, header=header))).content_digest for header in (plain, other)
    }

    assert digests == {hashlib.sha256(lines).hexdigest()}


def test_same_input_gives_same_bytes() -> None:
    """Nothing of time, place or chance is in the bytes."""
    assert bundle_bytes(*SAMPLE) == bundle_bytes(*SAMPLE)


def test_a_big_kind_is_cut_into_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """A part does not grow beyond its size, unless one record alone does."""
    monkeypatch.setattr(writer, "PART_BYTES", 300)
    records = (*(flow(f"{number}") for number in range(5)), flow("x", text="y" * 400), flow("z"))
    bundle = read_bundle(io.BytesIO(bundle_bytes(*records)))

    assert bundle.records == records
    assert [member.count for member in bundle.manifest.members] == [2, 2, 1, 1, 1]
    assert [member.name for member in bundle.manifest.members][-1] == "resources/000-flow-0005.ndjson"


@pytest.mark.parametrize("census", [{}, {"flow": Count(2, 1, 1)}, {"flow": Count(1, 1, 0), "block": Count(1, 1, 0)}])
def test_writer_refuses_a_census_that_does_not_add_up(census: dict[str, Count]) -> None:
    """Seen, exported and left out must agree with what is written."""
    with pytest.raises(ValueError, match="census"):
        bundle_bytes(flow("a"), header=Header(census=census))


@pytest.mark.parametrize(
    "placed",
    [
        flow("a", deep=nested(62)),
        flow("a", text="x" * 2**24),
        flow("x" * 70_000),
        Placed(0, make_record("Flow", {}, [], [])),
    ],
)
def test_writer_refuses_what_a_bundle_cannot_hold(placed: Placed) -> None:
    """A record beyond a limit is told to the user by its key."""
    with pytest.raises(BundleError, match="does not fit into a bundle"):
        bundle_bytes(placed, header=Header(census={placed.record.kind: Count(1, 1, 0)}))


def test_depth_is_allowed_up_to_its_limit() -> None:
    """A record may be nested as deep as the limit says, with any number of brackets in texts."""
    placed = flow("a", deep=nested(61), text="[{" * 100)

    assert read_bundle(io.BytesIO(bundle_bytes(placed))).records == (placed,)


def test_file_is_written_whole(tmp_path: Path) -> None:
    """A bundle file appears with mode 0600, and a failure leaves nothing."""
    path = tmp_path / "env.pxb"
    manifest = write_file(header_for(SAMPLE), SAMPLE, path, force=False)

    assert manifest == verify_bundle(path)
    assert path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(OutputError):
        write_file(header_for(SAMPLE), SAMPLE, path, force=False)
    with pytest.raises(ValueError, match="census"):
        write_file(Header(census={}), SAMPLE, path, force=True)
    assert verify_bundle(path) == manifest
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_is_told() -> None:
    """A stream that takes no more bytes gives an OutputError."""
    with Path("/dev/full").open("wb", buffering=0) as full, pytest.raises(OutputError, match="no space left"):
        write_bundle(header_for(SAMPLE), SAMPLE, full)
