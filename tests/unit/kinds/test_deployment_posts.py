"""What ``PATCH`` of a deployment cannot do."""

from __future__ import annotations

from typing import Any

import pytest

from bundle.kinds.deployment_posts import is_inherited, needs_post
from support.one_kind import ID, OTHER, Sent, updated

TYPED = {"day": {"__prefect_kind": "workspace_variable", "variable_name": "day"}}
BODY: dict[str, Any] = {"name": "d", "flow_id": OTHER}


@pytest.mark.parametrize(
    ("names", "body", "held", "expected"),
    [
        ({"description"}, {}, {}, False),
        ({"labels"}, {}, {}, True),
        ({"parameters"}, {"parameters": TYPED}, {}, True),
        ({"parameters"}, {"parameters": {"day": 1}}, TYPED, False),
        ({"description"}, {}, TYPED, True),
        ({"description"}, {"enforce_parameter_schema": False}, TYPED, False),
        (set(), {}, TYPED, False),
    ],
    ids=["plain", "labels", "typed", "no longer typed", "typed before", "typed, unchecked", "nothing"],
)
def test_what_has_to_be_posted(names: set[str], body: Any, held: Any, *, expected: bool) -> None:
    """Labels, and typed parameters, which a server checks or replaces by their values at every ``PATCH``."""
    assert needs_post(names, body, {"parameters": held}) is expected


def test_what_a_post_would_reset_is_sent_along() -> None:
    """Parameters and schedules go with it; a schedule gets what only its own route keeps."""
    schedule = {"schedule": {"cron": "0 7 * * *"}, "active": True, "max_scheduled_runs": 3}
    body = {**BODY, "labels": {"a": "b"}, "parameters": {"x": 1}, "schedules": [schedule]}
    answer = {"id": ID, "schedules": [{"id": "s", **schedule, "max_scheduled_runs": None}]}
    to = Sent(answers={"POST /deployments/": [answer]})
    post, patch = updated("deployment", body, {"labels"}, {"id": ID, "flow_id": OTHER}, to)
    assert post == ["POST", "/deployments/", body]
    assert patch == ["PATCH", f"/deployments/{ID}/schedules/s", {"max_scheduled_runs": 3, "parameters": {}}]


def test_a_pool_that_goes_is_taken_off_first() -> None:
    """``POST`` has no way to say that there is none any more."""
    held = {"id": ID, "flow_id": OTHER, "work_pool_name": "k8s"}
    patch, post = updated("deployment", BODY, {"labels", "work_pool_name"}, held)
    assert patch == ["PATCH", f"/deployments/{ID}", {"work_pool_name": None, "work_queue_name": None}]
    assert "work_pool_name" not in post[2]


def test_labels_of_the_flow_are_inherited() -> None:
    """The flow gives them back at every ``POST``; those of the deployment's own can be taken off."""
    flow = {"id": OTHER, "labels": {"team": "a", "prefect.x": "y"}}
    held = {"id": ID, "flow_id": OTHER, "labels": {"team": "a", "own": "b"}}
    assert is_inherited("/labels/team", held, Sent(flow))
    assert not is_inherited("/labels/own", held, Sent(flow))
    assert not is_inherited("/labels", held, Sent(flow))
