"""One piece of work on a bundle in a process of its own: prints seconds and peak memory as JSON."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

import msgspec
import zstandard

from benchmarks import synthetic
from benchmarks.measure import peak_mib
from bundle.container.reader import open_bundle, read_bundle, verify_bundle
from bundle.container.writer import write_file
from bundle.model import Record
from bundle.record.canonical import encode

_PART_BYTES = 4 * 1024 * 1024
_MAGIC_BYTES = 8


def _generate(_path: Path, resources: int) -> None:
    for _ in synthetic.records(resources):
        pass


def _write(path: Path, resources: int) -> None:
    write_file(synthetic.header(resources), synthetic.records(resources), path, force=True)


def _stream(path: Path, _resources: int) -> None:
    with path.open("rb") as stream:
        for _ in open_bundle(stream).records():
            pass


def _read(path: Path, _resources: int) -> None:
    read_bundle(path)


def _verify(path: Path, _resources: int) -> None:
    verify_bundle(path)


def _inspect(path: Path, _resources: int) -> None:
    # Not at the top: the command line is no part of the other works.
    from bundle.cli import run  # noqa: PLC0415

    if run(["inspect", "--json", str(path)]):
        raise RuntimeError("inspect failed")


def _diff(path: Path, _resources: int) -> None:
    from bundle.operations.diff import as_environment, changes  # noqa: PLC0415 - as above

    older, newer = (as_environment(read_bundle(path).records) for _ in range(2))
    if any(change.fate != "unchanged" for change in changes(older, newer)):
        raise RuntimeError("a bundle differs from itself")


def _write_bare(path: Path, resources: int) -> None:
    """JSON lines in zstd frames, and nothing else: no digest, no index."""
    with path.open("wb") as output:
        for part in _parts(placed.record for placed in synthetic.records(resources)):
            _frame(output, part)


def _parts(records: Iterable[Record]) -> Iterator[bytearray]:
    data = bytearray()
    for record in records:
        data += encode(record) + b"\n"
        if len(data) > _PART_BYTES:
            yield data
            data = bytearray()
    yield data


def _frame(output: BinaryIO, part: bytearray) -> None:
    packed = zstandard.ZstdCompressor(level=3).compress(part)
    output.write(len(packed).to_bytes(_MAGIC_BYTES) + packed)


def _read_bare(path: Path, _resources: int) -> None:
    decoder = msgspec.json.Decoder(Record)
    with path.open("rb") as stream:
        while size := stream.read(_MAGIC_BYTES):
            for line in zstandard.ZstdDecompressor().decompress(stream.read(int.from_bytes(size))).splitlines():
                decoder.decode(line)


WORKS: dict[str, Callable[[Path, int], None]] = {
    "generate": _generate,
    "write": _write,
    "stream": _stream,
    "read": _read,
    "verify": _verify,
    "inspect": _inspect,
    "diff": _diff,
    "write-bare": _write_bare,
    "read-bare": _read_bare,
}


def main(work: str, path: str, resources: str) -> None:
    started, started_processor = time.perf_counter(), time.process_time()
    WORKS[work](Path(path), int(resources))
    took, took_processor = time.perf_counter() - started, time.process_time() - started_processor
    print(json.dumps({"seconds": took, "processor_seconds": took_processor, "peak_mib": peak_mib()}))


if __name__ == "__main__":
    main(*sys.argv[1:])
