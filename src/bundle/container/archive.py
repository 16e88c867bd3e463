"""Members to bytes and back: the only place that knows tar and zstd.

Layout, in this order (docs/format.md, "Container"):

    frame   manifest.json               one zstd frame a member: ustar header,
    frame   resources/…ndjson    0…n    data, zero bytes up to a multiple of 512
    frame   SHA256SUMS
    frame   end of archive              1024 zero bytes
    seal    skippable frame             SHA-256 of all bytes of the file before it

Rules: there is exactly one header for a name and a size; anything else is refused. A frame states
its size and carries a checksum; it is taken block by block, so nothing is allocated that the frame
did not hold and the limits did not allow. Nothing is ever extracted to disk. The seal is there
because some bits of a compressed frame can change without changing what it unpacks to.
"""

from __future__ import annotations

import hashlib
import re
from typing import BinaryIO, NoReturn

import zstandard

from bundle.container.limits import Limits
from bundle.errors import Corrupt
from bundle.files import MIB

_BLOCK = 512
_END = bytes(2 * _BLOCK)
_END_NAME = "end of archive"
# A skippable frame of 32 bytes, which every zstd decoder passes over.
_SEAL = b"\x50\x2a\x4d\x18\x20\x00\x00\x00"
_LEVEL = 3
MAGIC = b"\x28\xb5\x2f\xfd"
"""How a bundle begins: with that of a zstd frame."""
_PREFIX = 5  # magic and descriptor, which say how long the frame header is
_DICTIONARY, _CHECKSUM, _RESERVED, _UNUSED = 0x03, 0x04, 0x08, 0x10
_WINDOW = 8 * MIB
_LONGEST_NAME = 99
_LONGEST_BLOCK = 128 * 1024
# A block costs time even when it is empty. No encoder cuts 128 KiB into more than 196 blocks.
_SHORTEST_ON_AVERAGE, _SPARE_BLOCKS = 256, 64
_REPEATED, _COMPRESSED = 1, 2
_SIZE_FIELD = slice(124, 136)
_SIZE = re.compile(rb"[0-7]{11}\0")
_HINT = "the file is damaged or is not a bundle; get a fresh copy, or export again"


def pack(name: str, data: bytes | bytearray) -> bytes:
    """One member as a zstd frame."""
    return _compress(_header(name, len(data)), data, bytes(-len(data) % _BLOCK))


class ArchiveWriter:
    """Puts an archive together on a stream."""

    def __init__(self, output: BinaryIO) -> None:
        self._output = output
        self._digest = hashlib.sha256()

    def write(self, packed: bytes) -> int:
        """Write members that ``pack`` made."""
        self._digest.update(packed)
        return self._output.write(packed)

    def end(self) -> None:
        """Write the end of the archive and the seal."""
        self.write(_compress(_END))
        self._output.write(_SEAL + self._digest.digest())
        self._output.flush()


def _compress(*pieces: bytes | bytearray) -> bytes:
    compressor = zstandard.ZstdCompressor(
        level=_LEVEL, write_checksum=True, write_content_size=True, write_dict_id=False
    )
    stream = compressor.compressobj(size=sum(map(len, pieces)))
    packed = [stream.compress(piece) for piece in pieces]
    return b"".join((*packed, stream.flush()))


def _header(name: str, size: int) -> bytes:
    """The one ustar header of a regular file with this name and size."""
    if len(name) > _LONGEST_NAME:
        raise ValueError("a member name is too long")
    before = b"".join(
        (
            name.encode("ascii").ljust(100, b"\0"),
            b"0000644\0",  # mode
            b"0000000\0" * 2,  # owner and group
            b"%011o\0" % size,
            b"00000000000\0",  # time
        )
    )
    # Type, no link, magic and version, no owner names, device numbers, no prefix.
    after = b"0" + bytes(100) + b"ustar\x0000" + bytes(64) + b"0000000\0" * 2 + bytes(167)
    checksum = sum(before) + 8 * ord(" ") + sum(after)
    return before + b"%06o\0 " % checksum + after


