"""A file in parts that fit a medium: plain byte ranges, and a list that ``sha256sum -c`` reads.

``cat env.pxb.*-of-*`` joins them by hand, ``sha256sum -c --ignore-missing env.pxb.parts`` checks them. The list has a
line for each part in order, and one for the whole; before each is its size, as a comment. Parts may lie in several
directories; nothing is ever written there, and nothing deleted.
"""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, cast

import msgspec

from bundle.errors import UsageError
from bundle.files import atomic, check_target
from bundle.trust.digests import chunks, digest, opened
from bundle.trust.reasons import Distrusted, Reason
from bundle.trust.wire import MalformedError

SUFFIX = ".parts"
LONGEST = 4 * 1024 * 1024
"""Bytes of a list of parts at most."""

_MOST = 999
_HEAD = "# xfer parts 1.0: join them with cat, in this order; check with sha256sum -c --ignore-missing\n"
_LINE = re.compile(r"# (0|[1-9][0-9]{0,18}) bytes\n([0-9a-f]{64})  ([^\n/\\]+)\n", re.ASCII)
_CHUNK = 1024 * 1024


class Part(msgspec.Struct, frozen=True):
    """A file of the list: its name, its size in bytes and its SHA-256 in hex."""

    name: str
    size: int
    sha256: str


class Parts(msgspec.Struct, frozen=True):
    """The list: all parts in order, and the whole."""

    parts: tuple[Part, ...]
    whole: Part


def split(path: Path, size: int, directory: Path, *, force: bool) -> Parts:
    """Write the parts of a file, of ``size`` bytes each but the last, and their list; the list comes last.

    Raises:
        BundleRejected: the file cannot be read.
        UsageError: that would be no parts, or more than 999.
        OutputError: one of them cannot be written, or is there and ``force`` is not given.
    """
    with opened(path) as file:
        names = _names(path, size, file.seek(0, io.SEEK_END))
        file.seek(0)
        for name in (*names, path.name + SUFFIX):
            check_target(directory / name, force)
        whole = hashlib.sha256()
        parts = tuple(_write(file, directory / name, size, whole, force=force) for name in names)
        if file.read(1):
            raise UsageError(f"{path}: changed while it was read", hint="split it again")
    found = Parts(parts, Part(path.name, sum(part.size for part in parts), whole.hexdigest()))
    with atomic(directory / (path.name + SUFFIX), force=force) as output:
        output.write(write(found))
    return found


