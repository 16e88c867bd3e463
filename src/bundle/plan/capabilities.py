"""What a destination takes: the fields of its version, and what it holds (the ``Offer`` of ``kinds.base``)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Protocol

import msgspec

from bundle.environment.read import server_version
from bundle.kinds import KINDS
from bundle.kinds.protocols import Raw
from bundle.model import Api, Bundle, Json
from bundle.server.openapi import Accepted, Misfits


class TellingApi(Api, Protocol):
    """A server that can also be asked what it takes."""

    async def accepted_fields(self) -> Accepted | None: ...


class Fields(msgspec.Struct, frozen=True):
    """What the destination's version takes; where ``accepted`` is None, everything does.

    ``version`` is empty where the destination does not say.
    """

    accepted: Accepted | None = None
    version: tuple[int, ...] = ()

    def lacks(self, method: str, path: str) -> bool:
        """Whether the destination is known not to have a route."""
        return self.accepted is not None and not self.accepted.offers(method, path)

    def judge(self, method: str, path: str, body: Json) -> Misfits:
        """Where a body does not fit the route."""
        return Misfits() if self.accepted is None else self.accepted.judge(method, path, body)


async def read_version(api: Api) -> tuple[int, ...]:
    """The numbers of a server's version; none where it does not say."""
    return version_numbers(await server_version(api))


async def read_fields(api: TellingApi, bundle: Bundle) -> Fields:
    """Ask a destination what it takes of a bundle. One of the source's version takes what the source had, unasked.

    Not where that is a field that this version of xfer does not know: it may be one that no request takes.

    Raises:
        ServerError: it cannot be reached or refuses.
    """
    version = await server_version(api)
    accepted = None if takes_all_of(bundle, version) else await api.accepted_fields()
    return Fields(accepted, version_numbers(version))


def takes_all_of(bundle: Bundle, version: str | None) -> bool:
    """Whether a server of a version is known to take what is in a bundle, since it comes from one of the same."""
    is_same = version is not None and version == bundle.manifest.provenance.get("source_version")
    return is_same and _has_known_fields(bundle)


def _has_known_fields(bundle: Bundle) -> bool:
    records = (placed.record for placed in bundle.records)
    return not any(any(KINDS[record.kind].unknown_fields(record.body)) for record in records)


def version_numbers(version: str | None) -> tuple[int, ...]:
    """``(3, 8, 8)`` of ``3.8.8``; none where it is not known."""
    match = re.match(r"(\d{1,9})\.(\d{1,9})\.(\d{1,9})", version or "")
    return tuple(map(int, match.groups())) if match else ()


ANY_FIELDS = Fields()
"""Of a destination that takes whatever is sent."""


class Offered(msgspec.Struct, frozen=True):
    """What the destination's version takes, and what was read from it (the ``Offer`` of ``kinds.base``)."""

    fields: Fields
    rows: Mapping[str, Raw]

    @property
    def version(self) -> tuple[int, ...]:
        return self.fields.version

    def takes(self, method: str, template: str, name: str) -> bool:
        return not self.fields.judge(method, template, {name: None}).unknown

    def raw(self, identifier: str) -> Raw | None:
        return self.rows.get(identifier)
