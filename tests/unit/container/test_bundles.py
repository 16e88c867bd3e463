"""The container: what is written can be read, by xfer and by stock tools, and nothing else can."""

from __future__ import annotations

import hashlib
import io
import shutil
import subprocess
import sys
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO, Literal, cast

import jsonschema
import msgspec
import pytest
import referencing
import zstandard

from bundle.container import schema, writer
from bundle.container.archive import pack
from bundle.container.interning import Shelf
from bundle.container.limits import Limits
from bundle.container.manifest import decode_record
from bundle.container.reader import BundleReader, open_bundle, read_bundle, verify_bundle
from bundle.container.writer import write_bundle, write_file
from bundle.errors import BundleError, Corrupt, OutputError, UnsupportedFormat
from bundle.model import Count, Header, LeftOut, Manifest, Placed, Record, Reference, Secret
from bundle.record.canonical import encode, make_record, sha256_hex
from bundle.record.key_set import KeySet

ROOT = Path(__file__).parents[3]
GOLDEN = ROOT / "fixtures" / "golden" / "format-1.0.pxb"
GOLDEN_EXTERNAL = ROOT / "fixtures" / "golden" / "format-1.1.pxb"
GOLDEN_PLAIN = zstandard.ZstdDecompressor().decompressobj().decompress(GOLDEN.read_bytes())
GOLDEN_DIGEST = "9b7846e6f13838d8161052b435b51989370b3893fa0d543996109b19be9e588f"
GOLDEN_EXTERNAL_DIGEST = "b97bcb993e78ef2004d185b9313fca39ad2e07a07630142ec929606caa669080"

Json = dict[str, Any]
Change = Callable[[Json], object]


def flow(name: str, wave: int = 0, **body: Any) -> Placed:
    return Placed(wave, make_record(f"flow:{name}", {"name": name, **body}, [], []))


def refer(
    target: str, pointer: str = "/flow", form: Literal["name", "uuid", "hex"] = "uuid", offset: int = 0
) -> Placed:
    body = {"flow": "", "text": "abc", "number": 1}
    return Placed(1, make_record("deployment:d", body, [Reference(pointer, target, form, offset)], []))


SECRET = Placed(1, make_record("variable:v", {"value": None}, [], [Secret("/value", "v", "string")]))
SAMPLE = (flow("a"), flow("b"), refer("flow:a"), SECRET)


def header_for(records: tuple[Placed, ...]) -> Header:
    kinds = [placed.record.kind for placed in records]
    return Header(census={kind: Count(kinds.count(kind), kinds.count(kind), 0) for kind in kinds})


def bundle_of(*records: Placed, header: Header | None = None) -> bytes:
    output = io.BytesIO()
    write_bundle(header or header_for(records), records, output)
    return output.getvalue()


def unpacked(data: bytes) -> dict[str, bytes]:
    """The members of a bundle, taken apart without any of the code under test."""
    plain = b"".join(frames_plain(data))
    members: dict[str, bytes] = {}
    while plain[0]:
        size = int(plain[124:135], 8)
        members[plain[:100].rstrip(b"\0").decode()] = plain[512 : 512 + size]
        plain = plain[512 + size + -size % 512 :]
    assert plain == bytes(1024)
    return members


def frames(data: bytes) -> list[bytes]:
    """The frames of a bundle before its seal."""
    result = []
    assert data[-40:-32] == SEAL
    data = data[:-40]
    while data:
        decoder = zstandard.ZstdDecompressor().decompressobj()
        decoder.decompress(data)
        result.append(data[: len(data) - len(decoder.unused_data)])
        data = decoder.unused_data
    return result


def frames_plain(data: bytes) -> list[bytes]:
    return [zstandard.ZstdDecompressor().decompress(frame) for frame in frames(data)]


def packed(members: dict[str, bytes]) -> bytes:
    return sealed([*(pack(name, data) for name, data in members.items()), frame(bytes(1024))])


SEAL = b"\x50\x2a\x4d\x18\x20\x00\x00\x00"


def sealed(parts: Sequence[bytes]) -> bytes:
    data = b"".join(parts)
    return data + SEAL + hashlib.sha256(data).digest()


def frame(plain: bytes) -> bytes:
    return zstandard.ZstdCompressor(write_checksum=True).compress(plain)


def forged(change: Change, data: bytes | None = None, *, canonical: bool = True) -> bytes:
    """A bundle whose manifest was changed and whose sums were made to fit."""
    members = unpacked(data or bundle_of(*SAMPLE))
    manifest = msgspec.json.decode(members["manifest.json"])
    change(manifest)
    members["manifest.json"] = encode(manifest) if canonical else msgspec.json.encode(manifest) + b" "
    return resummed(members)


def resummed(members: dict[str, bytes]) -> bytes:
    sums = [f"{sha256_hex(data)}  {name}\n" for name, data in members.items() if name != "SHA256SUMS"]
    members["SHA256SUMS"] = "".join(sums).encode()
    return packed(members)