def _names(path: Path, size: int, total: int) -> list[str]:
    count = max(1, -(-total // size)) if size > 0 else 0
    if not 0 < count <= _MOST or set(path.name) & set("\n\r\\"):
        raise UsageError(f"{path}: cannot be split into parts of {size} bytes", hint=f"1 to {_MOST} parts can be made")
    return [_name(path.name, number, count) for number in range(1, count + 1)]


def _name(whole: str, number: int, count: int) -> str:
    return f"{whole}.{number:03d}-of-{count:03d}"


def _write(file: BinaryIO, target: Path, size: int, whole: hashlib._Hash, *, force: bool) -> Part:
    sha256, left = hashlib.sha256(), size
    with atomic(target, force=force) as output:
        while left and (chunk := file.read(min(left, _CHUNK))):
            output.write(chunk)
            sha256.update(chunk)
            whole.update(chunk)
            left -= len(chunk)
    return Part(target.name, size - left, sha256.hexdigest())


def write(parts: Parts) -> bytes:
    """The list as a file has it."""
    lines = (f"# {each.size} bytes\n{each.sha256}  {each.name}\n" for each in (*parts.parts, parts.whole))
    return (_HEAD + "".join(lines)).encode()


def read_file(path: Path) -> Parts:
    """The list of a file.

    Raises:
        BundleRejected: it cannot be read, or is not exactly what ``write`` makes of a list.
    """
    with opened(path) as file:
        data = file.read(LONGEST + 1)
    try:
        return read(data)
    except MalformedError as error:
        raise Distrusted(str(path), Reason.PARTS_MALFORMED, str(error)) from error


def read(data: bytes) -> Parts:
    """The list of some bytes.

    Raises:
        MalformedError: it is not exactly what ``write`` makes of a list.
    """
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise MalformedError("not a text in UTF-8") from error
    *parts, whole = [Part(name, int(size), sha256) for size, sha256, name in _LINE.findall(text)] or [Part("", 0, "")]
    found = Parts(tuple(parts), whole)
    if len(data) > LONGEST or write(found) != data:
        raise MalformedError("it has other lines than such a list")
    names = [_name(whole.name, number, len(parts)) for number in range(1, len(parts) + 1)]
    if not parts or [part.name for part in parts] != names or sum(part.size for part in parts) != whole.size:
        raise MalformedError("the parts do not make up the whole")
    return found


def locate(parts: Parts, directories: Sequence[Path]) -> tuple[Path, ...]:
    """Where each part is, in order. Where several files have its name, it is the first that is right.

    Raises:
        Distrusted: parts are missing, or there is only a wrong file of such a name; all of them are named.
    """
    found = {part.name: _candidates(part, directories) for part in parts.parts}
    missing = [name for name, candidates in found.items() if not candidates]
    if missing:
        places = ", ".join(str(directory) for directory in directories)
        raise Distrusted(parts.whole.name, Reason.PART_MISSING, f"{', '.join(missing)} not in {places}")
    return tuple(_best(part, found[part.name]) for part in parts.parts)


def _candidates(part: Part, directories: Sequence[Path]) -> list[Path]:
    return [directory / part.name for directory in directories if (directory / part.name).is_file()]


def _best(part: Part, candidates: list[Path]) -> Path:
    # A single one is checked while it is read: on a slow medium that is half the time.
    if len(candidates) == 1:
        return candidates[0]
    for candidate in candidates:
        with opened(candidate) as file:
            if candidate.stat().st_size == part.size and digest(file, "sha256").hex() == part.sha256:
                return candidate
    raise Distrusted(str(candidates[0]), Reason.PART_ALTERED)


def joined(parts: Parts, directories: Sequence[Path]) -> BinaryIO:
    """The whole as one stream to read from; raises as ``locate``.

    Reading raises ``Distrusted`` at the end of a part that was changed, and at the end of the whole if that is not
    right: so nothing may be done with what was read before the stream has ended.
    """
    places = locate(parts, directories)
    return cast("BinaryIO", io.BufferedReader(_Joined(_checked(parts, places)), _CHUNK))


def _checked(parts: Parts, places: Sequence[Path]) -> Iterator[bytes]:
    whole = hashlib.sha256()
    for part, place in zip(parts.parts, places, strict=True):
        sha256, size = hashlib.sha256(), 0
        with opened(place) as file:
            for chunk in chunks(file):
                size += len(chunk)
                if size > part.size:
                    raise Distrusted(str(place), Reason.PART_ALTERED, "longer than it was")
                sha256.update(chunk)
                whole.update(chunk)
                yield chunk
        if size != part.size or sha256.hexdigest() != part.sha256:
            raise Distrusted(str(place), Reason.PART_ALTERED)
    if whole.hexdigest() != parts.whole.sha256:
        raise Distrusted(parts.whole.name, Reason.PART_ALTERED, "each part is right, but not all of them together")


class _Joined(io.RawIOBase):
    """The pieces of an iterator as a file."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        super().__init__()
        self._pieces = pieces
        self._rest = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview, /) -> int:  # type: ignore[override]
        while not self._rest:
            piece = next(self._pieces, None)
            if piece is None:
                return 0
            self._rest = piece
        count = min(len(buffer), len(self._rest))
        buffer[:count], self._rest = self._rest[:count], self._rest[count:]
        return count
