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
from bundle.server.tiers import ANY_TIER, Tier


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
    numbers = version_numbers(version)
    is_same = version is not None and version == bundle.manifest.provenance.get("source_version")
    return (
        Fields(version=numbers)
        if is_same and _has_known_fields(bundle)
        else Fields(await api.accepted_fields(), numbers)
    )


def _has_known_fields(bundle: Bundle) -> bool:
    records = (placed.record for placed in bundle.records)
    return not any(any(KINDS[record.kind].unknown_fields(record.body)) for record in records)


def version_numbers(version: str | None) -> tuple[int, ...]:
    """``(3, 8, 8)`` of ``3.8.8``; none where it is not known."""
    match = re.match(r"(\d{1,9})\.(\d{1,9})\.(\d{1,9})", version or "")
    return tuple(map(int, match.groups())) if match else ()


_SELF_HOSTED = "self-hosted"

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


class ServerState(msgspec.Struct, frozen=True):
    """What a server offers, as a state or a plan notes it; null is what it does not say.

    ``openapi`` is the digest of its OpenAPI document. ``tier``: ``self-hosted``, else that of the workspace of Prefect
    Cloud, or ``cloud`` where nobody said which.
    """

    version: str | None
    openapi: str | None
    tier: str

    @property
    def is_cloud(self) -> bool:
        """Whether it is a workspace of Prefect Cloud."""
        return self.tier != _SELF_HOSTED


async def read_server_state(api: TellingApi, tier: Tier = ANY_TIER) -> ServerState:
    """Ask a server what it offers; ``tier`` is what its user says of it.

    Raises:
        ServerError: it cannot be reached or refuses.
    """
    accepted = await api.accepted_fields()
    return ServerState(await server_version(api), accepted.digest if accepted else None, _tier_of(api, tier))


def _tier_of(api: Api, tier: Tier) -> str:
    if not api.is_cloud:
        return _SELF_HOSTED
    return "cloud" if tier == ANY_TIER else tier.name.lower()


def what_moved(before: ServerState, now: ServerState) -> list[str]:
    """What a server offers otherwise than before, in words; what was not noted cannot have moved."""
    names = {"version": "version", "openapi": "what it takes (OpenAPI document)", "tier": "tier"}
    pairs = {name: (getattr(before, name), getattr(now, name)) for name in names}
    return [
        f"{names[name]}: {_brief(one)}, now {_brief(other)}"
        for name, (one, other) in pairs.items()
        if one is not None and one != other
    ]


def _brief(value: str | None) -> str:
    return "not said" if value is None else value[:12]