class ArchiveReader:
    """Takes an archive from a stream, which need not be seekable, member by member; ``offset`` bytes up to now."""

    def __init__(self, stream: BinaryIO, limits: Limits) -> None:
        self._stream = stream
        self._limits = limits
        self.offset = 0
        self._plain_bytes = 0
        self._digest = hashlib.sha256()

    def first(self, name: str, most: int) -> bytearray:
        """The data of the first member, whose size of up to ``most`` only the archive knows.

        Raises:
            Corrupt: it is not a well-formed member of that name.
        """
        plain = self._frame(name, 2 * _BLOCK, _padded(most))
        field = plain[_SIZE_FIELD]
        if not _SIZE.fullmatch(field):
            self._refuse(name, "the tar header has no valid size")
        return self._data(plain, name, int(field[:-1], 8))

    def member(self, name: str, size: int) -> bytearray:
        """The data of the next member, which must have this name and size.

        Raises:
            Corrupt: it is anything else.
        """
        length = _padded(size)
        return self._data(self._frame(name, length, length), name, size)

    def end(self) -> None:
        """Make sure that the archive ends here.

        Raises:
            Corrupt: there is more, or the end mark is missing.
        """
        if self._frame(_END_NAME, len(_END), len(_END)) != _END:
            self._refuse(_END_NAME, "a member follows that the manifest does not list")
        expected = _SEAL + self._digest.digest()
        if self._read("seal", len(expected)) != expected:
            self._refuse("seal", "the file differs from what was written")
        if self._read_some(1):
            self._refuse(_END_NAME, "bytes follow the end of the archive")

    def _data(self, plain: bytearray, name: str, size: int) -> bytearray:
        if plain[:_BLOCK] != _header(name, size):
            self._refuse(name, _oddity(plain, name))
        if len(plain) != _padded(size) or plain.count(0, _BLOCK + size) != len(plain) - _BLOCK - size:
            self._refuse(name, "the data is not filled up with zero bytes to a multiple of 512")
        del plain[_BLOCK + size :]
        del plain[:_BLOCK]
        return plain

    def _frame(self, name: str, least: int, most: int) -> bytearray:
        start = self.offset
        header = self._frame_header(name)
        size = zstandard.get_frame_parameters(header).content_size
        if not least <= size <= most:
            self._refuse(name, f"the frame holds {size} bytes where {_between(least, most)} are allowed")
        plain = self._blocks(name, header, size, longest=start + size + (size >> 8) + 1024)
        self._plain_bytes += size
        self._check_cost(name)
        return plain

    def _frame_header(self, name: str) -> bytes:
        prefix = self._read(name, _PREFIX)
        if not prefix.startswith(MAGIC):
            self._refuse(name, "there is no zstd frame here")
        descriptor = prefix[-1]
        if descriptor & (_DICTIONARY | _RESERVED | _UNUSED) or not descriptor & _CHECKSUM:
            self._refuse(name, "the zstd frame has no checksum, needs a dictionary or uses reserved bits")
        header = prefix + self._read(name, zstandard.frame_header_size(prefix) - _PREFIX)
        try:
            parameters = zstandard.get_frame_parameters(header)
        except zstandard.ZstdError as error:
            self._refuse(name, "the zstd frame header is not valid", error)
        if parameters.content_size in {zstandard.CONTENTSIZE_UNKNOWN, zstandard.CONTENTSIZE_ERROR}:
            self._refuse(name, "the zstd frame does not state its size")
        if parameters.window_size > _WINDOW:
            self._refuse(name, f"the zstd frame needs a window of more than {_WINDOW} bytes")
        return header

    def _blocks(self, name: str, header: bytes, size: int, longest: int) -> bytearray:
        """The content of a frame after its header; one block gives at most 128 KiB, so a lie is soon found."""
        decoder = zstandard.ZstdDecompressor(max_window_size=_WINDOW).decompressobj()
        plain, last = bytearray(self._feed(decoder, name, header)), False
        left = size // _SHORTEST_ON_AVERAGE + _SPARE_BLOCKS
        while not last:
            start = self._read(name, 3)
            last, length = self._block_length(name, int.from_bytes(start, "little"))
            plain += self._feed(decoder, name, start + self._read(name, length + 4 * last))
            left -= 1
            if len(plain) > size or self.offset > longest or left < 0:
                self._refuse(name, "the zstd frame is longer than it states, or cut into too many blocks")
        if len(plain) != size or not decoder.eof or decoder.unused_data:
            self._refuse(name, "the zstd frame does not end where it should")
        return plain

    def _block_length(self, name: str, header: int) -> tuple[bool, int]:
        last, kind, size = bool(header & 1), header >> 1 & 3, header >> 3
        if kind > _COMPRESSED or size > _LONGEST_BLOCK:
            self._refuse(name, "the zstd frame has a block of an unknown type or size")
        return last, 1 if kind == _REPEATED else size

    def _feed(self, decoder: zstandard.ZstdDecompressionObj, name: str, data: bytes) -> bytes:
        try:
            return decoder.decompress(data)
        except zstandard.ZstdError as error:
            self._refuse(name, "the zstd frame cannot be decoded, or its checksum differs", error)

    def _check_cost(self, name: str) -> None:
        limits, plain = self._limits, self._plain_bytes
        if plain > limits.total_bytes:
            self._refuse(name, f"the bundle unpacks to more than {limits.total_bytes} bytes")
        if plain > limits.ratio_from_bytes and plain > limits.ratio * self.offset:
            self._refuse(name, f"the bundle unpacks to more than {limits.ratio} times its size")

    def _read(self, name: str, size: int) -> bytes:
        data = self._read_some(size)
        while 0 < len(data) < size:
            more = self._read_some(size - len(data))
            if not more:
                break
            data += more
        if len(data) != size:
            self._refuse(name, "the file ends too early")
        return data

    def _read_some(self, size: int) -> bytes:
        try:
            data = self._stream.read(size)
        except OSError as error:
            reason = (error.strerror or "input error").lower()
            raise Corrupt(f"the bundle cannot be read: {reason}", hint="check the name of the bundle") from error
        self.offset += len(data)
        self._digest.update(data)
        return data

    def _refuse(self, name: str, why: str, cause: Exception | None = None) -> NoReturn:
        raise Corrupt(f"{name}, before byte {self.offset} of the file: {why}", hint=_HINT) from cause


def _padded(size: int) -> int:
    return _BLOCK + size + -size % _BLOCK


def _between(least: int, most: int) -> str:
    return str(least) if least == most else f"{least} to {most}"


def _oddity(plain: bytearray, name: str) -> str:
    found = plain[:100].rstrip(b"\0").decode("ascii", "replace")
    if found != name:
        return f"another member stands here: {found!r}"
    return "the tar header is not the one that this name and size must have"
