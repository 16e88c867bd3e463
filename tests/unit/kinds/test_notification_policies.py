"""Notification policies of servers before 3.4."""

from __future__ import annotations

from bundle.kinds.notification_policies import as_automation
from support.one_kind import ID, OTHER, Rows, kind

ROW = {
    "id": ID,
    "is_active": False,
    "state_names": ["Crashed", "Failed"],
    "tags": ["a"],
    "block_document_id": OTHER,
    "message_template": "run {flow_run_name} of {unknown}",
}


def test_a_policy_is_left_out_for_its_automation() -> None:
    """It travels as what Prefect's own upgrade makes of it."""
    assert kind("notification-policy").left_out(ROW, Rows()) == "became-automation"
    assert not kind("notification-policy").is_own(ROW)


def test_what_the_upgrade_makes_of_it() -> None:
    """States become events, tags related resources, and the template speaks the language of automations."""
    found = as_automation(ROW)
    assert found["trigger"]["expect"] == ["prefect.flow-run.Crashed", "prefect.flow-run.Failed"]
    assert found["trigger"]["match_related"]["prefect.resource.id"] == ["prefect.tag.a"]
    assert (found["enabled"], found["actions"][0]["block_document_id"]) == (False, OTHER)
    assert found["actions"][0]["body"] == "run {{ flow_run.name }} of {unknown}"


def test_one_for_every_state_and_tag_expects_every_event() -> None:
    """Without states any run's change is meant, without tags any run; without a template the usual text is sent."""
    found = as_automation({**ROW, "state_names": [], "tags": [], "message_template": None})
    assert found["trigger"]["expect"] == ["prefect.flow-run.*"]
    assert found["trigger"]["match_related"] == {}
    assert "observed in state `{{ flow_run.state.name }}`" in found["actions"][0]["body"]


def test_a_template_that_is_none_stays_as_it_is() -> None:
    """Braces that do not close are text."""
    assert as_automation({**ROW, "message_template": "50 {% done"})["actions"][0]["body"] == "50 {% done"