def with_line(line: bytes) -> bytes:
    """A bundle of one flow whose line was replaced, with every digest made to fit but the record's own."""
    members = unpacked(bundle_of(flow("a")))
    manifest = msgspec.json.decode(members["manifest.json"])
    manifest["members"][0] |= {"size": len(line) + 1, "sha256": sha256_hex(line + b"\n")}
    try:
        record = msgspec.json.decode(line, type=Record)
    except (ValueError, RecursionError):
        pass
    else:
        manifest["content_digest"] = sha256_hex(f"{record.digest}\n".encode())
        manifest["secrets"] = [
            {"slot": secret.slot, "resource": record.key, "pointer": secret.pointer, "type": secret.type}
            for secret in record.secrets
        ]
    return resummed({"manifest.json": encode(manifest), "resources/000-flow-0001.ndjson": line + b"\n"})


def signed(value: Json) -> bytes:
    """A record line with a digest that fits, whatever the record says."""
    return encode(value | {"digest": sha256_hex(encode(value))})


def unsigned(**fields: Any) -> Json:
    return {"key": "flow:a", "body": {"name": "a"}, "references": [], "secrets": []} | fields


def refused(data: bytes, why: str | None = None, limits: Limits | None = None) -> Corrupt:
    with pytest.raises(Corrupt, match=why) as caught:
        list(open_bundle(io.BytesIO(data), limits).records())
    assert caught.value.hint
    return caught.value


def validator(name: str) -> jsonschema.Draft202012Validator:
    """A published schema; an empty registry, so nothing is fetched from anywhere."""
    return jsonschema.Draft202012Validator(msgspec.json.decode(schema.load(name)), registry=referencing.Registry())


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
    bundle = read_bundle(io.BytesIO(bundle_of(*SAMPLE, header=header)))

    assert bundle.records == SAMPLE
    assert (bundle.manifest.census, bundle.manifest.left_out) == (header.census, header.left_out)
    assert (bundle.manifest.selection, bundle.manifest.provenance) == (header.selection, header.provenance)
    assert [(wave.wave, wave.kinds, wave.count) for wave in bundle.manifest.order] == [
        (0, ("flow",), 2),
        (1, ("deployment", "variable"), 2),
    ]
    assert [slot.resource for slot in bundle.manifest.secrets] == ["variable:v"]


def test_content_digest_is_over_the_record_digests() -> None:
    """The content digest can be computed from the records alone, and provenance is not in it."""
    lines = "".join(f"{placed.record.digest}\n" for placed in SAMPLE).encode()
    plain = header_for(SAMPLE)
    other = msgspec.structs.replace(plain, provenance={"time": "later"})
    digests = {verify_bundle(io.BytesIO(bundle_of(*SAMPLE, header=header))).content_digest for header in (plain, other)}

    assert digests == {hashlib.sha256(lines).hexdigest()}


def test_an_empty_environment_is_a_bundle() -> None:
    """No records make a bundle with a manifest and sums."""
    bundle = read_bundle(io.BytesIO(bundle_of()))

    assert bundle.records == ()
    assert bundle.manifest.order == ()


def test_same_input_gives_same_bytes() -> None:
    """Nothing of time, place or chance is in the bytes."""
    assert bundle_of(*SAMPLE) == bundle_of(*SAMPLE)


def test_a_big_kind_is_cut_into_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """A part does not grow beyond its size, unless one record alone does."""
    monkeypatch.setattr(writer, "PART_BYTES", 300)
    records = (*(flow(f"{number}") for number in range(5)), flow("x", text="y" * 400), flow("z"))
    bundle = read_bundle(io.BytesIO(bundle_of(*records)))

    assert bundle.records == records
    assert [member.count for member in bundle.manifest.members] == [2, 2, 1, 1, 1]
    assert [member.name for member in bundle.manifest.members][-1] == "resources/000-flow-0005.ndjson"


@pytest.mark.parametrize("step", [1, 3, 1000])
def test_a_pipe_can_be_read(step: int) -> None:
    """A stream that cannot seek and gives short reads is read to its end."""
    stream = cast("BinaryIO", Pipe(bundle_of(*SAMPLE), step))

    assert read_bundle(stream).records == SAMPLE


def test_standard_input_can_be_read() -> None:
    """A bundle comes through a real pipe."""
    program = "import sys; from bundle import verify_bundle as v; print(v(sys.stdin.buffer).content_digest)"
    done = subprocess.run([sys.executable, "-c", program], input=GOLDEN.read_bytes(), capture_output=True, check=True)

    assert done.stdout.decode().strip() == GOLDEN_DIGEST


@pytest.mark.skipif(not shutil.which("zstd"), reason="needs the zstd command")
def test_stock_tools_open_a_bundle(tmp_path: Path) -> None:
    """GNU tar, zstd and sha256sum unpack and verify a bundle without xfer, and without a warning."""
    (tmp_path / "env.pxb").write_bytes(bundle_of(*SAMPLE))
    command = "tar --zstd -xf env.pxb && sha256sum --strict -c SHA256SUMS"
    done = subprocess.run(["sh", "-c", command], cwd=tmp_path, capture_output=True, check=True, text=True)

    assert done.stderr == ""
    assert done.stdout.count(": OK") == 4
    assert (tmp_path / "resources" / "000-flow-0001.ndjson").stat().st_mode & 0o777 == 0o644


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


