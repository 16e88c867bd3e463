"""Bundles as the command line names them: a file, or ``-`` for standard input and output."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from bundle.cli.console import Console
from bundle.container.reader import BundleReader, held_together, open_bundle
from bundle.container.writer import write_bundle, write_file
from bundle.environment.validation import checked
from bundle.errors import BundleRejected, UsageError
from bundle.files import check_target
from bundle.model import Bundle, Key, Manifest, Record
from bundle.operations.export import Exported
from bundle.plan.execution_surface import Surfaces, surfaces

STANDARD = "-"


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


def write(exported: Exported, name: str, *, force: bool) -> Manifest:
    """Write what was exported.

    Raises:
        OutputError: it cannot be written; what was there before is untouched.
    """
    if name == STANDARD:
        return write_bundle(exported.header, exported.records, sys.stdout.buffer)
    return write_file(exported.header, exported.records, Path(name), force=force)


def read(console: Console, name: str) -> Bundle:
    """The bundle, verified to its last byte.

    Raises:
        BundleRejected: it cannot be read, or is damaged.
    """
    with _opened(name) as reader:
        _warn(console, reader)
        return Bundle(reader.manifest, tuple(checked(held_together(reader))))


def verify(name: str) -> tuple[Manifest, tuple[str, ...]]:
    """The manifest and the warnings, after every byte has been verified in bounded memory; raises as ``read``."""
    with _opened(name) as reader:
        for _ in checked(reader.records(), only_known=False):
            pass
        return reader.manifest, tuple(reader.warnings)


def inspect(name: str, on_key: Callable[[Key], None] = lambda _: None) -> tuple[Manifest, tuple[str, ...], Surfaces]:
    """The same, and what the bundle would run; ``on_key`` is called with each key. Raises as ``read``."""

    def records() -> Iterator[Record]:
        for placed in checked(reader.records(), only_known=False):
            on_key(placed.record.key)
            yield placed.record

    with _opened(name) as reader:
        found = surfaces(records())
        return reader.manifest, tuple(reader.warnings), found


@contextlib.contextmanager
def _opened(name: str) -> Iterator[BundleReader]:
    with _stream(name) as stream:
        yield open_bundle(stream)


@contextlib.contextmanager
def _stream(name: str) -> Iterator[BinaryIO]:
    if name == STANDARD:
        yield sys.stdin.buffer
        return
    try:
        stream = Path(name).open("rb")  # noqa: SIM115 - closed below
    except OSError as error:
        reason = (error.strerror or "input error").lower()
        raise BundleRejected(f"{name}: cannot be read: {reason}", hint="check the file name") from error
    with stream:
        yield stream


def _warn(console: Console, reader: BundleReader) -> None:
    for warning in reader.warnings:
        console.warn(warning)
