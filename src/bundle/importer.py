"""The use case of import: a bundle and a destination become a plan, and the plan outcomes."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Mapping
from typing import Literal, Protocol

import msgspec

from bundle.apply import OnMade, Outcome, State, apply
from bundle.canonical import replace_all, resolve
from bundle.destination import Fields
from bundle.environment import Environment, describe
from bundle.errors import AccessDenied, Conflict, SecretMissing, UsageError
from bundle.model import Api, Body, Bundle, Json, Key
from bundle.plan import Action, Plan, Secrets, compare, match
from bundle.references import put_back
from bundle.second_look import Patience
from bundle.secrets import slot_id, variable_name
from bundle.snapshot import OnEvent, server_version, take

_GLOBAL_TAG_LIMITS_SINCE = (3, 4, 19)
_SLOTS_NAMED = 5
_KEYS_NAMED = 5
_BLOCKS = "/block_documents/filter"


class Taken(Protocol):
    """What a server's OpenAPI document says it takes."""

    def for_(self, method: str, path: str) -> frozenset[str] | None: ...


class ImportApi(Api, Protocol):
    """A server that can also be asked what it takes."""

    async def accepted_fields(self) -> Taken | None: ...


class Prepared(msgspec.Struct, frozen=True):
    """A plan and what it was made from: enough to carry it out."""

    plan: Plan
    bundle: Bundle
    destination: Environment
    secrets: Secrets


class Result(msgspec.Struct, frozen=True):
    """One outcome for each record of the bundle, in its order."""

    outcomes: tuple[Outcome, ...]

    def count(self, state: State) -> int:
        """How many records ended in a state."""
        return Counter(each.state for each in self.outcomes)[state]


async def prepare(
    bundle: Bundle,
    api: Api,
    *,
    secrets: Secrets | None = None,
    on_conflict: Literal["skip", "fail"] = "skip",
    on_event: OnEvent = lambda _: None,
) -> Prepared:
    """Read the destination and plan; sends no write.

    Args:
        bundle: read and verified.
        api: the destination.
        secrets: supplied values, and what to do about missing ones.
        on_conflict: what to do where the destination has a resource with other content: leave it, or stop.
        on_event: told of the progress.

    Raises:
        Conflict: something differs and the policy is ``fail``.
        SecretMissing: secrets are missing and the policy is ``fail``.
        ServerError: the destination cannot be reached or refuses.
    """
    secrets = secrets or Secrets()
    _check_slots(bundle, secrets.supplied)
    destination = describe(await take(api, deep=False, on_event=on_event), everything=True)
    secrets = await _with_revealed(bundle, api, destination, secrets)
    plan = compare(bundle.records, destination, is_cloud=api.is_cloud, secrets=secrets)
    if secrets.missing == "fail":
        _refuse_missing(plan.actions)
    if on_conflict == "fail":
        _refuse_conflicts(plan.actions)
    return Prepared(plan, bundle, destination, secrets)


async def carry_out(
    prepared: Prepared,
    api: ImportApi,
    *,
    on_event: OnEvent = lambda _: None,
    on_made: OnMade = lambda _key, _id: None,
    stop: asyncio.Event | None = None,
    patience: Patience | None = None,
) -> Result:
    """Carry out a prepared plan; every record of the bundle ends in one outcome.

    ``on_made`` is told the id of each resource as soon as it is made; once ``stop`` is set, nothing new is begun.
    """
    fields = await _fields(prepared, api)
    outcomes = await apply(
        prepared.plan,
        prepared.bundle.records,
        api,
        prepared.destination,
        fields=fields,
        secrets=prepared.secrets,
        on_event=on_event,
        on_made=on_made,
        stop=stop,
        patience=patience,
    )
    return Result(outcomes)


async def _fields(prepared: Prepared, api: ImportApi) -> Fields:
    """What the destination takes. A server of the source's version takes what the source had, unasked."""
    if all(action.verb in {"skip", "unsupported", "blocked"} for action in prepared.plan.actions):
        return Fields(lambda _method, _path: None, tag_limits_are_global=False)
    version = await server_version(api)
    is_global = version is not None and _parsed(version) >= _GLOBAL_TAG_LIMITS_SINCE
    if version is not None and version == prepared.bundle.manifest.provenance.get("source_version"):
        return Fields(lambda _method, _path: None, tag_limits_are_global=is_global)
    accepted = await api.accepted_fields()
    lookup = accepted.for_ if accepted is not None else lambda _method, _path: None
    return Fields(lookup, tag_limits_are_global=is_global)


