"""What a server really holds in secret places, as far as it shows that to these credentials."""

from __future__ import annotations

import contextlib
from collections import defaultdict
from collections.abc import Iterable, Mapping

from bundle.environment.describe import Environment
from bundle.errors import AccessDenied
from bundle.kinds import KINDS
from bundle.model import Api, Body, Key, kind_of
from bundle.record.pointers import replace_all, resolve, walk
from bundle.record.references import put_back
from bundle.record.secret_schema import MASK


async def reveal(wanted: Iterable[Key], api: Api, environment: Environment) -> dict[str, Body]:
    """The live bodies of some resources by id, with their secrets where they are shown.

    One listing of just these for each kind that shows secrets (``Kind.revealing``). Where the credentials do not permit
    it, a resource with secrets is not in it.

    Raises:
        ServerError: the server cannot be reached or refuses.
    """
    wanted = list(wanted)
    rows = await revealed_rows(api, wanted, environment)
    return {environment.ids[key]: body for key in wanted if (body := _live_body(environment, key, rows))}


async def revealed_rows(api: Api, wanted: Iterable[Key], environment: Environment) -> dict[str, Body]:
    """What the listings show that their kinds have for this, by id; nothing where the credentials do not permit it."""
    by_kind: dict[str, list[str]] = defaultdict(list)
    for key in wanted:
        by_kind[kind_of(key)].append(environment.ids[key])
    rows: dict[str, Body] = {}
    for name, identifiers in by_kind.items():
        rows |= await _shown(api, name, identifiers)
    return rows


async def shown_row(api: Api, kind: str, identifier: str) -> Body:
    """A row with its secrets as it is by now; empty where it is not shown.

    Raises:
        ServerError: the server cannot be reached or refuses.
    """
    return (await _shown(api, kind, [identifier])).get(identifier, {})


async def _shown(api: Api, kind: str, identifiers: list[str]) -> dict[str, Body]:
    listing = KINDS[kind].revealing(identifiers)
    rows: dict[str, Body] = {}
    if listing is not None:
        with contextlib.suppress(AccessDenied):
            pages = [page async for page in api.pages(*listing)]
            listed = (row for page in pages for row in page if isinstance(row, dict))
            rows |= {str(row.get("id")): row for row in listed}
    return rows


def _live_body(environment: Environment, key: Key, rows: Mapping[str, Body]) -> Body | None:
    """A resource's live body with its ids and, for a block, its real secrets; None where those are not known."""
    record = environment.records[key]
    body = put_back(record.body, record.references, lambda each: environment.ids[each.target])
    raw = rows.get(environment.ids[key])
    if not record.secrets:
        return body
    try:
        secrets = {each.pointer: resolve(raw, each.pointer) for each in record.secrets}
    except LookupError:
        # No such row, or one of another form.
        return None
    # A server may mask instead of refusing; a mask must never be sent back as a value.
    is_masked = any(part == MASK for value in secrets.values() for _, part in walk(value))
    return None if is_masked else replace_all(body, secrets)
