"""Automations: triggers and actions, without a unique name and with a hidden owner.

Each is made disabled and marked, and gets its last content, enabled, at the
very end; so ids of automations that do not exist yet can be filled in then.
``PUT`` keeps the owner, which only ``POST`` can set and which is never
answered; it is found by asking what is related to each deployment.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Collection, Iterable, Iterator

from bundle.canonical import walk
from bundle.kinds.base import Destination, Kind, Look, Made, Raw, Reader
from bundle.model import Body, Json, Key, Pointer
from bundle.references import names_a_run, template_names

_ACTION_LISTS = ("actions", "actions_on_trigger", "actions_on_resolve")
_SETS = ("after", "expect", "for_each")
_AMBIGUOUS = "_ambiguous_owner"
_DEPLOYMENTS = ("/deployments/filter", {"sort": "CREATED_DESC"})
_SDK_NAME = re.compile(r"^Automation for deployment |__automation_\d+$")


class Automation(Kind):
    name = "automation"
    path = "/automations"
    fields = frozenset({"name", "description", "enabled", "tags", "trigger", *_ACTION_LISTS, "owner_resource"})
    ignored = frozenset({"account", "workspace", _AMBIGUOUS})
    required = frozenset({"name", "trigger", "actions"})
    defaults = {"description": "", "enabled": True, "tags": [], "actions_on_trigger": [], "actions_on_resolve": []}
    deep_fields = frozenset({"owner_resource"})
    sort = "CREATED_DESC"
    is_sorted_by_update = True
    counted = True
    unique_names = False
    rank = 70

    async def read(self, reader: Reader) -> list[Raw]:
        """2.x servers answer 404 while automations are switched off."""
        rows = await super().read(reader)
        return await _with_owners(rows, reader) if rows and reader.is_deep else rows

    def natural_name(self, raw: Raw, look: Look) -> str:
        """A tilde is doubled, so that a name never ends like the suffix that tells equal names apart."""
        return str(raw["name"]).replace("~", "~~")

    def portable(self, raw: Raw, look: Look) -> Body:
        return self.trim(super().portable(raw, look) | {"trigger": _trigger(raw["trigger"])})

    def names(self, body: Body) -> Iterable[tuple[Pointer, Key]]:
        for field in _ACTION_LISTS:
            yield from ((f"/{field}{pointer}", key) for pointer, key in template_names(body.get(field)))

    def findings(self, raw: Raw) -> Iterator[tuple[str, Pointer, str]]:
        if raw.get(_AMBIGUOUS):
            yield "ambiguous-owner", "", ""
        for pointer, value in walk(raw["trigger"]):
            if isinstance(value, str) and names_a_run(value):
                yield "not-portable", f"/trigger{pointer}", ""

    def pending(self, body: Body, mark: str) -> Body:
        return body | {"enabled": False, "tags": [*body.get("tags", ()), mark]}

    async def create(self, to: Destination, body: Body) -> Made:
        """Each ``POST /automations/`` makes another one, so it is never repeated blindly."""
        raw = await to.post("/automations/", body, repeatable=False)
        return Made(str(raw["id"]), raw)

    async def update(self, to: Destination, made: Made, body: Body, names: Collection[str]) -> None:
        """``PUT`` the whole; fields that are not sent are kept, so defaults go along."""
        whole = {**self.defaults, **body}
        whole.pop("owner_resource", None)
        await to.put("/automations/{id}", whole, id=made.id)


def _trigger(trigger: Body) -> Body:
    """A trigger without the server's ids, its sets in order."""
    kept = {name: value for name, value in trigger.items() if name != "id"}
    kept |= {name: sorted(kept[name]) for name in _SETS if isinstance(kept.get(name), list)}
    if isinstance(kept.get("triggers"), list):
        kept["triggers"] = [_trigger(each) for each in kept["triggers"]]
    return kept


async def _with_owners(rows: list[Raw], reader: Reader) -> list[Raw]:
    if all("owner_resource" in row for row in rows):
        return rows
    deployments = await reader.rows(*_DEPLOYMENTS)
    related = await asyncio.gather(*(_related(reader, str(each["id"])) for each in deployments))
    owners: dict[str, str] = {}
    ambiguous: set[str] = set()
    for deployment, automations in zip(deployments, related, strict=True):
        for automation in automations:
            certain = deployment["id"] not in _selected_to_run(automation)
            if certain or _looks_sdk_made(automation):
                owners[automation["id"]] = f"prefect.deployment.{deployment['id']}"
            elif _is_sdk_shape(automation):
                ambiguous.add(automation["id"])
    return [
        row | {"owner_resource": owners.get(row["id"]), _AMBIGUOUS: row["id"] in ambiguous and row["id"] not in owners}
        for row in rows
    ]


async def _related(reader: Reader, deployment_id: str) -> list[Raw]:
    found: Json = await reader.get(f"/automations/related-to/prefect.deployment.{deployment_id}")
    return found or []


def _selected_to_run(automation: Raw) -> frozenset[str]:
    actions = [action for field in _ACTION_LISTS for action in automation.get(field) or ()]
    return frozenset(
        action["deployment_id"]
        for action in actions
        if action["type"] == "run-deployment" and action.get("source") == "selected"
    )


def _is_sdk_shape(automation: Raw) -> bool:
    """One action, which runs the deployment: what ``prefect deploy`` makes of a trigger."""
    return len(automation["actions"]) == 1 and not any(automation.get(field) for field in _ACTION_LISTS[1:])


def _looks_sdk_made(automation: Raw) -> bool:
    return _is_sdk_shape(automation) and bool(_SDK_NAME.search(automation["name"]))


KIND = Automation()
