"""Addresses of snapshots: ``STORE//NAME@WHEN``, wherever a bundle is taken.

``WHEN`` is ``latest``, a day (``2026-11-20``), an instant (``2026-11-20T18:00+01:00``), or the beginning of an id.
Parser and printer are inverse.
"""

from __future__ import annotations

from datetime import datetime, timedelta, tzinfo

import msgspec

from bundle.archive.point import check_name
from bundle.errors import UsageError

LATEST = "latest"


class Address(msgspec.Struct, frozen=True):
    """``store`` (empty: the one that ``XFER_STORE`` names), the ``name`` of an environment, and ``when``."""

    store: str
    name: str
    when: str = LATEST

    def __str__(self) -> str:
        return f"{self.store}//{self.name}@{self.when}"


def is_address(text: str) -> bool:
    """Whether a text names a snapshot, not a file: ``//``, a name without a slash, and ``@``."""
    _, separator, rest = _split(text)
    name, mark, _ = rest.partition("@")
    return bool(separator and mark and name and "/" not in name)


def is_state(text: str) -> bool:
    """Whether what is named where a server can be is a state: a file ``*.pxb``, or a snapshot."""
    return text.endswith(".pxb") or is_address(text)


def parse(text: str) -> Address:
    """The address in a text; without ``@WHEN`` it is the latest one.

    Raises:
        UsageError: it is none.
    """
    store, separator, rest = _split(text)
    if not separator or not rest:
        raise UsageError(
            f"{text!r} does not name an environment in a store",
            hint="like s3://bucket/backups//prod, or /backups//prod",
        )
    name, mark, when = rest.partition("@")
    if mark and not when:
        raise UsageError(f"{text!r}: nothing follows the @", hint="@latest, @2026-11-20, or @ and the id of a snapshot")
    return Address(store, check_name(name), when or LATEST)


def end_of(when: str, zone: tzinfo) -> datetime | None:
    """The last instant that a date or time includes; None if it is neither: then it is ``latest`` or an id."""
    try:
        found = datetime.fromisoformat(when)
    except ValueError:
        return None
    if found.tzinfo is None:
        found = found.replace(tzinfo=zone)
    is_day = len(when) == len("2026-11-20") and when.count("-") == 2  # noqa: PLR2004 - the form of a day
    return found + timedelta(days=1) - timedelta(microseconds=1) if is_day else found


def _split(text: str) -> tuple[str, str, str]:
    """Around the last ``//`` that is not the one of a URL's scheme."""
    store, separator, rest = text.rpartition("//")
    return ("", "", text) if store.endswith(":") else (store, separator, rest)
