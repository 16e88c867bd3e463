"""Bundles: records in, one file out, and back (docs/format.md).

Rules: a writer writes nothing that the reader would refuse. A reader trusts nothing: whoever
takes records from it acts on them only after the last one has come without an error. Both need
memory for one member at a time, besides the manifest.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from bundle.container import manifest as manifests
from bundle.container.archive import ArchiveReader
from bundle.container.interning import Shelf
from bundle.container.limits import Limits
from bundle.container.lines import decode_record, shown
from bundle.container.sequence_rules import Ledger
from bundle.errors import Corrupt
from bundle.files import input_errors
from bundle.model import Bundle, Manifest, Member, Placed
from bundle.record.canonical import sha256_hex

SUMS = "SHA256SUMS"
_HINT = "the file is damaged or was changed; get a fresh copy, or export again"


def open_bundle(stream: BinaryIO, limits: Limits | None = None) -> BundleReader:
    """A reader that has the manifest of the bundle in a stream; the stream need not be seekable.

    Raises:
        UnsupportedFormat: a newer xfer is needed.
        Corrupt: it is not a bundle, or its manifest is damaged.
    """
    return BundleReader(stream, limits or Limits())


def read_bundle(source: Path | BinaryIO) -> Bundle:
    """The whole bundle in a file or stream, verified.

    Raises:
        UnsupportedFormat: a newer xfer is needed.
        Corrupt: the bundle is damaged or cannot be read.
    """
    with _opened(source) as stream:
        reader = open_bundle(stream)
        return Bundle(reader.manifest, tuple(held_together(reader)))


def held_together(reader: BundleReader) -> Iterator[Placed]:
    """All records, made so that they can be held in memory together; equal parts are kept once.

    Raises:
        Corrupt: anything is off, or they would take more memory than their file can justify.
    """
    shelf = Shelf(Limits())
    for placed in reader.records():
        try:
            yield Placed(placed.wave, shelf.put(placed.record, read_bytes=reader.read_bytes))
        except ValueError as error:
            raise _corrupt(shown(placed.record.key), str(error)) from error


def verify_bundle(source: Path | BinaryIO) -> Manifest:
    """The manifest of the bundle in a file or stream, after verifying all of it in bounded memory.

    Raises:
        UnsupportedFormat: a newer xfer is needed.
        Corrupt: the bundle is damaged or cannot be read.
    """
    with _opened(source) as stream:
        reader = open_bundle(stream)
        for _ in reader.records():
            pass
        return reader.manifest


class BundleReader:
    """A bundle being read: its manifest at once, its records one by one.

    ``warnings`` say what this xfer passes over. ``manifest_bytes`` is the manifest as stored, with
    fields that this xfer does not know.
    """

    def __init__(self, stream: BinaryIO, limits: Limits) -> None:
        self._archive = ArchiveReader(stream, limits)
        self._limits = limits
        self.manifest_bytes = bytes(self._archive.first(manifests.NAME, limits.manifest_bytes))
        self.manifest, self.warnings = manifests.decode_manifest(self.manifest_bytes, limits)
        self._ledger = Ledger(limits, self.manifest.external or (), lean=self.manifest.is_lean)
        self._newer = manifests.is_newer(self.manifest.format)
        self._ordered = manifests.keeps_order(self.manifest)
        self._expected_secrets = iter(self.manifest.secrets)
        self._started = False

    @property
    def read_bytes(self) -> int:
        """How much of the file has been read so far."""
        return self._archive.offset

    def records(self) -> Iterator[Placed]:
        """The records in bundle order, once; the bundle is verified when the iterator ends.

        Raises:
            Corrupt: anything is off. Records that came before are then not to be used.
        """
        if self._started:
            raise ValueError("the records of a bundle can be taken once")
        self._started = True
        for member in self.manifest.members:
            yield from self._member(member)
        self._finish()

    def _member(self, member: Member) -> Iterator[Placed]:
        data = self._archive.member(member.name, member.size)
        if sha256_hex(data) != member.sha256:
            raise _corrupt(member.name, "its SHA-256 differs from the one in the manifest")
        if not data.endswith(b"\n") or data.count(b"\n") != member.count:
            raise _corrupt(member.name, f"it does not hold {member.count} lines")
        start, view = 0, memoryview(data)
        for number in range(1, member.count + 1):
            end = data.index(b"\n", start)
            try:
                placed = self._record(member, bytes(view[start:end]))
            except ValueError as error:
                raise _corrupt(f"{member.name}, line {number}", str(error)) from error
            yield placed
            start = end + 1

    def _record(self, member: Member, line: bytes) -> Placed:
        record = decode_record(line, self._limits, newer=self._newer, ordered=self._ordered)
        if record.kind != member.kind:
            raise ValueError(f"it is not a {member.kind}")
        placed = Placed(member.wave, record)
        for slot in self._ledger.add(placed):
            if slot != next(self._expected_secrets, None):
                raise ValueError("the manifest lists other secrets")
        return placed

    def _finish(self) -> None:
        try:
            digest = self._ledger.close()
        except ValueError as error:
            raise _corrupt("references", str(error)) from error
        if digest != self.manifest.content_digest:
            raise _corrupt(manifests.NAME, "the content digest differs from the records")
        if next(self._expected_secrets, None):
            raise _corrupt(manifests.NAME, "it lists a secret that no record has")
        expected = sums(self.manifest_bytes, self.manifest.members)
        if self._archive.member(SUMS, len(expected)) != expected:
            raise _corrupt(SUMS, "it differs from the manifest")
        self._archive.end()


def sums(manifest: bytes, members: Iterable[Member]) -> bytes:
    lines = [f"{sha256_hex(manifest)}  {manifests.NAME}\n"]
    lines.extend(f"{member.sha256}  {member.name}\n" for member in members)
    return "".join(lines).encode()


@contextlib.contextmanager
def _opened(source: Path | BinaryIO) -> Iterator[BinaryIO]:
    if not isinstance(source, Path):
        yield source
        return
    with input_errors(source, Corrupt, hint="check the name of the bundle"):
        stream = source.open("rb")
    with stream:
        yield stream


def _corrupt(where: str, why: str) -> Corrupt:
    return Corrupt(f"{where}: {why}", hint=_HINT)