def test_golden_script_does_not_overwrite() -> None:
    """The script that made the golden bundle refuses to make it again."""
    before = GOLDEN_EXTERNAL.read_bytes()
    done = subprocess.run(
        [sys.executable, ROOT / "fixtures" / "make_golden.py"], capture_output=True, check=False, text=True
    )

    assert (done.returncode, GOLDEN_EXTERNAL.read_bytes()) == (1, before)
    assert "already exists" in done.stderr


def _referring(*external: str, target: str = "work-pool:k8s") -> bytes:
    placed = [Placed(0, make_record("deployment:a/b", {"pool": ""}, [Reference("/pool", target)], []))]
    output = io.BytesIO()
    write_bundle(Header(census={"deployment": Count(1, 1, 0)}, external=external), placed, output)
    return output.getvalue()


def test_a_bundle_names_the_resources_that_it_does_not_hold() -> None:
    """A reference may point outside, where the manifest says so; the format is then 1.1, else 1.0."""
    manifest = read_bundle(io.BytesIO(_referring("work-pool:k8s"))).manifest

    assert (manifest.format, manifest.external) == ("1.1", ("work-pool:k8s",))
    assert read_bundle(io.BytesIO(bundle_of(*SAMPLE))).manifest.format == "1.0"


@pytest.mark.parametrize("external", [(), ("work-pool:other",), ("work-pool:k8s", "work-pool:other")])
def test_external_resources_are_exactly_those_referred_to(external: tuple[str, ...]) -> None:
    """What the manifest calls external is what records refer to and do not find."""
    with pytest.raises(ValueError, match="refer"):
        _referring(*external)


def test_reader_gives_records_once() -> None:
    """Taking the records of one reader twice is a mistake of the caller."""
    reader = open_bundle(io.BytesIO(bundle_of(*SAMPLE)))
    list(reader.records())
    with pytest.raises(ValueError, match="once"):
        list(reader.records())


# What the writer refuses.


@pytest.mark.parametrize(
    ("records", "why"),
    [
        ((flow("b"), flow("a")), "out of order"),
        ((flow("a"), flow("a")), "out of order"),
        ((flow("a", 1), flow("b", 0)), "out of order"),
        ((flow("a", 0), flow("a", 1)), "comes twice"),
        ((refer("flow:none"),), "refers to 'flow:none', which is in no earlier wave"),
        ((refer("flow:z"), flow("z", 2)), "refers to 'flow:z'"),
        ((flow("a"), refer("flow:a", "/none")), "nothing stands at"),
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
        bundle_of(*records)


def test_names_may_point_outside() -> None:
    """A reference by name needs no record in the bundle."""
    assert len(read_bundle(io.BytesIO(bundle_of(refer("flow:elsewhere", form="name")))).records) == 1


@pytest.mark.parametrize("census", [{}, {"flow": Count(2, 1, 1)}, {"flow": Count(1, 1, 0), "block": Count(1, 1, 0)}])
def test_writer_refuses_a_census_that_does_not_add_up(census: dict[str, Count]) -> None:
    """Seen, exported and left out must agree with what is written."""
    with pytest.raises(ValueError, match="census"):
        bundle_of(flow("a"), header=Header(census=census))


def nested(depth: int) -> Json:
    value: Json = {}
    for _ in range(depth):
        value = {"x": value}
    return value


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
        bundle_of(placed, header=Header(census={placed.record.kind: Count(1, 1, 0)}))


def test_depth_is_allowed_up_to_its_limit() -> None:
    """A record may be nested as deep as the limit says, with any number of brackets in texts."""
    placed = flow("a", deep=nested(61), text="[{" * 100)

    assert read_bundle(io.BytesIO(bundle_of(placed))).records == (placed,)


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


# What the reader refuses.


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


def test_members_cannot_be_moved_dropped_or_repeated() -> None:
    """Any other sequence of frames is refused."""
    parts = frames(bundle_of(*SAMPLE))
    count = len(parts)
    sequences = [
        *(parts[:index] + parts[index + 1 :] for index in range(count)),
        *(parts[: index + 1] + parts[index:] for index in range(count)),
        *([*parts[:index], parts[index + 1], parts[index], *parts[index + 2 :]] for index in range(count - 1)),
        [*parts, *parts],
        [*parts, b"\x50\x2a\x4d\x18\x00\x00\x00\x00"],
        [b"\x50\x2a\x4d\x18\x00\x00\x00\x00", *parts],
        [*parts, zstandard.ZstdCompressor().compress(b"")],
        [*parts[:-1], pack("extra", b""), parts[-1]],
        [*parts[:-1], pack("SHA256SUMS", b"x" * 512)],
    ]
    for sequence in sequences:
        refused(sealed(sequence))


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"write_checksum": False}, "no checksum"),
        ({"write_content_size": False}, "does not state its size"),
        ({"dict_data": zstandard.ZstdCompressionDict(GOLDEN_PLAIN, zstandard.DICT_TYPE_RAWCONTENT)}, "decoded"),
    ],
    ids=["checksum", "size", "dictionary"],
)
def test_frames_of_another_make_are_refused(options: dict[str, Any], why: str) -> None:
    """A frame without checksum or size, or with a dictionary, is refused."""
    first, *rest = frames(bundle_of(*SAMPLE))
    plain = zstandard.ZstdDecompressor().decompress(first)
    settings = {"write_checksum": True, "write_content_size": True} | options
    refused(sealed([zstandard.ZstdCompressor(**settings).compress(plain), *rest]), why)


