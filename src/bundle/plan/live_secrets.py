"""What a destination really holds in secret places, as far as it shows that."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from bundle.environment.describe import Environment
from bundle.errors import AccessDenied
from bundle.model import Api, Body, Bundle, Key
from bundle.plan.actions import Secrets
from bundle.plan.matching import match
from bundle.record.pointers import replace_all, resolve, walk
from bundle.record.references import put_back
from bundle.record.secrets import MASK

_BLOCKS = "/block_documents/filter"


async def with_revealed(bundle: Bundle, api: Api, destination: Environment, secrets: Secrets) -> Secrets:
    """Add what existing resources hold in secret places, to tell our markers from live secrets and to keep those."""
    pairs = match([each.record for each in bundle.records], destination)
    found = {found: each.record for each in bundle.records if (found := pairs.get(each.record.key))}
    wanted = [key for key, record in found.items() if record.secrets or destination.records[key].secrets]
    return msgspec.structs.replace(secrets, revealed=await reveal(wanted, api, destination))


async def reveal(wanted: Iterable[Key], api: Api, destination: Environment) -> dict[str, Body]:
    """The live bodies of some of the destination's resources by id, with their secrets where they are shown.

    One listing of just these blocks. Where the credentials do not permit it, a block with secrets is not in it.
    """
    wanted = list(wanted)
    rows = await _revealed_rows(api, [destination.ids[key] for key in wanted if key.startswith("block:")])
    return {destination.ids[key]: body for key in wanted if (body := _live_body(destination, key, rows))}


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
    secrets = {} if raw is None else {each.pointer: resolve(raw, each.pointer) for each in record.secrets}
    # A server may mask instead of refusing; a mask must never be sent back as a value.
    is_masked = any(part == MASK for value in secrets.values() for _, part in walk(value))
    return None if raw is None or is_masked else replace_all(body, secrets)
