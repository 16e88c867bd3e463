"""Bytes of an archive: only the one encoding is taken."""

from __future__ import annotations

import io
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import zstandard

from bundle.container.archive import pack
from bundle.container.reader import read_bundle
from support.bundles import GOLDEN, SAMPLE, bundle_bytes
from support.forgery import forged, frame, frames, frames_plain, refused, sealed

GOLDEN_PLAIN = zstandard.ZstdDecompressor().decompressobj().decompress(GOLDEN.read_bytes())


def frame_of(plain: bytes, size: int, extra: bytes = b"") -> bytes:
    """A frame made by hand of one raw block, with any stated size."""
    block = (len(plain) << 3 | (not extra)).to_bytes(3, "little") + plain
    return b"\x28\xb5\x2f\xfd\xa4" + size.to_bytes(4, "little") + block + extra + bytes(4)


def headers() -> Iterator[bytes]:
    """Tar headers that some tool takes for the first member of a bundle, and more."""
    plain = frames_plain(bundle_bytes(*SAMPLE))[0][:512]

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


@pytest.mark.skipif(not shutil.which("zstd"), reason="needs the zstd command")
def test_stock_tools_open_a_bundle(tmp_path: Path) -> None:
    """GNU tar, zstd and sha256sum unpack and verify a bundle without xfer, and without a warning."""
    (tmp_path / "env.pxb").write_bytes(bundle_bytes(*SAMPLE))
    command = "tar --zstd -xf env.pxb && sha256sum --strict -c SHA256SUMS"
    done = subprocess.run(["sh", "-c", command], cwd=tmp_path, capture_output=True, check=True, text=True)

    assert done.stderr == ""
    assert done.stdout.count(": OK") == 4
    assert (tmp_path / "resources" / "000-flow-0001.ndjson").stat().st_mode & 0o777 == 0o644


def test_members_cannot_be_moved_dropped_or_repeated() -> None:
    """Any other sequence of frames is refused."""
    parts = frames(bundle_bytes(*SAMPLE))
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
    first, *rest = frames(bundle_bytes(*SAMPLE))
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
    plain = frames_plain(bundle_bytes(*SAMPLE))[0]
    refused(frame_of(plain, len(plain) + lie))


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
    data = bytearray(bundle_bytes(*SAMPLE))
    for bit in (0x10, 0x08, 0x01):
        changed = data.copy()
        changed[4] ^= bit
        refused(bytes(changed), "reserved")


def test_odd_headers_are_refused() -> None:
    """A tar header in any but the one encoding is refused, wherever it stands."""
    plains = frames_plain(bundle_bytes(*SAMPLE))
    odd = list(headers())
    assert len(odd) > 50
    for header in odd:
        for index in range(len(plains) - 1):
            changed = plains.copy()
            changed[index] = header + plains[index][512:]
            refused(sealed([frame(plain) for plain in changed]), "header|another member|filled up")


def test_padding_must_be_zero() -> None:
    """Nothing can be hidden behind the data of a member."""
    first, *rest = frames_plain(bundle_bytes(*SAMPLE))
    changed = first[:-1] + b"x" if not first[-1] else first
    assert changed != first
    refused(sealed([frame(plain) for plain in [changed, *rest]]), "filled up")
    refused(sealed([frame(plain) for plain in [first + bytes(512), *rest]]), "filled up")


def test_terminal_controls_do_not_reach_a_message() -> None:
    """Names from a hostile bundle are shown escaped."""
    plain = frames_plain(bundle_bytes(*SAMPLE))
    plain[1] = b"\x1b[31m" + plain[1][5:]
    message = refused(sealed([frame(each) for each in plain]), "another member").message
    odd = refused(forged(lambda manifest: manifest["members"][0].update(name="resources/000-a-0001.ndjson"))).message

    assert "\x1b" not in message
    assert "misnamed" in odd


def test_the_seal_covers_what_the_content_does_not_show() -> None:
    """Another encoding of the same content is refused when the seal is not its own, and a seal must be there."""
    *parts, last = frames(bundle_bytes(*SAMPLE))
    other = zstandard.ZstdCompressor(level=19, write_checksum=True).compress(frames_plain(bundle_bytes(*SAMPLE))[0])
    old = bundle_bytes(*SAMPLE)[-40:]

    assert read_bundle(io.BytesIO(sealed([other, *parts[1:], last]))).records == SAMPLE
    refused(b"".join([other, *parts[1:], last, old]), "seal.* differs from what was written")
    refused(b"".join([*parts, last]), "ends too early")
