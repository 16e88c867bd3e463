"""What a store is: objects by name, created once, listed, read and removed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Protocol

import msgspec

from bundle.errors import BundleError, ExitCode


class Entry(msgspec.Struct, frozen=True):
    """One object: ``size`` in bytes, ``time`` when it was created by the store's own clock (aware, UTC)."""

    name: str
    size: int
    time: datetime


class Store(Protocol):
    """Objects by name (``prod/2026/11/25T020000Z-b97bcb993e78.pxb``). Each call raises ``StoreError``."""

    @property
    def url(self) -> str:
        """The store as a user names it, without credentials."""
        ...

    def create(self, name: str, data: bytes) -> None:
        """Make an object, whole or not at all.

        Raises:
            Exists: the name is taken; what is there is untouched.
        """
        ...

    def read(self, name: str, most: int) -> bytes:
        """The content of an object of at most ``most`` bytes.

        Raises:
            Missing: there is none.
            StoreError: it is larger.
        """
        ...

    def list(self, prefix: str) -> Iterator[Entry]:
        """The objects whose name begins with a prefix (``""``, or one that ends with a slash), in no order."""
        ...

    def delete(self, name: str) -> None:
        """Remove an object, if it is there."""
        ...


class StoreError(BundleError):
    """A store could not be reached, or refused something."""

    exit_code = ExitCode.SERVER


class Exists(StoreError):
    """The name of an object is taken."""


class Missing(StoreError):
    """There is no such object."""


def too_large(url: str, name: str, most: int) -> StoreError:
    """The error of an object that is larger than what it should be can be."""
    return StoreError(
        f"{url}: {name} has more than {most} bytes", hint="something else has been put into the store: look at it"
    )