def test_a_wide_window_is_refused() -> None:
    """A frame that wants a large window costs nothing."""
    parameters = zstandard.ZstdCompressionParameters(window_log=27, write_checksum=1, write_content_size=1)
    frame = zstandard.ZstdCompressor(compression_params=parameters).compress(bytes(64 * 2**20 + 512))
    refused(frame, "window")


@pytest.mark.parametrize("lie", [-1, 1, 2**20])
def test_a_lying_size_is_refused(lie: int) -> None:
    """A frame that states another size than it has is refused."""
    plain = frames_plain(bundle_of(*SAMPLE))[0]
    refused(frame_of(plain, len(plain) + lie))


def frame_of(plain: bytes, size: int, extra: bytes = b"") -> bytes:
    """A frame made by hand of one raw block, with any stated size."""
    block = (len(plain) << 3 | (not extra)).to_bytes(3, "little") + plain
    return b"\x28\xb5\x2f\xfd\xa4" + size.to_bytes(4, "little") + block + extra + bytes(4)


@pytest.mark.parametrize(
    ("extra", "why"),
    [
        (b"\x06\x00\x00", "unknown type"),
        (b"\xff\xff\xff", "unknown type"),
        (b"\x02\x00\x10" + b"\xff" * 131072, ""),
        (b"\x00\x00\x00" * 5000, "longer than it states"),
        (b"\x02\x00\x10\x00" * 5000, ""),
    ],
)
def test_odd_blocks_are_refused(extra: bytes, why: str) -> None:
    """Reserved, oversized, empty and endless blocks end the reading."""
    refused(frame_of(bytes(1024), 1024, extra), why or None)


def test_reserved_bits_are_refused() -> None:
    """The bits of a frame header that say nothing, or name a dictionary, must be zero."""
    data = bytearray(bundle_of(*SAMPLE))
    for bit in (0x10, 0x08, 0x01):
        changed = data.copy()
        changed[4] ^= bit
        refused(bytes(changed), "reserved")


def headers() -> Iterator[bytes]:
    """Tar headers that some tool takes for the first member of a bundle, and more."""
    plain = frames_plain(bundle_of(*SAMPLE))[0][:512]

    def changed(start: int, data: bytes, *, fix: bool = True) -> bytes:
        header = bytearray(plain)
        header[start : start + len(data)] = data
        if fix:
            header[148:156] = b"        "
            header[148:156] = b"%06o\0 " % sum(header)
        return bytes(header)

    names = [
        *("../../etc/x", "/etc/passwd", "C:\\x", "a\\b", "./manifest.json", "manifest.json/", "Manifest.json"),
        *(" manifest.json", "manifest.json ", "manifest.json\0x", "manifest.json\n", "resources/../manifest.json"),
        *("resources/000-flow-0001.ndjson", "SHA256SUMS", "\u202emanifest", "con", "x" * 100, "", "\x1b[31m"),
        *("//x", "~/.ssh/x", "a/./b", "%2e%2e", "..", "."),
    ]
    yield from (changed(0, name.encode().ljust(100, b"\0")) for name in names)
    yield from (changed(156, bytes([kind])) for kind in b"1234567xgLKSVDM\0 ")
    sizes = [
        b"\x80" + bytes(2) + b"\x40" + bytes(8),
        b"\xff" * 12,
        b"-0000000512\0",
        b" 0000000512\0",
        b"77777777777\0",
    ]
    yield from (changed(124, size) for size in [*sizes, bytes(12), b"00000000000\0", b"0000000051 \0", b"000000010000"])
    yield changed(100, b"0000755\0")
    yield changed(108, b"0001750\0")
    yield changed(136, b"00000000001\0")
    yield changed(157, b"link")
    yield changed(257, b"ustar  \0")
    yield changed(265, b"root")
    yield changed(345, b"prefix")
    yield changed(500, b"x")
    yield changed(148, b"0000000\0", fix=False)
    yield changed(156, b"1", fix=False)


def test_odd_headers_are_refused() -> None:
    """A tar header in any but the one encoding is refused, wherever it stands."""
    plains = frames_plain(bundle_of(*SAMPLE))
    odd = list(headers())
    assert len(odd) > 50
    for header in odd:
        for index in range(len(plains) - 1):
            changed = plains.copy()
            changed[index] = header + plains[index][512:]
            refused(sealed([frame(plain) for plain in changed]), "header|another member|filled up")