def _parsed(version: str) -> tuple[int, ...]:
    match_ = re.match(r"(\d+)\.(\d+)\.(\d+)", version)
    return tuple(map(int, match_.groups())) if match_ else ()


# Secrets


def supplied_secrets(bundle: Bundle, file: Mapping[str, Json], environ: Mapping[str, str]) -> dict[str, Json]:
    """Values by slot, from a secrets file and from ``XFER_SECRET_…`` variables; the file wins.

    Raises:
        UsageError: two slots would read the same variable, and it is set.
    """
    slots = [each.slot for each in bundle.manifest.secrets]
    names = Counter(map(variable_name, slots))
    clash = sorted(name for name, times in names.items() if times > 1 and name in environ)
    if clash:
        raise UsageError(
            f"the variable {clash[0]} would fill more than one secret slot",
            hint="name these slots in a file given with --secrets",
        )
    found: dict[str, Json] = {slot: environ[variable_name(slot)] for slot in slots if variable_name(slot) in environ}
    return found | dict(file)


def _check_slots(bundle: Bundle, supplied: Mapping[str, Json]) -> None:
    known = {each.slot for each in bundle.manifest.secrets}
    unknown = sorted(set(supplied) - known)
    if unknown:
        raise UsageError(
            f"the bundle has no secret slot {unknown[0]!r}",
            hint="`xfer secrets template` writes a file with the slots of a bundle",
        )


def _refuse_missing(actions: tuple[Action, ...]) -> None:
    lacking = [slot for action in actions for slot in action.missing_secrets]
    if lacking:
        more = f" and {len(lacking) - _SLOTS_NAMED} more" if len(lacking) > _SLOTS_NAMED else ""
        raise SecretMissing(
            f"secrets are not supplied: {', '.join(lacking[:_SLOTS_NAMED])}{more}",
            hint="supply them with --secrets FILE, or choose --missing-secrets placeholder or skip",
        )


def _refuse_conflicts(actions: tuple[Action, ...]) -> None:
    differing = [action.key for action in actions if action.reason == "exists-differs"]
    if differing:
        more = f" and {len(differing) - _KEYS_NAMED} more" if len(differing) > _KEYS_NAMED else ""
        raise Conflict(
            f"the destination has these with other content: {', '.join(differing[:_KEYS_NAMED])}{more}",
            hint="`xfer plan` shows the differences; --on-conflict skip leaves them as they are",
        )


async def _with_revealed(bundle: Bundle, api: Api, destination: Environment, secrets: Secrets) -> Secrets:
    """Adds what existing resources hold in the bundle's slots, to tell our markers from live secrets.

    One listing of just these blocks. Where the credentials do not permit it, nothing is known.
    """
    pairs = match([each.record for each in bundle.records], destination)
    wanted = [found for each in bundle.records if each.record.secrets and (found := pairs.get(each.record.key))]
    rows = await _revealed_rows(api, [destination.ids[key] for key in wanted if key.startswith("block:")])
    revealed = {destination.ids[key]: body for key in wanted if (body := _live_body(destination, key, rows))}
    return msgspec.structs.replace(secrets, revealed=revealed)


async def _revealed_rows(api: Api, identifiers: list[str]) -> dict[str, Body]:
    if not identifiers:
        return {}
    found = {"id": {"any_": identifiers}, "is_anonymous": None}
    try:
        pages = [page async for page in api.pages(_BLOCKS, {"block_documents": found, "include_secrets": True})]
    except AccessDenied:
        return {}
    return {str(row["id"]): row for page in pages for row in page}


def _live_body(destination: Environment, key: Key, rows: Mapping[str, Body]) -> Body | None:
    """A resource's live body with its ids and, for a block, its real secrets; None where those are not known."""
    record = destination.records[key]
    body = put_back(record.body, record.references, lambda each: destination.ids[each.target])
    raw = rows.get(destination.ids[key])
    if not record.secrets:
        return body
    return (
        None
        if raw is None
        else replace_all(body, {each.pointer: resolve(raw, each.pointer) for each in record.secrets})
    )


def slots_of(bundle: Bundle) -> dict[str, str]:
    """Every secret slot of a bundle and the variable that fills it."""
    return {each.slot: variable_name(slot_id(each.resource, each.pointer)) for each in bundle.manifest.secrets}
