"""Bundles as the command line names them: a file, or ``-`` for standard input and output."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, TypeVar

import msgspec

from bundle.cli import sources
from bundle.cli.console import Console
from bundle.cli.trust_options import Trust
from bundle.container.reader import held_together, open_bundle
from bundle.container.writer import write_bundle, write_file
from bundle.environment.validation import checked
from bundle.errors import BundleRejected, UsageError
from bundle.files import check_target
from bundle.model import Bundle, Key, Manifest, Record
from bundle.operations.export import Exported
from bundle.plan.execution_surface import Surfaces, surfaces
from bundle.trust.verdict import Verdict

T = TypeVar("T")

STANDARD = sources.STANDARD


def check_output(console: Console, name: str, *, force: bool) -> None:
    """Refuse a file that cannot be written, before any request is sent.

    Raises:
        UsageError: standard output is a terminal, or is needed for something else.
        OutputError: something is there, or it cannot be written.
    """
    if name != STANDARD:
        check_target(Path(name), force)
        return
    if console.is_json:
        raise UsageError(
            "the bundle and the JSON document cannot both go to standard output",
            hint="write the bundle to a file: -o FILE",
        )
    if sys.stdout.isatty():
        raise UsageError("a bundle is binary and not written to a terminal", hint="write it to a file: -o FILE")
    console.result_to_stderr = True


def write(
    exported: Exported, name: str, *, force: bool, before_it_appears: Callable[[BinaryIO], object] = lambda _: None
) -> Manifest:
    """Write what was exported; ``before_it_appears`` is called with the whole file, to read.

    Raises:
        OutputError: it cannot be written; what was there before is untouched.
    """
    if name == STANDARD:
        return write_bundle(exported.header, exported.records, sys.stdout.buffer)
    return write_file(exported.header, exported.records, Path(name), force=force, before_it_appears=before_it_appears)


class Loaded(msgspec.Struct, frozen=True):
    """A bundle in memory, the SHA-256 of its file in hex, and who vouches for it, where that was asked."""

    bundle: Bundle
    sha256: str
    verdict: Verdict | None


class Checked(msgspec.Struct, frozen=True):
    """A bundle that was verified and not kept: its manifest, the SHA-256 of its file, warnings, who vouches for it."""

    manifest: Manifest
    sha256: str
    warnings: tuple[str, ...]
    verdict: Verdict | None


def read(console: Console, name: str, trust: Trust, *, as_state: bool = False) -> Loaded:
    """The bundle, verified to its last byte; ``as_state``: one of keys and digests only will do.

    Raises:
        BundleRejected: it cannot be read, is damaged, or has less than is needed.
        Distrusted: whom the user trusts does not vouch for it.
    """
    with sources.opened(name, trust) as source:
        stored = _held(console, source.stream)
        loaded = Loaded(stored, source.finish(), source.verdict)
    if stored.manifest.is_lean and not as_state:
        hint = "use it as a destination: `xfer plan FILE --to STATE`; `xfer export` without --state holds everything"
        raise BundleRejected(f"{name}: a state with keys and digests only", hint=hint)
    return loaded


def read_own(console: Console, name: str) -> Bundle:
    """The bundle that this very command has written; nobody has to vouch for it."""
    with Path(name).open("rb") as stream:
        return _held(console, stream)


def _held(console: Console, stream: BinaryIO) -> Bundle:
    reader = open_bundle(stream)
    for warning in reader.warnings:
        console.warn(warning)
    return Bundle(reader.manifest, tuple(checked(held_together(reader), lean=reader.manifest.is_lean)))


def verify(name: str, trust: Trust) -> Checked:
    """What is known after every byte has been verified in bounded memory; raises as ``read``."""
    return _looked_through(name, trust, lambda records: sum(1 for _ in records))[0]


def inspect(name: str, trust: Trust, on_key: Callable[[Key], None] = lambda _: None) -> tuple[Checked, Surfaces]:
    """The same, and what the bundle would run; ``on_key`` is called with each key. Raises as ``read``."""

    def told(records: Iterator[Record]) -> Iterator[Record]:
        for record in records:
            on_key(record.key)
            yield record

    return _looked_through(name, trust, lambda records: surfaces(told(records)))


def _looked_through(name: str, trust: Trust, use: Callable[[Iterator[Record]], T]) -> tuple[Checked, T]:
    with sources.opened(name, trust) as source:
        reader = open_bundle(source.stream)
        lean = reader.manifest.is_lean
        found = use(placed.record for placed in checked(reader.records(), only_known=False, lean=lean))
        digest = source.finish()
        return Checked(reader.manifest, digest, tuple(reader.warnings), source.verdict), found
