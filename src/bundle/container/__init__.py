"""Bundles: records in, one file out, and back (docs/format.md).

Rules: a writer writes nothing that the reader would refuse. A reader trusts nothing: whoever
takes records from it acts on them only after the last one has come without an error. Both need
memory for one member at a time, besides the manifest.
"""

from __future__ import annotations

import contextlib
import itertools
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

import msgspec

from bundle.canonical import encode, sha256_hex
from bundle.container import manifest as manifests
from bundle.container.archive import ArchiveReader, ArchiveWriter, pack
from bundle.container.ledger import Ledger
from bundle.container.limits import MIB, Limits
from bundle.container.shelf import Shelf
from bundle.errors import BundleError, Corrupt
from bundle.files import atomic, output_errors
from bundle.model import Bundle, Header, Manifest, Member, Placed, Requirement, SecretSlot

__all__ = ["BundleReader", "Limits", "open_bundle", "read_bundle", "verify_bundle", "write_bundle", "write_file"]

PART_BYTES = 4 * MIB
_SUMS = "SHA256SUMS"
_SPOOL_BYTES = MIB
_HINT = "the file is damaged or was changed; get a fresh copy, or export again"


def write_file(header: Header, records: Iterable[Placed], path: Path, *, force: bool) -> Manifest:
    """Write a bundle to a file, which appears whole or not at all, mode 0600.

    Raises:
        OutputError: the file cannot be written, or exists and ``force`` is not given; what stood
            there is untouched.
        BundleError: a record is beyond what a bundle can hold.
    """
    with atomic(path, force=force) as output:
        return write_bundle(header, records, output, spool_dir=path.parent)


def write_bundle(
    header: Header, records: Iterable[Placed], output: BinaryIO, *, spool_dir: Path | None = None
) -> Manifest:
    """Write a bundle to a stream; records come in order of wave, kind and key.

    Since the manifest comes first, the parts wait in an unlinked temporary file, in ``spool_dir``
    or where the system keeps such files.

    Raises:
        OutputError: the stream or the temporary file cannot be written.
        BundleError: a record is beyond what a bundle can hold.
        ValueError: the records break a rule of the format, or the census does not add up.
    """
    with output_errors("temporary file"):
        spool = tempfile.SpooledTemporaryFile(_SPOOL_BYTES, dir=str(spool_dir) if spool_dir else None)  # noqa: SIM115 - closed below
    with contextlib.closing(spool):
        manifest = _spool_parts(header, records, spool)
        data = encode(manifest)
        if len(data) > Limits().manifest_bytes or manifests.too_many_values(data, Limits()):
            raise BundleError("the manifest is too large", hint="export fewer kinds at a time")
        with output_errors("bundle"):
            archive = ArchiveWriter(output)
            archive.write(pack(manifests.NAME, data))
            spool.seek(0)
            shutil.copyfileobj(spool, archive, MIB)
            archive.write(pack(_SUMS, _sums(data, manifest.members)))
            archive.end()
    return manifest


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
        return Bundle(reader.manifest, tuple(_shelved(reader)))


def _shelved(reader: BundleReader) -> Iterator[Placed]:
    """All records, so that they can be held together."""
    shelf = Shelf(Limits())
    for placed in reader.records():
        try:
            yield Placed(placed.wave, shelf.put(placed.record, read_bytes=reader.read_bytes))
        except ValueError as error:
            raise _corrupt(manifests.shown(placed.record.key), str(error)) from error


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
        self._ledger = Ledger(limits, self.manifest.external or ())
        self._newer = manifests.is_newer(self.manifest.format)
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
        record = manifests.decode_record(line, self._limits, newer=self._newer)
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
        sums = _sums(self.manifest_bytes, self.manifest.members)
        if self._archive.member(_SUMS, len(sums)) != sums:
            raise _corrupt(_SUMS, "it differs from the manifest")
        self._archive.end()


