"""Flow run notification policies of servers before 3.4, which travel as automations.

The upgrade to 3.4.0 turns each policy into an automation and drops it. An
export does the same, so that a policy ends as what it would have become.
"""

from __future__ import annotations

import string
from typing import ClassVar

from bundle.kinds.base import Kind
from bundle.kinds.fields import Field
from bundle.kinds.protocols import Look, Raw
from bundle.model import Json

PATH = "/flow_run_notification_policies"

# As the upgrade writes them: prefect 3.4.0, database migration "remove_flow_run_notifications".
_NAME = "Flow Run State Change Notification"
_DESCRIPTION = "Migrated from a flow run notification policy"
_SUBJECT = "Prefect flow run notification"
_USUAL_BODY = """
Flow run {{ flow.name }}/{{ flow_run.name }} observed in state `{{ flow_run.state.name }}` at\
 {{ flow_run.state.timestamp }}.
Flow ID: {{ flow_run.flow_id }}
Flow run ID: {{ flow_run.id }}
Flow run URL: {{ flow_run|ui_url }}
State message: {{ flow_run.state.message }}
"""
_WORDS = {
    "flow_run_notification_policy_id": "Event ID {{ event.id }}",
    "flow_id": "{{ flow.id }}",
    "flow_name": "{{ flow.name }}",
    "flow_run_url": "{{ flow_run|ui_url }}",
    "flow_run_id": "{{ flow_run.id }}",
    "flow_run_name": "{{ flow_run.name }}",
    "flow_run_parameters": "{{ flow_run.parameters }}",
    "flow_run_state_type": "{{ flow_run.state.type }}",
    "flow_run_state_name": "{{ flow_run.state.name }}",
    "flow_run_state_timestamp": "{{ flow_run.state.timestamp }}",
    "flow_run_state_message": "{{ flow_run.state.message }}",
}


class NotificationPolicy(Kind):
    name = "notification-policy"
    path = PATH
    name_field: ClassVar[str | None] = None
    fields: ClassVar = {
        "is_active": Field(),
        "state_names": Field(list[str], required=True),
        "tags": Field(list[str], required=True),
        "message_template": Field(),
        "block_document_id": Field(str, required=True),
    }

    def natural_name(self, raw: Raw, look: Look) -> str:
        return str(raw["id"])

    def left_out(self, raw: Raw, look: Look) -> str | None:
        return "became-automation"

    def is_own(self, raw: Raw) -> bool:
        return False


def as_automation(policy: Raw) -> Raw:
    """The automation that the upgrade to 3.4.0 makes of a policy, as a server would answer it."""
    states = [f"prefect.flow-run.{each}" for each in policy["state_names"]]
    tags = [f"prefect.tag.{each}" for each in policy["tags"]]
    trigger = {
        "type": "event",
        "match": {"prefect.resource.id": "prefect.flow-run.*"},
        "match_related": {"prefect.resource.id": tags, "prefect.resource.role": "tag"} if tags else {},
        "after": [],
        "expect": sorted(set(states)) or ["prefect.flow-run.*"],
        "for_each": ["prefect.resource.id"],
        "posture": "Reactive",
        "threshold": 1,
        "within": 10.0,
    }
    action = {
        "type": "send-notification",
        "block_document_id": policy["block_document_id"],
        "subject": _SUBJECT,
        "body": _body(policy.get("message_template")),
    }
    return {
        "id": f"{policy['id']}/automation",
        "created": policy.get("created"),
        "updated": policy.get("updated"),
        "name": _NAME,
        "description": _DESCRIPTION,
        "enabled": policy.get("is_active"),
        "trigger": trigger,
        "actions": [action],
        "owner_resource": None,
    }


def _body(template: Json) -> str:
    """A policy's template in the language of automations; what is no placeholder of policies stays as it is."""
    if not template:
        return _USUAL_BODY
    try:
        parts = list(string.Formatter().parse(str(template)))
    except ValueError:
        return str(template)
    return "".join(text + ("" if word is None else _WORDS.get(word, f"{{{word}}}")) for text, word, _, _ in parts)


KIND = NotificationPolicy()
