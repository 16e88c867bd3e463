"""Files appear whole or not at all, and are read only up to a size.

Rules: a file is written without a name in the directory of its final place, mode 0600, synced and
then named; so nothing is left of it when the process is killed. Where the system has no nameless files it
has a temporary name meanwhile. What was there is untouched until that last step. A symlink is
never written through. Every failure to write is an ``OutputError``.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import msgspec

from bundle.errors import BundleError, OutputError

# Where Linux has the open files of a process.
_BY_NUMBER = "/proc/self/fd"
# What file systems answer that have no hard links.
_NO_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EMLINK, errno.ENOSYS}

MIB = 1024 * 1024


class FileLimits(msgspec.Struct, frozen=True, kw_only=True):
    """How many bytes of a file are read, by what it is; a larger one is refused (docs/limits.md).

    ``document_bytes`` are of what users write: overlays, secrets, profiles. A line of a receipt is a record twice.
    ``memory_bytes`` is what a receipt or a plan may take in memory, by an estimate from its bytes.
    """

    document_bytes: int = 2 * MIB
    plan_bytes: int = 32 * MIB
    receipt_bytes: int = 1024 * MIB
    receipt_line_bytes: int = 34 * MIB
    memory_bytes: int = 192 * MIB


LIMITS = FileLimits()


def read_whole(source: Path | BinaryIO, most: int) -> bytes:
    """All bytes of a file or a stream that has no more than ``most``.

    Raises:
        OSError: it cannot be read, or has more.
    """
    if isinstance(source, Path):
        with source.open("rb") as file:
            return read_whole(file, most)
    data = source.read(most + 1)
    if len(data) > most:
        raise too_large(most)
    return data


def too_large(most: int) -> OSError:
    """The error for what is larger than it may be."""
    return OSError(errno.EFBIG, f"it is larger than {most // MIB} MiB")


def check_target(path: Path, force: bool) -> None:  # noqa: FBT001 - reads as a question with its condition
    """Refuse a place that ``atomic`` could not write to, before any work is done.

    Raises:
        OutputError: something is there and ``force`` is not given; or it is not a regular
            file; or its directory is missing or not writable.
    """
    with output_errors(path):
        _check_directory(path)
        if not os.path.lexists(path):
            return
        if not force:
            raise _exists(path)
        if path.exists() and not stat.S_ISREG(path.stat().st_mode):
            raise OutputError(f"{path}: not a regular file, not replaced", hint="name a file, or - for standard output")


@contextlib.contextmanager
def atomic(path: Path, *, force: bool) -> Iterator[BinaryIO]:
    """Open a file that takes its place when the block ends without an error; it can be read back until then.

    Raises:
        OutputError: it cannot be written, or something is there and ``force`` is not given;
            no temporary file is left.
    """
    check_target(path, force)
    with output_errors(path):
        handle, temporary = _draft(path.parent)
    try:
        with output_errors(path), os.fdopen(handle, "w+b") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
            if temporary is None:
                temporary = _name(file.fileno(), path, force=force)
        if temporary is not None:
            with output_errors(path):
                _place(temporary, path, force=force)
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)
    _sync_directory(path.parent)


@contextlib.contextmanager
def output_errors(place: Path | str) -> Iterator[None]:
    """Turn the operating system's refusals to write into ``OutputError``."""
    try:
        yield
    except OSError as error:
        reason = (error.strerror or type(error).__name__).lower()
        raise OutputError(f"{place}: cannot be written: {reason}", hint=_advice(error)) from error


@contextlib.contextmanager
def input_errors(place: Path | str, refusal: type[BundleError], *, hint: str) -> Iterator[None]:
    """Turn the operating system's refusals to read into an error of ours, with what to do about it."""
    try:
        yield
    except OSError as error:
        reason = (error.strerror or "input error").lower()
        raise refusal(f"{place}: cannot be read: {reason}", hint=hint) from error


def _advice(error: OSError) -> str:
    if error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}:
        return "free some space, or write to another file system"
    return "choose a directory that you can write to"


def _exists(path: Path) -> OutputError:
    return OutputError(f"{path}: already exists", hint="choose another name, or replace it with --force")


def _check_directory(path: Path) -> None:
    if not path.parent.is_dir():
        raise OutputError(f"{path}: its directory does not exist", hint=f"create {path.parent} first")
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise OutputError(f"{path}: its directory is not writable", hint="choose a directory that you can write to")


def _draft(directory: Path) -> tuple[int, Path | None]:
    """A new file in a directory, open for writing, and its temporary name, if it has to have one."""
    with contextlib.suppress(OSError):
        if Path(_BY_NUMBER).is_dir() and hasattr(os, "O_TMPFILE"):
            return os.open(directory, os.O_TMPFILE | os.O_RDWR, 0o600), None
    handle, name = tempfile.mkstemp(prefix=".xfer-", suffix=".tmp", dir=directory)
    return handle, Path(name)


def _name(handle: int, path: Path, *, force: bool) -> Path | None:
    """Give a nameless file its place, or a temporary name beside it, if something is to be replaced there."""
    try:
        _link(handle, path)
    except FileExistsError as error:
        if not force:
            raise _exists(path) from error
        temporary = path.with_name(f".xfer-{secrets.token_hex(8)}.tmp")
        _link(handle, temporary)
        return temporary
    return None


def _link(handle: int, path: Path) -> None:
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        # With a directory the link of the file itself is followed, to the file; without one it is not.
        os.link(f"{_BY_NUMBER}/{handle}", path.name, src_dir_fd=directory, dst_dir_fd=directory)
    finally:
        os.close(directory)


def _place(temporary: Path, path: Path, *, force: bool) -> None:
    if force:
        temporary.replace(path)
        return
    try:
        # Unlike a rename, a link never replaces what another process put there meanwhile.
        os.link(temporary, path)
    except FileExistsError as error:
        raise _exists(path) from error
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        check_target(path, force=False)
        temporary.rename(path)


def _sync_directory(directory: Path) -> None:
    # The file itself is synced and in place. Some systems cannot sync a directory; that is no failure.
    with contextlib.suppress(OSError):
        handle = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
