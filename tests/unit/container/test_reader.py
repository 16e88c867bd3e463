"""Reading a bundle: from files, pipes and streams, and what is no bundle."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path
from typing import BinaryIO, cast

import msgspec
import pytest

from bundle.container.limits import Limits
from bundle.container.lines import decode_record, encode_record
from bundle.container.reader import BundleReader, open_bundle, read_bundle
from bundle.errors import Corrupt
from bundle.model import Count, Header, LeftOut, Manifest
from bundle.record.canonical import encode, make_record, sha256_hex
from support.bundles import GOLDEN, GOLDEN_EXTERNAL, GOLDEN_LEAN, GOLDEN_ORDERED, ROOT, SAMPLE, bundle_bytes
from support.forgery import frames, packed, refused, unpacked

GOLDEN_DIGEST = "9b7846e6f13838d8161052b435b51989370b3893fa0d543996109b19be9e588f"


GOLDEN_EXTERNAL_DIGEST = "b97bcb993e78ef2004d185b9313fca39ad2e07a07630142ec929606caa669080"


class Pipe(io.RawIOBase):
    """A stream that cannot seek and gives at most a few bytes at a time."""

    def __init__(self, data: bytes, step: int) -> None:
        super().__init__()
        self._data, self._step = data, step

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        size = min(size, self._step)
        taken, self._data = self._data[:size], self._data[size:]
        return taken


def test_records_come_back() -> None:
    """A bundle gives back the records and the header it was made of."""
    header = Header(
        census={
            "flow": Count(3, 2, 1),
            "deployment": Count(1, 1, 0),
            "variable": Count(1, 1, 0),
            "block": Count(0, 0, 0),
        },
        left_out=(LeftOut("flow", "excluded", 1, ("c",)),),
        selection={"kinds": ["flow"]},
        provenance={"time": "2026-01-01"},
    )
    bundle = read_bundle(io.BytesIO(bundle_bytes(*SAMPLE, header=header)))

    assert bundle.records == SAMPLE
    assert (bundle.manifest.census, bundle.manifest.left_out) == (header.census, header.left_out)
    assert (bundle.manifest.selection, bundle.manifest.provenance) == (header.selection, header.provenance)
    assert [(wave.wave, wave.kinds, wave.count) for wave in bundle.manifest.order] == [
        (0, ("flow",), 2),
        (1, ("deployment", "variable"), 2),
    ]
    assert [slot.resource for slot in bundle.manifest.secrets] == ["variable:v"]


def test_an_empty_environment_is_a_bundle() -> None:
    """No records make a bundle with a manifest and sums."""
    bundle = read_bundle(io.BytesIO(bundle_bytes()))

    assert bundle.records == ()
    assert bundle.manifest.order == ()


@pytest.mark.parametrize("step", [1, 3, 1000])
def test_a_pipe_can_be_read(step: int) -> None:
    """A stream that cannot seek and gives short reads is read to its end."""
    stream = cast("BinaryIO", Pipe(bundle_bytes(*SAMPLE), step))

    assert read_bundle(stream).records == SAMPLE


def test_standard_input_can_be_read() -> None:
    """A bundle comes through a real pipe."""
    program = "import sys; from bundle import verify_bundle as v; print(v(sys.stdin.buffer).content_digest)"
    done = subprocess.run([sys.executable, "-c", program], input=GOLDEN.read_bytes(), capture_output=True, check=True)

    assert done.stdout.decode().strip() == GOLDEN_DIGEST


def test_golden_bundle_is_read() -> None:
    """The golden bundle of format 1.0 reads as on the day it was made."""
    bundle = read_bundle(GOLDEN)

    assert bundle.manifest.content_digest == GOLDEN_DIGEST
    assert len(bundle.records) == 7
    assert {reference.form for placed in bundle.records for reference in placed.record.references} == {
        "name",
        "uuid",
        "hex",
        "member",
    }
    assert [slot.type for slot in bundle.manifest.secrets] == ["string", "string", "array"]


def test_golden_bundle_with_external_resources_is_read() -> None:
    """The golden bundle of format 1.1 reads as on the day it was made, and names what it does not hold."""
    bundle = read_bundle(GOLDEN_EXTERNAL)

    assert bundle.manifest.content_digest == GOLDEN_EXTERNAL_DIGEST
    assert bundle.manifest.external == ("block:docker-container/base", "work-pool:k8s")
    assert [each.version for each in bundle.manifest.requires] == ["1.0", "1.1"]


def test_golden_bundle_in_the_order_of_its_source_is_read() -> None:
    """The golden bundle of format 1.2 reads as on the day it was made, its members in the order that was given."""
    bundle = read_bundle(GOLDEN_ORDERED)
    (kept,) = (placed.record for placed in bundle.records if placed.record.key == "variable:look-alikes")

    assert bundle.manifest.content_digest == GOLDEN_EXTERNAL_DIGEST
    assert [each.version for each in bundle.manifest.requires] == ["1.0", "1.1", "1.2"]
    assert list(kept.body["value"])[:3] == ["id", "mask", "like"]


def test_members_in_another_order_are_refused_where_the_version_has_none() -> None:
    """What is not sorted, in a bundle that says it is older, was changed on its way; so were fields out of order."""
    record = make_record("variable:v", {"name": "v", "value": {"b": 1, "a": 2}}, [], [])
    line = encode_record(record)
    assert line.index(b'"b"') < line.index(b'"a"')
    assert decode_record(line, Limits(), newer=False, ordered=True) == record
    newer = msgspec.json.decode(line) | {"new": 1}
    old, new = newer.pop("digest"), sha256_hex(encode(newer))
    later = line.replace(b'"references":', b'"new":1,"references":').replace(old.encode(), new.encode())
    assert decode_record(later, Limits(), newer=True, ordered=True).body == record.body
    for bad, ordered in ((line, False), (line.replace(b'"body":{"name":"v",', b'"body":{'), True)):
        with pytest.raises(ValueError, match=r"canonical|digest"):
            decode_record(bad, Limits(), newer=False, ordered=ordered)


def test_golden_lean_bundle_is_read() -> None:
    """The golden bundle of format 1.3 reads as on the day it was made: the records of 1.1, each as key and digest."""
    bundle = read_bundle(GOLDEN_LEAN)

    assert bundle.manifest.content_digest == "b7545e48d46787bc64bdce1ebe762dce3ba1d60eefb78eb669c2e894dcecf368"
    assert [each.version for each in bundle.manifest.requires] == ["1.0", "1.3"]
    stated = {each.record.key: each.record.body["digest"] for each in bundle.records}
    assert stated == {each.record.key: each.record.digest for each in read_bundle(GOLDEN_EXTERNAL).records}


def test_golden_script_does_not_overwrite() -> None:
    """The script that made the golden bundle refuses to make it again."""
    before = GOLDEN_LEAN.read_bytes()
    done = subprocess.run(
        [sys.executable, ROOT / "fixtures" / "make_golden.py"], capture_output=True, check=False, text=True
    )

    assert (done.returncode, GOLDEN_LEAN.read_bytes()) == (1, before)
    assert "already exists" in done.stderr


def test_reader_gives_records_once() -> None:
    """Taking the records of one reader twice is a mistake of the caller."""
    reader = open_bundle(io.BytesIO(bundle_bytes(*SAMPLE)))
    list(reader.records())
    with pytest.raises(ValueError, match="once"):
        list(reader.records())


def test_reader_is_what_open_bundle_gives() -> None:
    """The manifest can be had without reading on."""
    data = bundle_bytes(*SAMPLE)
    reader = open_bundle(io.BytesIO(frames(data)[0]))

    assert isinstance(reader, BundleReader)
    assert isinstance(reader.manifest, Manifest)
    assert reader.warnings == ()


@pytest.mark.parametrize("content", [b"", b"x", b"PK\x03\x04 a zip", b"\x1f\x8b" + bytes(600), b"\x28\xb5\x2f\xfd"])
def test_what_is_no_bundle_is_refused(tmp_path: Path, content: bytes) -> None:
    """Any other file is refused as no bundle, with exit code 4."""
    path = tmp_path / "x"
    path.write_bytes(content)
    with pytest.raises(Corrupt) as caught:
        read_bundle(path)

    assert caught.value.exit_code == 4
    assert caught.value.hint


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    """A bundle that cannot be opened or read is refused by its name."""
    with pytest.raises(Corrupt, match="none: cannot be read: no such file"):
        read_bundle(tmp_path / "none")
    with pytest.raises(Corrupt, match="is a directory"):
        read_bundle(tmp_path)


def test_a_failing_stream_is_told() -> None:
    """An input error while reading is a refusal, not a crash."""

    class Broken(io.RawIOBase):
        def read(self, _size: int = -1) -> bytes:
            raise OSError(5, "Input/output error")

    with pytest.raises(Corrupt, match="input/output error"):
        read_bundle(cast("BinaryIO", Broken()))


def test_sums_must_agree() -> None:
    """SHA256SUMS that say anything else are refused."""
    members = unpacked(bundle_bytes(*SAMPLE))
    sums = members["SHA256SUMS"]
    for bad in (sums[:-1] + b" ", sums.replace(b"0", b"1"), sums[:-1], sums + b"\n"):
        refused(packed(members | {"SHA256SUMS": bad}), "SHA256SUMS")
