"""The concurrency limit of a deployment's own: a global limit with the deployment's id in its name."""

from __future__ import annotations

from bundle.errors import RequestRejected
from bundle.kinds.concurrency_limits import owner_id
from bundle.kinds.protocols import Destination, Made, Raw, made_of
from bundle.model import Body, Json

OWN_LIMIT = "own_limit"
"""The field for what is unusual in it."""
_DEFAULTS = {"active": True, "slot_decay_per_second": 0.0}
_CONFLICT = 409
LEAST_LIMIT = 1
"""The least with which a deployment can be created; its own limit can be changed to 0 by its own route."""


def has_impossible_limit(body: Body) -> bool:
    """Whether a deployment has a limit of its own with which none can be created."""
    limit: Json = body.get("concurrency_limit")
    return isinstance(limit, int) and limit < LEAST_LIMIT


def rest_of_limit(body: Body, first: Body) -> Body:
    """What of a deployment's own limit its creation could not say."""
    is_open = has_impossible_limit(body) and body["concurrency_limit"] != first.get("concurrency_limit")
    return {**body.get(OWN_LIMIT, {}), **({"limit": body["concurrency_limit"]} if is_open else {})}


def has_own_limit(raw: Raw) -> bool:
    linked: Json = raw.get("global_concurrency_limit")
    return bool(linked) and owner_id(linked) == raw["id"]


async def link_limit(to: Destination, made: Made, body: Body) -> Body:
    """Make, change or delete the own limit; returns what is then to be linked, if anything.

    ``concurrency_limit`` is never sent: it would write over, or delete, a shared limit.
    """
    name = f"deployment:{made.id}"
    if body.get("concurrency_limit") is None:
        shared = body.get("global_concurrency_limit_id")
        if has_own_limit(made.raw):
            await to.delete("/v2/concurrency_limits/{id_or_name}", id_or_name=name)
            return {} if shared is None else {"global_concurrency_limit_id": shared}
        return {"global_concurrency_limit_id": shared}
    limit = {"limit": body["concurrency_limit"], **_DEFAULTS, **body.get(OWN_LIMIT, {})}
    if has_own_limit(made.raw):
        await to.patch("/v2/concurrency_limits/{id_or_name}", limit, id_or_name=name)
        return {}
    return {"global_concurrency_limit_id": await _made_own_limit(to, name, limit)}


async def _made_own_limit(to: Destination, name: str, limit: Body) -> str:
    """The id of a new limit; one of that name may be left from a run that was cut off."""
    try:
        raw = await to.post("/v2/concurrency_limits/", {"name": name, **limit})
    except RequestRejected as error:
        if error.status != _CONFLICT:
            raise
        await to.patch("/v2/concurrency_limits/{id_or_name}", limit, id_or_name=name)
        raw = await to.get("/v2/concurrency_limits/{id_or_name}", id_or_name=name)
    return made_of(raw).id


def limit_of(raw: Raw) -> Body:
    """Own limits are named after the deployment; any other linked limit is shared."""
    linked: Json = raw.get("global_concurrency_limit")
    if not linked:
        return {}
    if owner_id(linked) != raw["id"]:
        return {"global_concurrency_limit_id": linked["id"], "concurrency_limit": None}
    special = {name: linked.get(name, usual) for name, usual in _DEFAULTS.items()}
    own = {"concurrency_limit": linked["limit"]}
    return own if special == _DEFAULTS else own | {OWN_LIMIT: special}
