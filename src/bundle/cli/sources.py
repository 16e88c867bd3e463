"""The bytes of what a command reads: opened once, judged by their signatures, and read from the same handle."""

from __future__ import annotations

import contextlib
import hashlib
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import BinaryIO, cast

from bundle.archive.address import is_address
from bundle.cli.trust_options import Trust
from bundle.errors import Corrupt
from bundle.files import output_errors
from bundle.trust import digests, parts
from bundle.trust.verdict import Verdict
from bundle.trust.verify import Namespace, signature_files

STANDARD = "-"
_SPOOL_BYTES = 16 * 1024 * 1024


class Source:
    """Bytes to read, and the verdict on them; None if they are not signed, and nobody asked."""

    def __init__(self, stream: BinaryIO, verdict: Verdict | None) -> None:
        self._stream = stream
        self._sha256 = hashlib.sha256()
        self.verdict = verdict

    @property
    def stream(self) -> BinaryIO:
        """What to read from, which is this itself: all that is needed of a file is ``read``."""
        return cast("BinaryIO", self)

    def read(self, size: int = -1, /) -> bytes:
        """Up to so many bytes."""
        data = self._stream.read(size)
        self._sha256.update(data)
        return data

    def finish(self) -> str:
        """The SHA-256 of what was read, in hex, once the end has been reached.

        Raises:
            Corrupt: it is not what the signatures were compared with.
        """
        found = self._sha256.hexdigest()
        if self.verdict is not None and found != self.verdict.sha256:
            raise Corrupt("the file changed while it was read", hint="run the command again")
        return found


@contextlib.contextmanager
def opened(name: str, trust: Trust, namespace: Namespace = Namespace.BUNDLE) -> Iterator[Source]:
    """A file, ``STORE//NAME@WHEN``, or standard input for ``-``; its signatures are judged before anything is read.

    Raises:
        BundleRejected: it cannot be read.
        Distrusted: whom the user trusts does not vouch for it.
    """
    with _local(name) as place:
        yield from _judged(place, trust, namespace)


def _judged(name: str, trust: Trust, namespace: Namespace) -> Iterator[Source]:
    if name.endswith(parts.SUFFIX):
        listed = parts.read_file(Path(name))
        directories = (Path(name).parent, *trust.parts_from)
        files: Sequence[Path] = trust.signatures or tuple(_beside_parts(listed.whole.name, directories))
        stream_of: AbstractContextManager[BinaryIO] = parts.joined(listed, directories)
    else:
        files = trust.signatures or _beside(name)
        stream_of = _stream(name)
    with stream_of as stream:
        if not trust.is_asked(files):
            yield Source(stream, None)
            return
        with _twice(stream) as readable:
            found = digests.of_stream(readable)
            readable.seek(0)
            yield Source(readable, trust.judge(_called(name), found, files, namespace))


@contextlib.contextmanager
def _local(name: str) -> Iterator[str]:
    """Where the bytes are: a snapshot in a store is fetched, with its signatures, for as long as it is read."""
    if not is_address(name):
        yield name
        return
    from bundle.cli import stores  # noqa: PLC0415 - few commands name a snapshot

    with stores.fetched(name) as file:
        yield str(file)


def _beside(name: str) -> Sequence[Path]:
    return () if name == STANDARD else signature_files(Path(name))


def _beside_parts(whole: str, directories: Sequence[Path]) -> Iterator[Path]:
    """The signatures of a whole, wherever its parts are; copies of one signature count once."""
    seen = set[bytes]()
    for file in (file for directory in directories for file in signature_files(directory / whole)):
        data = file.read_bytes()
        if data not in seen:
            seen.add(data)
            yield file


def _called(name: str) -> str:
    return "standard input" if name == STANDARD else name


@contextlib.contextmanager
def _stream(name: str) -> Iterator[BinaryIO]:
    if name == STANDARD:
        yield sys.stdin.buffer
        return
    with digests.opened(Path(name)) as stream:
        yield stream


@contextlib.contextmanager
def _twice(stream: BinaryIO) -> Iterator[BinaryIO]:
    """The same bytes, to be read two times: those of a pipe are kept in a file without a name."""
    if stream is not sys.stdin.buffer and stream.seekable():
        yield stream
        return
    with tempfile.SpooledTemporaryFile(_SPOOL_BYTES) as kept:
        with output_errors("temporary file"):
            shutil.copyfileobj(stream, kept)
        kept.seek(0)
        yield cast("BinaryIO", kept)
