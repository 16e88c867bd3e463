"""The digests of a file, read once, in bounded memory."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

import msgspec

from bundle.errors import BundleRejected
from bundle.files import input_errors
from bundle.trust.sshsig import Hash

_CHUNK = 1024 * 1024


class Digests(msgspec.Struct, frozen=True):
    """SHA-256 and SHA-512 of the same bytes, and how many they are."""

    sha256: bytes
    sha512: bytes
    size: int

    def of(self, hash_: Hash) -> bytes:
        """The digest by the name of the hash."""
        return self.sha256 if hash_ == "sha256" else self.sha512


def of_stream(stream: BinaryIO, *, on_chunk: Callable[[bytes], object] = lambda _: None) -> Digests:
    """The digests of all that is left of a stream; ``on_chunk`` is called with each piece, in order."""
    sha256, sha512, size = hashlib.sha256(), hashlib.sha512(), 0
    for chunk in chunks(stream):
        sha256.update(chunk)
        sha512.update(chunk)
        size += len(chunk)
        on_chunk(chunk)
    return Digests(sha256.digest(), sha512.digest(), size)


def of_bytes(data: bytes) -> Digests:
    """The digests of some bytes."""
    return of_stream(io.BytesIO(data))


def digest(stream: BinaryIO, hash_: Hash) -> bytes:
    """One digest of all that is left of a stream."""
    found = hashlib.new(hash_)
    for chunk in chunks(stream):
        found.update(chunk)
    return found.digest()


def of_file(path: Path) -> Digests:
    """The digests of a file.

    Raises:
        BundleRejected: it cannot be read.
    """
    with opened(path) as file:
        return of_stream(file)


def opened(path: Path) -> BinaryIO:
    """A file to read.

    Raises:
        BundleRejected: it cannot be read.
    """
    with input_errors(path, BundleRejected, hint="check the file name"):
        return path.open("rb")


def chunks(stream: BinaryIO) -> Iterator[bytes]:
    """All that is left of a stream, a piece at a time."""
    while chunk := stream.read(_CHUNK):
        yield chunk