def test_padding_must_be_zero() -> None:
    """Nothing can be hidden behind the data of a member."""
    first, *rest = frames_plain(bundle_of(*SAMPLE))
    changed = first[:-1] + b"x" if not first[-1] else first
    assert changed != first
    refused(sealed([frame(plain) for plain in [changed, *rest]]), "filled up")
    refused(sealed([frame(plain) for plain in [first + bytes(512), *rest]]), "filled up")


def test_terminal_controls_do_not_reach_a_message() -> None:
    """Names from a hostile bundle are shown escaped."""
    plain = frames_plain(bundle_of(*SAMPLE))
    plain[1] = b"\x1b[31m" + plain[1][5:]
    message = refused(sealed([frame(each) for each in plain]), "another member").message
    odd = refused(forged(lambda manifest: manifest["members"][0].update(name="resources/000-a-0001.ndjson"))).message

    assert "\x1b" not in message
    assert "misnamed" in odd


def test_bombs_are_refused_at_low_cost() -> None:
    """A member that unpacks to far more than it should costs little memory."""
    bomb = frame(bytes(2**28))
    many = forged(lambda manifest: manifest["members"][0].update(size=2**40))
    few = Limits(ratio_from_bytes=0, ratio=2)
    tracemalloc.start()
    refused(bomb, "where 1024 to")
    refused(many, "larger than")
    refused(bundle_of(flow("a", text="x" * 10_000)), "times its size", few)
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
    refused(bundle_of(*SAMPLE, *(Placed(2, each) for each in cycle)), why, limits)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda m: m.update(content_digest="0" * 64), "content digest differs"),
        (lambda m: m.update(content_digest="0" * 63), "matching"),
        (lambda m: m["members"][0].update(sha256="0" * 64), "SHA-256 differs"),
        (lambda m: m["members"][0].update(sha256="A" * 64), "matching"),
        (lambda m: m["members"][0].update(count=1), "dependency order"),
        (lambda m: m["members"][0].update(size=10**6), "frame holds"),
        (lambda m: m["members"][0].update(size=m["members"][0]["size"] - 1), "header"),
        (lambda m: m["members"][0].update(kind="block", name="resources/000-block-0001.ndjson"), "order"),
        (lambda m: m["members"][0].update(name="../x"), "matching"),
        (lambda m: m["members"].reverse(), "out of order"),
        (lambda m: m["members"].append(m["members"][-1]), "out of order"),
        (lambda m: m.update(members=[]), "order"),
        (lambda m: m["order"][0].update(count=9), "dependency order"),
        (lambda m: m["order"].pop(), "dependency order"),
        (lambda m: m["secrets"].clear(), "other secrets"),
        (lambda m: m["secrets"][0].update(slot="x"), "other secrets"),
        (lambda m: m["secrets"].append(m["secrets"][0]), "no record has"),
        (lambda m: m["census"]["flow"].update(seen=9), "census"),
        (lambda m: m["census"]["flow"].update(seen=3, left_out=1), "census"),
        (lambda m: m["census"].update(X={"seen": 0, "exported": 0, "left_out": 0}), "matching"),
        (lambda m: m["left_out"].append({"kind": "flow", "reason": "x", "count": 1, "names": []}), "census"),
        (lambda m: m["findings"].append({"code": "x"}), "required"),
        (lambda m: m["findings"].append({"code": "x", "key": "flow:a", "detail": ""}), "fields"),
        (lambda m: m.update(extra=1), "fields"),
        (lambda m: m.pop("census"), "required"),
        (lambda m: m.update(format="0.9"), "not a version"),
        (lambda m: m.update(format=1), "format"),
        (lambda m: m.pop("format"), "format"),
        (lambda m: m.update(format="1.0\n"), "not a version"),
    ],
)
def test_a_manifest_that_disagrees_is_refused(change: Change, why: str) -> None:
    """Every statement of the manifest is compared, even when all the sums were made to fit."""
    refused(forged(change), why)