def _spool_parts(header: Header, records: Iterable[Placed], spool: tempfile.SpooledTemporaryFile[bytes]) -> Manifest:
    ledger = Ledger(Limits(), header.external)
    secrets: list[SecretSlot] = []
    members: list[Member] = []
    place: tuple[int, str] | None = None
    part = 0
    for wave, kind, count, data in _parts(records, ledger, secrets):
        part = part + 1 if place == (wave, kind) else 1
        place = (wave, kind)
        name = manifests.part_name(wave, kind, part)
        members.append(Member(name, kind, wave, count, len(data), sha256_hex(data)))
        with output_errors("temporary file"):
            spool.write(pack(name, data))
        del data  # before the next part is collected
    problem = manifests.account_problem(header.census, header.left_out, members)
    if problem:
        raise ValueError(problem)
    return _manifest(header, members, secrets, ledger.close())


def _parts(
    records: Iterable[Placed], ledger: Ledger, secrets: list[SecretSlot]
) -> Iterator[tuple[int, str, int, bytearray]]:
    """Each part with its wave, kind and number of records; secrets are entered on the way."""
    limits = Limits()
    for (wave, kind), group in itertools.groupby(records, key=lambda placed: (placed.wave, placed.record.kind)):
        count, data = 0, bytearray()
        for placed in group:
            line = _line(placed, ledger, secrets, limits)
            if count and len(data) + len(line) > PART_BYTES:
                yield wave, kind, count, data
                count, data = 0, bytearray()
            data += line
            count += 1
        yield wave, kind, count, data


def _line(placed: Placed, ledger: Ledger, secrets: list[SecretSlot], limits: Limits) -> bytes:
    line = encode(placed.record)
    problem = manifests.record_problem(placed.record, line, limits)
    if problem:
        raise BundleError(
            f"{manifests.shown(placed.record.key)} does not fit into a bundle: {problem}",
            hint="make it smaller at the source, or delete it there, then export again",
        )
    if sha256_hex(manifests.undigested(line)) != placed.record.digest:
        raise ValueError(f"{manifests.shown(placed.record.key)}: its digest differs from its content")
    try:
        secrets.extend(ledger.add(placed))
    except ValueError as error:
        raise ValueError(f"{manifests.shown(placed.record.key)}: {error}") from error
    return line + b"\n"


def _manifest(header: Header, members: list[Member], secrets: list[SecretSlot], content_digest: str) -> Manifest:
    return Manifest(
        format=manifests.EXTERNAL_SINCE if header.external else manifests.OLDEST_VERSION,
        requires=_requirements(header),
        content_digest=content_digest,
        census=header.census,
        members=tuple(members),
        order=manifests.order_of(members),
        secrets=tuple(secrets),
        left_out=header.left_out,
        findings=header.findings,
        selection=header.selection,
        provenance=header.provenance,
        external=header.external or msgspec.UNSET,
    )


def _requirements(header: Header) -> tuple[Requirement, ...]:
    is_needed = header.external and manifests.EXTERNAL not in header.requires
    return (*header.requires, manifests.EXTERNAL) if is_needed else header.requires


def _sums(manifest: bytes, members: Iterable[Member]) -> bytes:
    lines = [f"{sha256_hex(manifest)}  {manifests.NAME}\n"]
    lines.extend(f"{member.sha256}  {member.name}\n" for member in members)
    return "".join(lines).encode()


@contextlib.contextmanager
def _opened(source: Path | BinaryIO) -> Iterator[BinaryIO]:
    if not isinstance(source, Path):
        yield source
        return
    try:
        stream = source.open("rb")
    except OSError as error:
        reason = (error.strerror or "input error").lower()
        raise Corrupt(f"{source}: cannot be read: {reason}", hint="check the name of the bundle") from error
    with stream:
        yield stream


def _corrupt(where: str, why: str) -> Corrupt:
    return Corrupt(f"{where}: {why}", hint=_HINT)
