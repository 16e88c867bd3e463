"""Automations of deployments keep their owner, or get the one that is named, on real servers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx

from bundle.server.process import Server
from support.commands import xfer_json

EVENT = {"type": "event", "posture": "Reactive", "expect": ["a.b"], "match": {}, "threshold": 1, "within": 0}


def test_what_a_deployment_owns_goes_with_its_next_deploy(
    server_factory: Any, destination_server: Server, tmp_path: Path
) -> None:
    """Owners that can be told arrive; one that cannot is reported with the deployment, and --owner names it."""
    with httpx.Client(base_url=server_factory(None).url, timeout=60) as api:
        flow = api.post("/flows/", json={"name": "etl"}).json()["id"]
        deployment = api.post("/deployments/", json={"name": "main", "flow_id": flow}).json()["id"]
        run = [{"type": "run-deployment", "source": "selected", "deployment_id": deployment}]
        owned = {"trigger": EVENT, "owner_resource": f"prefect.deployment.{deployment}"}
        api.post("/automations/", json={"name": "main__automation_1", "actions": run, **owned})
        api.post("/automations/", json={"name": "both-done", "actions": run, **owned})
        api.post("/automations/", json={"name": "late", "actions": [], "actions_on_trigger": run, **owned})
        api.post("/automations/", json={"name": "mine", "actions": run, "trigger": EVENT})
        source = str(api.base_url)
    file = str(tmp_path / "env.pxb")
    _, exported = xfer_json("export", "--from", source, "-o", file)
    doubts = {each["key"]: each["detail"] for each in exported["findings"] if each["code"] == "ambiguous-owner"}
    assert doubts == {"automation:both-done": "deployment:etl/main", "automation:mine": "deployment:etl/main"}

    named = ("--owner", "automation:both-done=deployment:etl/main")
    to = ("--to", destination_server.url, "--no-receipt")
    assert xfer_json("import", file, *to, *named)[0] == 0
    assert xfer_json("import", file, *to, *named)[1]["summary"]["succeeded"] == 0
    with httpx.Client(base_url=destination_server.url, timeout=60) as api:
        there = api.get("/deployments/name/etl/main").json()["id"]
        api.request("DELETE", f"/automations/owned-by/prefect.deployment.{there}").raise_for_status()
        assert [each["name"] for each in api.post("/automations/filter", json={}).json()] == ["mine"]
