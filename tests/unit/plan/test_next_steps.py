"""What still needs a hand at a destination."""

from __future__ import annotations

import pytest

from bundle.model import Body, Finding
from bundle.plan.next_steps import NEXT_STEPS, next_steps
from support.by_hand import record

DIRECTORY = [{"prefect.deployments.steps.set_working_directory": {"directory": "/home/me/flows"}}]


@pytest.mark.parametrize(
    ("key", "body", "expected"),
    [
        ("work-pool:k8s", {"type": "kubernetes"}, [("start-worker", "kubernetes, package prefect-kubernetes")]),
        ("work-pool:own", {"type": "slurm"}, [("start-worker", "slurm, package of its own")]),
        ("work-pool:push", {"type": "ecs:push"}, []),
        ("deployment:a/b", {"pull_steps": DIRECTORY}, [("bring-code", "/home/me/flows")]),
        ("deployment:a/b", {"path": "/srv"}, [("bring-code", "/srv")]),
        ("deployment:a/b", {"path": "/opt", "job_variables": {"image": "me/etl:1"}}, [("check-image", "me/etl:1")]),
        ("deployment:a/b", {"pull_steps": [{"git_clone": {}}], "path": "/srv"}, []),
        ("deployment:a/b", {"paused": True}, [("switch-on", "paused")]),
        ("deployment:a/b", {"schedules": [{"active": False}, {"active": True}]}, [("switch-on", "a schedule")]),
        ("block:local-file-system/x", {"data": {"basepath": "/mnt/data"}}, [("check-path", "/mnt/data")]),
        ("automation:a", {"enabled": False, "trigger": {}}, [("switch-on", "disabled")]),
        ("flow:a", {}, []),
        ("deployment:a/b", {"pull_steps": 1, "job_variables": [], "schedules": "x"}, []),
    ],
)
def test_what_a_resource_needs(key: str, body: Body, expected: list[tuple[str, str]]) -> None:
    """Each is found in the body, whatever shape that has, and told with what matters about it."""
    found = next_steps([record(key, {"name": "x", **body})], ())
    assert [(step.code, each.detail) for step in found for each in step.matters] == expected


def test_the_steps_come_in_the_order_in_which_to_do_them() -> None:
    """Workers before code, code before switches; of equal steps there is one, and owners that were named are none."""
    doubt = Finding("ambiguous-owner", "automation:a", "", "deployment:etl/main")
    owned = Finding("ambiguous-owner", "automation:b", "", "deployment:etl/main")
    found = next_steps(
        [
            record("automation:a", {"name": "a", "trigger": {}, "enabled": False}),
            record("automation:b", {"name": "b", "trigger": {}, "owner_resource": "prefect.deployment."}),
            record("deployment:etl/main", {"name": "main", "pull_steps": DIRECTORY, "paused": True}),
            record("work-pool:p", {"name": "p", "type": "process"}),
        ],
        (doubt, owned),
    )
    assert [step.code for step in found] == ["start-worker", "bring-code", "switch-on", "name-owner"]
    assert [each.key for each in found[2].matters] == ["automation:a", "deployment:etl/main"]
    assert found[3].command == "--owner 'automation:a=deployment:etl/main'"
    assert next(iter(NEXT_STEPS)) == "supply-secrets"
