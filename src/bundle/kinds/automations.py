"""Automations: triggers and actions, without a unique name and with a hidden owner.

Each is made disabled and marked, and gets its last content, enabled, at the
very end; so ids of automations that do not exist yet can be filled in then.
The mark is in the description: tags came with 3.4.7 only.
``PUT`` keeps the owner, which only ``POST`` can set and which is never
answered (``automation_owners``).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Any, ClassVar

import msgspec

from bundle.kinds.automation_owners import ACTION_LISTS, IN_DOUBT, OWNER, actions_of, with_owners
from bundle.kinds.base import Kind
from bundle.kinds.fields import OWN, Field
from bundle.kinds.naming import template_names
from bundle.kinds.notification_policies import PATH as POLICIES
from bundle.kinds.notification_policies import as_automation
from bundle.kinds.protocols import Conformity, Destination, Look, Made, Offer, Raw, Reader, made_of
from bundle.kinds.runnable import MOST_NAMES, Run, as_object, members
from bundle.model import Body, Json, Key, Pointer, Record
from bundle.record.pointers import join, split, walk
from bundle.record.references import is_foreign_label

_SETS = ("after", "expect", "for_each")
# Fields that came with 3.6 and later, with what servers before them do.
_ACTION_DEFAULTS = {"schedule_after": 0.0, "force": False}
# docs.prefect.io, concepts/automations, "Actions"; for the two about schedules the Terraform provider's constants.
_CLOUD_ACTIONS = frozenset({
    "send-email-notification", "declare-incident", "pause-schedule-for-flow-run", "resume-schedule-for-flow-run",
})  # fmt: skip


class _Trigger(msgspec.Struct):
    after: list[str | None] | None = None
    expect: list[str | None] | None = None
    for_each: list[str | None] | None = None
    triggers: list[_Trigger] | None = None


class Automation(Kind):
    name = "automation"
    path = "/automations"
    fields: ClassVar = {
        "name": Field(str, required=True, needed=True),
        "description": Field(str, default=""),
        "enabled": Field(default=True, on=True),
        "tags": Field(default=[]),
        "trigger": Field(_Trigger, required=True),
        "actions": Field(list[dict[str, Any]], required=True),
        "actions_on_trigger": Field(list[dict[str, Any]], default=[]),
        "actions_on_resolve": Field(list[dict[str, Any]], default=[]),
        OWNER: Field(deep=True, fixed=True),
        IN_DOUBT: OWN,
    }
    name_form = r"(?s:.+)"
    sort = "CREATED_DESC"
    is_sorted_by_update = True
    counted = True
    unique_names = False
    rank = 70
    writes_each = 2

    async def read(self, reader: Reader) -> list[Raw]:
        """2.x servers answer 404 while automations are switched off."""
        rows = await super().read(reader)
        if not reader.is_deep:
            return rows
        return [*(await with_owners(rows, reader)), *map(as_automation, await _policies(reader))]

    async def count(self, reader: Reader) -> int | None:
        count = await super().count(reader)
        return None if count is None else count + len(await _policies(reader))

    def natural_name(self, raw: Raw, look: Look) -> str:
        """A tilde is doubled, so that a name never ends like the suffix that tells equal names apart."""
        return str(raw["name"]).replace("~", "~~")

    def bound_name(self, body: Body, parent: str) -> str:
        return super().bound_name(body, parent).replace("~", "~~")

    def portable(self, raw: Raw, look: Look) -> Body:
        body = super().portable(raw, look)
        lists = {name: [_action(each) for each in body.get(name) or ()] for name in ACTION_LISTS}
        return self.trim(body | lists | {"trigger": _trigger(raw["trigger"])})

    def names(self, body: Body) -> Iterable[tuple[Pointer, Key]]:
        for field in ACTION_LISTS:
            yield from ((f"/{field}{pointer}", key) for pointer, key in template_names(body.get(field)))

    def findings(self, raw: Raw) -> Iterator[tuple[str, Pointer, str]]:
        if raw.get(IN_DOUBT):
            yield "ambiguous-owner", "", raw[IN_DOUBT]
        for pointer, value in walk(raw["trigger"]):
            if isinstance(value, str) and is_foreign_label(value):
                yield "not-portable", f"/trigger{pointer}", ""
        for field in ACTION_LISTS:
            for position, action in enumerate(raw.get(field) or ()):
                if action.get("schedule_id"):
                    yield "not-portable", f"/{field}/{position}/schedule_id", ""

    def by_hand(self, body: Body) -> Iterator[tuple[str, str]]:
        if body.get("enabled") is False:
            yield "switch-on", "disabled"

    def runs(self, record: Record) -> Iterator[Run]:
        for field in ACTION_LISTS:
            actions = record.body.get(field)
            for position, action in enumerate(actions if isinstance(actions, list) else ()):
                if isinstance(action, dict):
                    yield from _runs(record, action, (field, str(position)))

    def conformities(self, record: Record) -> Iterator[Conformity]:
        """The variables that an action gives to a deployment; a server looks for that only where there are some."""
        targets = {each.pointer: each.target for each in record.references}
        for position, action in enumerate(_listed_actions(record.body)):
            place = join("actions", position)
            if action.get("type") == "run-deployment" and action.get("deployment_id") and action.get("job_variables"):
                named_at = f"{place}/deployment_id"
                against = targets.get(named_at)
                variables = f"{place}/job_variables"
                yield Conformity(variables, against, variables, "created-partly", named_at)

    def unfit(self, body: Body, *, is_cloud: bool) -> str | None:
        return "cloud-only" if not is_cloud and _needs_cloud(body) else None

    def pending(self, body: Body, mark: str) -> Body:
        return body | {"enabled": False, "description": f"{body.get('description') or ''} {mark}".lstrip()}

    def eased(self, body: Body, refused: Collection[str]) -> Iterator[Body]:
        """Switched off, since some are refused only while they are on; then without the variables of what they run.

        Both are rules of the whole: a server checks whether what is on could run for ever, and whether the variables
        that an action gives to a deployment conform to the template of its pool.
        """
        off = body | {"enabled": False}
        bare = [
            {name: item for name, item in each.items() if name != "job_variables"} for each in _listed_actions(body)
        ]
        yield off
        yield off | {"actions": bare}

    def is_pending(self, raw: Raw, body: Body, mark: str, is_new: Callable[[str], bool]) -> bool:
        return mark in (raw.get("description") or "")

    async def create(self, to: Destination, body: Body) -> Made:
        """Each ``POST /automations/`` makes another one, so it is never repeated blindly."""
        raw = await to.post("/automations/", body, repeatable=False)
        return made_of(raw)

    def can_change(self, place: Pointer, *, is_removal: bool, raw: Raw, at: Offer) -> bool:
        name = split(place)[0]
        return name not in self.fixed and at.takes("PUT", "/automations/{id}", name)

    def late(self, body: Body, names: Collection[str], raw: Raw) -> Collection[str]:
        return names

    async def update(self, to: Destination, made: Made, body: Body, names: Collection[str]) -> None:
        """``PUT`` the whole; fields that are not sent are kept, so defaults go along."""
        whole = {**self.defaults, **body}
        whole.pop(OWNER, None)
        await to.put("/automations/{id}", whole, id=made.id)


def _listed_actions(body: Body) -> list[Body]:
    """The actions in a body; none where a bundle has something else in their place."""
    found = body.get("actions")
    return found if isinstance(found, list) and all(isinstance(each, dict) for each in found) else []


def _runs(record: Record, action: Body, place: tuple[str, str]) -> Iterator[Run]:
    about = [each.target for each in record.references if each.pointer.startswith(f"{join(*place)}/")]
    target = f" {', '.join(about[:MOST_NAMES])}" if about else ""
    yield (
        "automation-action",
        join(*place),
        f"{action.get('type')}{target}{_when(place[0], record.body.get('trigger'))}",
    )
    yield from members(action.get("job_variables"), (*place, "job_variables"))


def _when(field: str, trigger: Json) -> str:
    trigger = as_object(trigger)
    if field == "actions_on_resolve":
        return ", when it is resolved"
    if isinstance(trigger.get("triggers"), list):
        return f", on {trigger.get('type')} of {len(trigger['triggers'])} triggers"
    expected = trigger.get("expect")
    events = ", ".join(map(str, expected[:MOST_NAMES])) if isinstance(expected, list) and expected else "any event"
    return f", without {events} in time" if trigger.get("posture") == "Proactive" else f", on {events}"


def _action(action: Body) -> Body:
    """An action without fields that say what servers do anyway."""
    return {name: value for name, value in action.items() if value is not None and _ACTION_DEFAULTS.get(name) != value}


def _needs_cloud(body: Body) -> bool:
    """Whether an action or a trigger is one that only Cloud has; a body from a bundle may have any shape."""
    return any(str(action.get("type")) in _CLOUD_ACTIONS for action in actions_of(body)) or any(
        isinstance(part, dict) and part.get("type") == "metric" for _, part in walk(body.get("trigger"))
    )


def _trigger(trigger: Body) -> Body:
    """A trigger without the server's ids, its sets in order."""
    kept = {name: value for name, value in trigger.items() if name != "id"}
    kept |= {name: sorted(kept[name], key=str) for name in _SETS if isinstance(kept.get(name), list)}
    if isinstance(kept.get("triggers"), list):
        kept["triggers"] = [_trigger(each) for each in kept["triggers"]]
    return kept


async def _policies(reader: Reader) -> list[Raw]:
    return await reader.rows(f"{POLICIES}/filter")


KIND = Automation()
