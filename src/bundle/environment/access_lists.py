"""Who may use single resources of a Cloud workspace: read to be reported, since it names actors of one account.

Source: the Terraform provider, ``work_pool_access.go``, ``deployment_access.go`` and ``block_documents.go`` in
``internal/client``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from urllib.parse import quote

import msgspec

from bundle.environment.read import Reading
from bundle.errors import RequestRejected
from bundle.kinds import KINDS
from bundle.kinds.fields import ACCESS_LIST
from bundle.kinds.protocols import Raw
from bundle.model import Api, Json

_EVERYBODY = "*"


async def with_access_lists(api: Api, reading: Reading) -> Reading:
    """A reading of a workspace whose rows say how many actors are named in their access lists, if any are.

    One request for each resource that can have such a list. What the key's role may not see is not told.
    """
    rows = dict(reading.rows)
    for kind in KINDS.values():
        if kind.access_route:
            rows[kind.name] = await _with_lists(api, kind.access_route, rows[kind.name])
    return msgspec.structs.replace(reading, rows=rows)


async def _with_lists(api: Api, route: str, rows: list[Raw]) -> list[Raw]:
    async def one(row: Raw) -> Raw:
        count = _named(await _answer(api, route.format(id=row["id"], name=quote(str(row.get("name")), safe=""))))
        return row | {ACCESS_LIST: count} if count else row

    return list(await asyncio.gather(*map(one, rows)))


async def _answer(api: Api, path: str) -> Json:
    try:
        return await api.get(path)
    except RequestRejected:
        return None


def _named(answer: Json) -> int:
    """How many people, service accounts and teams an access list names, each once; everybody is none of them."""
    lists = answer.values() if isinstance(answer, Mapping) else ()
    actors = (actor for each in lists if isinstance(each, list) for actor in each)
    found = {str(actor.get("id")) for actor in actors if isinstance(actor, dict)}
    return len(found - {_EVERYBODY})
