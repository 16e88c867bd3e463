"""Whose an automation is: what ``prefect deploy`` makes belongs to its deployment, and no answer says so.

``related-to`` a deployment are the automations that it owns, and those that run it in ``actions``. So where a
deployment is run in ``actions``, asking tells nothing: only a name that the SDK made up does. Where it is not, asking
tells all; asked are the deployments that an automation acts on otherwise, or is named after.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Collection, Iterable, Iterator, Mapping

from bundle.kinds.protocols import Raw, Reader
from bundle.model import Body

ACTION_LISTS = ("actions", "actions_on_trigger", "actions_on_resolve")
OWNER = "owner_resource"
IN_DOUBT = "_possible_owner"
"""The id of the deployment that may own it: no field of the API's, and gone from the portable form."""

OWNER_PREFIX = "prefect.deployment."
_DEPLOYMENTS = ("/deployments/filter", {"sort": "CREATED_DESC"})
_NAMED_BY_ID = re.compile(r"Automation for deployment ([0-9a-f-]{36})")
_NAMED_BY_DEPLOYMENT = re.compile(r"(?s:(.+))__automation_\d+")


async def with_owners(rows: list[Raw], reader: Reader) -> list[Raw]:
    """Automations with their owners, as far as these can be told, and with the one that may be."""
    if not rows or all(OWNER in row for row in rows):
        return rows
    deployments = {str(each["id"]): str(each.get("name")) for each in await reader.rows(*_DEPLOYMENTS)}
    candidates = deployments if reader.asks_all else _askable(rows, deployments)
    told = await _told(sorted(candidates), reader)
    return [row | _owner(row, told, deployments) for row in rows]


def _owner(row: Raw, told: Mapping[str, str], deployments: Mapping[str, str]) -> Body:
    named, run = set(_named(row, deployments)), run_by(row, ACTION_LISTS[:1])
    owner = told.get(str(row["id"])) or next((each for each in run if each in named), None)
    doubt = None if owner else next((each for each in run if each in deployments), None)
    return {OWNER: f"{OWNER_PREFIX}{owner}" if owner else None, IN_DOUBT: doubt}


def _askable(rows: Iterable[Raw], deployments: Mapping[str, str]) -> set[str]:
    """The deployments whose answer tells something."""
    found: set[str] = set()
    for row in rows:
        acted_on = {str(action.get("deployment_id")) for action in actions_of(row)}
        found |= {*acted_on, *_named(row, deployments)} - set(run_by(row, ACTION_LISTS[:1]))
    return found & deployments.keys()


def _named(row: Raw, deployments: Mapping[str, str]) -> Iterator[str]:
    """The deployments after which the SDK would name it so."""
    if by_id := _NAMED_BY_ID.fullmatch(row["name"]):
        yield by_id[1]
    elif by_name := _NAMED_BY_DEPLOYMENT.fullmatch(row["name"]):
        yield from (identifier for identifier, name in deployments.items() if name == by_name[1])


async def _told(candidates: Collection[str], reader: Reader) -> dict[str, str]:
    """The owner of each automation that is related to a deployment which it does not run."""
    related = await asyncio.gather(*(_related(reader, each) for each in candidates))
    return {
        str(automation["id"]): deployment
        for deployment, automations in zip(candidates, related, strict=True)
        for automation in automations
        if deployment not in run_by(automation, ACTION_LISTS[:1])
    }


async def _related(reader: Reader, deployment_id: str) -> list[Raw]:
    path = f"/automations/related-to/{OWNER_PREFIX}{deployment_id}"
    return reader.checked(path, await reader.get(path) or [])


def run_by(row: Raw, lists: Iterable[str]) -> list[str]:
    """The deployments that actions of some lists run, by name of the id."""
    return [
        str(action.get("deployment_id"))
        for action in actions_of(row, lists)
        if action.get("type") == "run-deployment" and action.get("source") == "selected"
    ]


def actions_of(row: Raw, lists: Iterable[str] = ACTION_LISTS) -> Iterator[Body]:
    """The actions in some lists of an automation; what is no object is none."""
    return (action for field in lists for action in row.get(field) or () if isinstance(action, dict))