@pytest.mark.parametrize(
    "change",
    [
        lambda m: m.pop("findings"),
        lambda m: m.update(format="1"),
        lambda m: m.update(content_digest="A" * 64),
        lambda m: m.update(members={}),
        lambda m: m.update(provenance=[]),
        lambda m: m["requires"].append({"version": "x", "reason": ""}),
        lambda m: m["requires"].append({"version": "1.0"}),
        lambda m: m["census"].update({"Flow": {"seen": 0, "exported": 0, "left_out": 0}}),
        lambda m: m["census"]["flow"].update(seen=-1),
        lambda m: m["census"]["flow"].update(seen=1.5),
        lambda m: m["census"]["flow"].pop("left_out"),
        lambda m: m["members"][0].update(name="x"),
        lambda m: m["members"][0].update(name="resources/000-" + "x" * 99 + "-0001.ndjson"),
        lambda m: m["members"][0].update(kind="X"),
        lambda m: m["members"][0].update(wave=-1),
        lambda m: m["members"][0].update(count=0),
        lambda m: m["members"][0].update(size=0),
        lambda m: m["members"][0].update(sha256=None),
        lambda m: m["order"][0].update(count=0),
        lambda m: m["order"][0].update(kinds="flow"),
        lambda m: m["secrets"][0].update(slot=""),
        lambda m: m["secrets"][0].update(resource="x"),
        lambda m: m["secrets"][0].update(pointer="x"),
        lambda m: m["secrets"][0].update(type="null"),
        lambda m: m["findings"].append({"code": "", "key": ""}),
        lambda m: m["findings"].append({"code": "x", "key": "", "pointer": "x"}),
        lambda m: m["left_out"].append({"kind": "flow", "reason": "", "count": 0, "names": []}),
        lambda m: m["left_out"].append({"kind": "flow", "reason": "x", "count": -1, "names": []}),
        lambda m: m["left_out"].append({"kind": "flow", "reason": "x", "count": 0, "names": [1]}),
    ],
)
def test_manifest_rules_agree_with_the_schema(change: Change) -> None:
    """What the published schema of the manifest refuses, the reader refuses, and the other way round."""
    manifest = msgspec.json.decode(unpacked(bundle_of(*SAMPLE))["manifest.json"])
    assert validator(schema.MANIFEST).is_valid(manifest)
    change(manifest)

    assert not validator(schema.MANIFEST).is_valid(manifest)
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(manifest, schema.strict(Manifest))
    refused(forged(change))


def test_a_count_that_disagrees_is_refused() -> None:
    """The number of lines is compared, also when the whole account was changed with it."""

    def change(manifest: Json) -> None:
        manifest["members"][0]["count"] = 3
        manifest["order"][0]["count"] = 3
        manifest["census"]["flow"] = {"seen": 3, "exported": 3, "left_out": 0}

    refused(forged(change), "does not hold 3 lines")


def test_ambiguous_json_is_refused() -> None:
    """Duplicate keys, white space, odd spellings and what is not JSON are refused in the manifest."""
    members = unpacked(bundle_of(*SAMPLE))
    good = members["manifest.json"]
    for bad in (
        good.replace(b"{", b'{"census":{},', 1),
        good + b"\n",
        b"\xef\xbb\xbf" + good,
        good.replace(b'"1.0"', b'"1\\u002e0"'),
        good.replace(b'"provenance":{}', b'"provenance":{"a":1e0}'),
        good.replace(b'"provenance":{}', b'"provenance":{"a":NaN}'),
        good.replace(b'"provenance":{}', b'"provenance":{"a":"\xff"}'),
        good.replace(b'"provenance":{}', b'"provenance":{"a":"\\ud800"}'),
        good.replace(b'"provenance":{}', b'"provenance":{"a":' + b"1" * 5000 + b"}"),
        good.replace(b'"provenance":{}', b'"provenance":{"a":' + b"[" * 100 + b"]" * 100 + b"}"),
        good.replace(b'"provenance":{}', b'"provenance":{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}"),
        b"[]",
        b"null",
        b"x",
    ):
        assert bad != good
        refused(resummed(members | {"manifest.json": bad}), "manifest")


GOOD_LINES = [
    unsigned(),
    unsigned(key="work-pool:x\ny"),
    unsigned(body={}),
    unsigned(body={"x": ""}, references=[{"pointer": "/x", "target": "flow:a"}]),
    unsigned(body={"x": "ab"}, references=[{"pointer": "/x", "target": "flow:a", "form": "hex", "offset": 2}]),
    unsigned(body={"x": None}, secrets=[{"pointer": "/x", "slot": "s", "type": "number"}]),
]
BAD_LINES = [
    unsigned(key="a"),
    unsigned(key="Flow:a"),
    unsigned(key="flow:"),
    unsigned(key=1),
    unsigned(body=[]),
    unsigned(body=None),
    unsigned(references={}),
    unsigned(references=[{"pointer": "/name"}]),
    unsigned(references=[{"pointer": "name", "target": "flow:a"}]),
    unsigned(references=[{"pointer": "/~2", "target": "flow:a"}]),
    unsigned(references=[{"pointer": "/name", "target": "nobody"}]),
    unsigned(references=[{"pointer": "/name", "target": "flow:a", "form": "other"}]),
    unsigned(references=[{"pointer": "/name", "target": "flow:a", "offset": -1}]),
    unsigned(references=[{"pointer": "/name", "target": "flow:a", "offset": "1"}]),
    unsigned(body={"x": None}, secrets=[{"pointer": "/x", "slot": "", "type": "string"}]),
    unsigned(body={"x": None}, secrets=[{"pointer": "/x", "slot": "s", "type": "null"}]),
    unsigned(body={"x": None}, secrets=[{"pointer": "x", "slot": "s", "type": "string"}]),
    unsigned(body={"x": None}, secrets=[None]),
]


@pytest.mark.parametrize("value", [*GOOD_LINES, *BAD_LINES], ids=repr)
def test_record_rules_agree_with_the_schema(value: Json) -> None:
    """The fast check of a record takes what the published schema takes, and no more."""
    line = signed(value)
    good = value in GOOD_LINES
    raw = msgspec.json.decode(line)

    assert validator(schema.RECORD).is_valid(raw) is good
    if not good:
        refused(with_line(line))
    elif value["key"] == "flow:a":
        assert read_bundle(io.BytesIO(with_line(line))).records[0].record.body == value["body"]
    else:
        assert decode_record(line, Limits(), newer=False).key == value["key"]


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"x",
        b"null",
        signed(unsigned()).replace(b'"a"', b'"b"'),
        signed(unsigned()).replace(b"{", b'{"body":{},', 1),
        signed(unsigned()).replace(b",", b", ", 1),
        signed(unsigned(extra=1)),
        signed(unsigned(references=[{"pointer": "/name", "target": "flow:a", "offset": 0}])),
        signed(unsigned(key="block:a")),
        signed(unsigned(references=[{"pointer": "/none", "target": "flow:a"}])),
        signed(unsigned(references=[{"pointer": "/name", "target": "flow:b"}])),
        signed(unsigned(references=[{"pointer": "", "target": "flow:a", "form": "member"}])),
        signed(unsigned(references=[{"pointer": "/name", "target": "flow:a", "form": "member"}])),
        signed(unsigned(body={"x": None}, secrets=[{"pointer": "/x", "slot": "s", "type": "string"}] * 2)),
        signed(unsigned(body={"x": nested(70)})),
        b'{"body":{"x":' + b"[" * 2000 + b"]" * 2000 + b'},"digest":"","key":"flow:a","references":[],"secrets":[]}',
    ],
    ids=lambda line: repr(line[:60]),
)
def test_odd_record_lines_are_refused(line: bytes) -> None:
    """A line is refused by member, line number and reason, even when all the sums were made to fit."""
    message = refused(with_line(line)).message

    assert message.startswith(("resources/000-flow-0001.ndjson, line 1: ", "references: ", "manifest.json: "))


