"""A store in a directory: its files appear whole or not at all, and are readable for their owner only."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from bundle.archive.store import Entry, Exists, Missing, StoreError, too_large
from bundle.errors import OutputError
from bundle.files import atomic


class DirectoryStore:
    """The files below a directory; a file's time is its mtime."""

    def __init__(self, root: Path) -> None:
        self._root = root

    @property
    def url(self) -> str:
        """The directory's path."""
        return str(self._root)

    def create(self, name: str, data: bytes) -> None:
        """As ``Store``; directories on the way are made."""
        path = self._root / name
        with self._errors(name):
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            with atomic(path, force=False) as file:
                file.write(data)
        except OutputError as error:
            if os.path.lexists(path):
                raise Exists(f"{path}: already exists", hint="nothing in a store is replaced") from error
            raise

    def read(self, name: str, most: int) -> bytes:
        """As ``Store``; links are not followed."""
        with self._errors(name):
            handle = os.open(self._root / name, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0))
            with os.fdopen(handle, "rb") as file:
                data = file.read(most + 1)
        if len(data) > most:
            raise too_large(self.url, name, most)
        return data

    def list(self, prefix: str) -> Iterator[Entry]:
        """As ``Store``; links and files with a leading dot, such as drafts, are none of its objects."""
        for directory, folders, files in os.walk(self._root / prefix, onerror=self._fail):
            folders[:] = [each for each in folders if not each.startswith(".")]
            for file in files:
                path = Path(directory, file)
                # What ``forget`` removes meanwhile is not there.
                with contextlib.suppress(FileNotFoundError):
                    found = path.lstat()
                    if not file.startswith(".") and not path.is_symlink():
                        name = path.relative_to(self._root).as_posix()
                        yield Entry(name, found.st_size, datetime.fromtimestamp(found.st_mtime, UTC))

    def delete(self, name: str) -> None:
        """As ``Store``; folders stay."""
        with self._errors(name):
            (self._root / name).unlink(missing_ok=True)

    def _fail(self, error: OSError) -> None:
        # A name that has no snapshots yet has no folder.
        if not isinstance(error, FileNotFoundError):
            with self._errors(self.url):
                raise error

    @contextlib.contextmanager
    def _errors(self, name: str) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError as error:
            raise Missing(f"{self.url}: there is no {name}", hint="`xfer archive check` names what is lost") from error
        except OSError as error:
            reason = (error.strerror or "input or output error").lower()
            raise StoreError(f"{self.url}: {name}: {reason}", hint="check the directory and its permissions") from error
