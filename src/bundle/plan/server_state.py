"""What a server offers, as a state or a plan notes it: enough to plan without it, and to name what has moved."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

import msgspec

from bundle.environment.read import server_version
from bundle.kinds import KINDS
from bundle.model import Api, Bundle, Manifest
from bundle.plan.capabilities import Fields, Offered, TellingApi, takes_all_of, version_numbers
from bundle.server.openapi import Accepted, Model
from bundle.server.tiers import ANY_TIER, Tier

_SELF_HOSTED = "self-hosted"
_DOCUMENT = "what it takes (OpenAPI document)"

OfferedFields = Mapping[str, Collection[str]]
"""The fields that the creating request of each kind takes, those of the objects inside written with a dot."""


class ServerState(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a server offers; null is what it does not say.

    ``openapi`` is the digest of its OpenAPI document. ``tier``: ``self-hosted``, else that of the workspace of Prefect
    Cloud, or ``cloud`` where nobody said which. ``fields`` are those of each kind (``OfferedFields``), sorted; a kind
    that is missing is not offered.
    """

    version: str | None
    openapi: str | None
    tier: str
    fields: dict[str, tuple[str, ...]] | None = None

    @property
    def is_cloud(self) -> bool:
        """Whether it is a workspace of Prefect Cloud."""
        return self.tier != _SELF_HOSTED

    def takes_of(self, bundle: Bundle) -> Fields:
        """What it takes of a bundle, as ``read_fields`` asks a server; everything where that is not known."""
        is_known = self.fields is not None and not takes_all_of(bundle, self.version)
        accepted = _accepting(self.fields or {}, version_numbers(self.version)) if is_known else None
        return Fields(accepted, version_numbers(self.version))


async def read_server_state(api: TellingApi, tier: Tier = ANY_TIER) -> ServerState:
    """Ask a server what it offers; ``tier`` is what its user says of it.

    Raises:
        ServerError: it cannot be reached or refuses.
    """
    accepted, version, tier_name = await api.accepted_fields(), await server_version(api), _tier_of(api, tier)
    if accepted is None:
        return ServerState(version, None, tier_name)
    fields = offered_fields(accepted, version_numbers(version))
    return ServerState(version, accepted.digest, tier_name, {kind: tuple(sorted(fields[kind])) for kind in fields})


def _tier_of(api: Api, tier: Tier) -> str:
    if not api.is_cloud:
        return _SELF_HOSTED
    return "cloud" if tier == ANY_TIER else tier.name.lower()


def server_of(manifest: Manifest) -> ServerState:
    """What the server of a state offers, as far as the state says; an export says the version only."""
    try:
        return msgspec.convert(manifest.provenance.get("server"), ServerState)
    except msgspec.ValidationError:
        version = manifest.provenance.get("source_version")
        is_cloud = str(manifest.provenance.get("source")).startswith("https://api.prefect.cloud/")
        return ServerState(str(version) if version else None, None, "cloud" if is_cloud else _SELF_HOSTED)


# -- Fields -----------------------------------------------------------------------------------------------------------


def offered_fields(accepted: Accepted, version: tuple[int, ...]) -> dict[str, frozenset[str]]:
    """The fields of every kind that a server of a version offers."""
    found = {}
    for name, kind in KINDS.items():
        route = _route(name, version)
        if accepted.offers(*route):
            outer = [each for each, field in kind.fields.items() if field.inside]
            inside = (f"{each}.{inner}" for each in outer for inner in accepted.names(*route, each))
            found[name] = accepted.names(*route) | frozenset(inside)
    return found


def _route(kind: str, version: tuple[int, ...]) -> tuple[str, str]:
    """The route that creates a resource on a server of a version."""
    return KINDS[kind].route(Offered(Fields(version=version), {}))


def _accepting(fields: OfferedFields, version: tuple[int, ...]) -> Accepted:
    """What judges a body as a server with these fields does, but for shapes; unlike it, it takes every update."""
    bodies = {_route(name, version): _model(fields[name]) for name in KINDS if name in fields}
    return Accepted.of_bodies(bodies)


def _model(names: Collection[str]) -> Model:
    inside: dict[str, dict[str, Any]] = {}
    for name in names:
        outer, dot, inner = name.partition(".")
        if dot:
            inside.setdefault(outer, {})[inner] = {}
    return {"properties": {name: _anything(inside.get(name)) for name in names if "." not in name}}


def _anything(inside: Mapping[str, Any] | None) -> Model:
    """Any value, of which the objects have only these members, if they are known."""
    if not inside:
        return {}
    members = {"type": "object", "properties": inside}
    return {"anyOf": [members, {"type": "array", "items": members}, {"type": "string"}]}


# -- What has moved ---------------------------------------------------------------------------------------------------


def what_moved(before: ServerState, now: ServerState) -> list[str]:
    """What a server offers otherwise than before, in words; what was not noted cannot have moved."""
    return [
        *_changed("version", before.version, now.version),
        *(_moved_fields(before.fields, now.fields) or _changed(_DOCUMENT, before.openapi, now.openapi)),
        *_changed("tier", before.tier, now.tier),
    ]


def _changed(name: str, before: str | None, now: str | None) -> list[str]:
    is_other = before is not None and before != now
    return [f"{name}: {_brief(before)}, now {_brief(now)}"] if is_other else []


def _brief(value: str | None) -> str:
    return "not said" if value is None else value[:12]


def _moved_fields(before: OfferedFields | None, now: OfferedFields | None) -> list[str]:
    if before is None or now is None:
        return []
    return [text for kind in sorted({*before, *now}) for text in _moved_of(kind, before, now)]


def _moved_of(kind: str, before: OfferedFields, now: OfferedFields) -> Iterator[str]:
    if kind not in now or kind not in before:
        yield f"{kind}: {'not offered any more' if kind in before else 'offered now'}"
        return
    gone, new = set(before[kind]) - set(now[kind]), set(now[kind]) - set(before[kind])
    if gone:
        yield f"{kind}: no more {', '.join(sorted(gone))}"
    if new:
        yield f"{kind}: now also {', '.join(sorted(new))}"