def test_the_seal_covers_what_the_content_does_not_show() -> None:
    """Another encoding of the same content is refused when the seal is not its own, and a seal must be there."""
    *parts, last = frames(bundle_of(*SAMPLE))
    other = zstandard.ZstdCompressor(level=19, write_checksum=True).compress(frames_plain(bundle_of(*SAMPLE))[0])
    old = bundle_of(*SAMPLE)[-40:]

    assert read_bundle(io.BytesIO(sealed([other, *parts[1:], last]))).records == SAMPLE
    refused(b"".join([other, *parts[1:], last, old]), "seal.* differs from what was written")
    refused(b"".join([*parts, last]), "ends too early")


def test_sums_must_agree() -> None:
    """SHA256SUMS that say anything else are refused."""
    members = unpacked(bundle_of(*SAMPLE))
    sums = members["SHA256SUMS"]
    for bad in (sums[:-1] + b" ", sums.replace(b"0", b"1"), sums[:-1], sums + b"\n"):
        refused(packed(members | {"SHA256SUMS": bad}), "SHA256SUMS")


# Versions.


def test_a_newer_major_version_is_refused() -> None:
    """The version needed and the reason are told, and that an upgrade helps."""

    def future(manifest: Json) -> None:
        manifest.update(format="2.1", requires=[{"version": "2.0", "reason": "sealed\x1b secrets"}], order="new")

    with pytest.raises(UnsupportedFormat, match=r"reads format 2\.0 \('sealed.x1b secrets'\); this one") as caught:
        open_bundle(io.BytesIO(forged(future, canonical=False)))
    assert "upgrade" in str(caught.value.hint)


def test_a_newer_major_version_may_say_why_in_its_own_way() -> None:
    """A newer major version is named even when its reasons cannot be read."""
    with pytest.raises(UnsupportedFormat, match=r"format 2\.0; this one"):
        open_bundle(io.BytesIO(forged(lambda manifest: manifest.update(format="2.0", requires={"x": 1}))))


def test_a_newer_requirement_is_refused() -> None:
    """A newer minor version that must be understood is refused."""
    requires = [{"version": "1.7", "reason": "why"}, {"version": "1.10", "reason": "more"}]
    with pytest.raises(UnsupportedFormat, match=r"format 1\.10 \('why'; 'more'\)"):
        open_bundle(io.BytesIO(forged(lambda manifest: manifest.update(format="1.12", requires=requires))))


def newer(manifest: Json) -> None:
    manifest.update(format="1.7", extra={"x": 1})
    manifest["members"][0]["extra"] = True


def test_a_newer_minor_version_is_read_with_a_warning() -> None:
    """Unknown fields of the manifest are passed over, told, and kept in its bytes."""
    reader = open_bundle(io.BytesIO(forged(newer)))

    assert tuple(reader.records()) == SAMPLE
    assert ["1.7" in warning for warning in reader.warnings] == [True]
    assert b'"extra":{"x":1}' in reader.manifest_bytes


