"""Records in, one bundle out (docs/format.md).

Rules: a writer writes nothing that the reader would refuse; it needs memory for one member at a
time, besides the manifest.
"""

from __future__ import annotations

import contextlib
import itertools
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

import msgspec

from bundle.container import lines
from bundle.container import manifest as manifests
from bundle.container.archive import ArchiveWriter, pack
from bundle.container.limits import Limits
from bundle.container.reader import SUMS, sums
from bundle.container.sequence_rules import Ledger
from bundle.errors import BundleError
from bundle.files import MIB, atomic, output_errors
from bundle.model import Header, Manifest, Member, Placed, SecretSlot
from bundle.record.canonical import encode, sha256_hex

PART_BYTES = 4 * MIB
_SPOOL_BYTES = MIB


class _Found:
    """What the manifest says of all records, gathered while they pass."""

    def __init__(self) -> None:
        self.secrets: list[SecretSlot] = []
        self.is_sorted = True


def write_file(
    header: Header,
    records: Iterable[Placed],
    path: Path,
    *,
    force: bool,
    before_it_appears: Callable[[BinaryIO], object] = lambda _: None,
) -> Manifest:
    """Write a bundle to a file, which appears whole or not at all, mode 0600.

    ``before_it_appears`` is called with all of it, to read; where that fails, there is no file.

    Raises:
        OutputError: the file cannot be written, or exists and ``force`` is not given; what stood
            there is untouched.
        BundleError: a record is beyond what a bundle can hold.
    """
    with atomic(path, force=force) as output:
        manifest = write_bundle(header, records, output, spool_dir=path.parent)
        output.seek(0)
        before_it_appears(output)
        return manifest


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
        if len(data) > Limits().manifest_bytes or lines.too_many_values(data, Limits()):
            raise BundleError("the manifest is too large", hint="export fewer kinds at a time")
        with output_errors("bundle"):
            archive = ArchiveWriter(output)
            archive.write(pack(manifests.NAME, data))
            spool.seek(0)
            shutil.copyfileobj(spool, archive, MIB)
            archive.write(pack(SUMS, sums(data, manifest.members)))
            archive.end()
    return manifest


def _spool_parts(header: Header, records: Iterable[Placed], spool: tempfile.SpooledTemporaryFile[bytes]) -> Manifest:
    ledger = Ledger(Limits(), header.external, lean=header.lean)
    found = _Found()
    members: list[Member] = []
    place: tuple[int, str] | None = None
    part = 0
    for wave, kind, count, data in _parts(records, ledger, found):
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
    return _manifest(header, members, found, ledger.close())


def _parts(records: Iterable[Placed], ledger: Ledger, found: _Found) -> Iterator[tuple[int, str, int, bytearray]]:
    """Each part with its wave, kind and number of records; what the manifest says of all is entered on the way."""
    limits = Limits()
    for (wave, kind), group in itertools.groupby(records, key=lambda placed: (placed.wave, placed.record.kind)):
        count, data = 0, bytearray()
        for placed in group:
            line = _line(placed, ledger, found, limits)
            if count and len(data) + len(line) > PART_BYTES:
                yield wave, kind, count, data
                count, data = 0, bytearray()
            data += line
            count += 1
        yield wave, kind, count, data


def _line(placed: Placed, ledger: Ledger, found: _Found, limits: Limits) -> bytes:
    line = lines.encode_record(placed.record)
    problem = lines.record_problem(placed.record, line, limits)
    if problem:
        raise BundleError(
            f"{lines.shown(placed.record.key)} does not fit into a bundle: {problem}",
            hint="make it smaller at the source, or delete it there, then export again",
        )
    whole = encode(placed.record)
    found.is_sorted = found.is_sorted and line == whole
    if sha256_hex(lines.undigested(whole)) != placed.record.digest:
        raise ValueError(f"{lines.shown(placed.record.key)}: its digest differs from its content")
    try:
        found.secrets.extend(ledger.add(placed))
    except ValueError as error:
        raise ValueError(f"{lines.shown(placed.record.key)}: {error}") from error
    return line + b"\n"


def _manifest(header: Header, members: list[Member], found: _Found, content_digest: str) -> Manifest:
    needed = [
        *([manifests.EXTERNAL] if header.external else ()),
        *(() if found.is_sorted else [manifests.ORDERED]),
        *([manifests.LEAN] if header.lean else ()),
    ]
    return Manifest(
        format=needed[-1].version if needed else manifests.OLDEST_VERSION,
        requires=(*header.requires, *(each for each in needed if each not in header.requires)),
        content_digest=content_digest,
        census=header.census,
        members=tuple(members),
        order=manifests.order_of(members),
        secrets=tuple(found.secrets),
        left_out=header.left_out,
        findings=header.findings,
        selection=header.selection,
        provenance=header.provenance,
        external=header.external or msgspec.UNSET,
        lean=header.lean or msgspec.UNSET,
    )