def test_a_newer_minor_version_may_have_new_record_fields() -> None:
    """Unknown fields of a record are covered by its digest and passed over."""
    line = signed(unsigned(extra={"digest": "x"}))
    data = forged(newer, with_line(line))

    assert read_bundle(io.BytesIO(data)).records[0].record.key == "flow:a"
    refused(forged(newer, with_line(line.replace(b'"x"', b'"y"'))), "digest")
    refused(forged(newer, with_line(line.replace(b'{"x"', b'{ "x"').replace(b'"extra":{', b'"extra":{ '))), "canonical")


def test_a_newer_minor_version_is_still_canonical() -> None:
    """A newer minor version is no way around the one encoding."""
    refused(forged(newer, canonical=False), "canonical")


# Schemas and the key set.


def test_published_schemas_are_current() -> None:
    """The files in schemas/ are what the structs say."""
    published = {path.name: path.read_bytes() for path in (ROOT / "schemas").iterdir()}

    assert schema.generate() == {name: published[name] for name in schema.generate()}


def test_publish_writes_the_schemas(tmp_path: Path) -> None:
    """The files are made by one call."""
    schema.publish(tmp_path)

    assert {path.name for path in tmp_path.iterdir()} == {schema.MANIFEST, schema.RECORD}


def test_schemas_are_valid_and_open() -> None:
    """Both are draft 2020-12, and no object forbids new fields."""
    for name in (schema.MANIFEST, schema.RECORD):
        checker = validator(name)
        checker.check_schema(checker.schema)
        assert b'"additionalProperties": false' not in schema.load(name)


def test_installed_schemas_come_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An installed package reads its own copy."""
    (tmp_path / "schemas").mkdir()
    (tmp_path / "schemas" / schema.RECORD).write_bytes(b"{}")
    monkeypatch.setattr("importlib.resources.files", lambda _name: tmp_path)

    assert schema.load(schema.RECORD) == b"{}"


@pytest.mark.parametrize("golden", [GOLDEN, GOLDEN_EXTERNAL])
def test_golden_manifest_fits_its_schema(golden: Path) -> None:
    """A golden bundle's manifest and records fit the published schemas."""
    members = unpacked(golden.read_bytes())
    records = b"".join(data for name, data in members.items() if name.startswith("resources/")).splitlines()

    assert validator(schema.MANIFEST).is_valid(msgspec.json.decode(members["manifest.json"]))
    assert all(validator(schema.RECORD).is_valid(msgspec.json.decode(line)) for line in records)


def test_key_set_knows_what_was_added() -> None:
    """A key set grows, and knows exactly its members."""
    keys = KeySet()
    added = [keys.add(keys.number(f"flow:{number}")) for number in range(5000)]

    assert all(added)
    assert not any(keys.add(keys.number(f"flow:{number}")) for number in range(5000))
    assert all(keys.number(f"flow:{number}") in keys for number in range(5000))
    assert not any(keys.number(f"block:{number}") in keys for number in range(5000))


@pytest.mark.parametrize("sizes", [(3, 700), (700, 3), (0, 5), (5, 0)])
def test_key_sets_can_be_joined(sizes: tuple[int, int]) -> None:
    """Whichever of two sets is the larger, the joined one knows the members of both."""
    one, other = KeySet(), KeySet()
    numbers = [KeySet.number(f"flow:{number}") for number in range(sum(sizes))]
    for number in numbers[: sizes[0]]:
        one.add(number)
    for number in numbers[sizes[0] :]:
        other.add(number)

    joined = one.joined(other)

    assert sorted(joined) == sorted(numbers)
    assert all(number in joined for number in numbers)


def _inside(*references: tuple[str, str, str]) -> bytes:
    """A bundle of automations a, b and c in one wave, with some references from one to another."""
    records = []
    for name in "abc":
        own = [each for each in references if each[0] == name]
        body = {target: "" for _, target, _ in own}
        found = [Reference(f"/{target}", f"automation:{target}", form) for _, target, form in own]  # type: ignore[arg-type]
        records.append(Placed(0, make_record(f"automation:{name}", body, found, [])))
    return bundle_of(*records)


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


LARGE = {"properties": {f"p{number}": {"title": f"p{number}", "type": "string"} for number in range(40)}}


def test_equal_parts_of_records_are_kept_once() -> None:
    """What repeats itself in a bundle takes memory once, also inside parts that differ otherwise."""
    bodies = [{"name": str(number), "schema": {**LARGE, "title": str(number)}} for number in range(3)]
    placed = [Placed(0, make_record(f"flow:{body['name']}", body, [], [])) for body in bodies]

    records = [each.record for each in read_bundle(io.BytesIO(bundle_of(*placed))).records]

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


def test_reader_is_what_open_bundle_gives() -> None:
    """The manifest can be had without reading on."""
    data = bundle_of(*SAMPLE)
    reader = open_bundle(io.BytesIO(frames(data)[0]))

    assert isinstance(reader, BundleReader)
    assert isinstance(reader.manifest, Manifest)
    assert reader.warnings == ()
