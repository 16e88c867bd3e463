"""What only Prefect Cloud has travels between workspaces, and is skipped with the reason anywhere else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from bundle.apply.control import Patience
from bundle.model import Bundle, Key
from bundle.plan.choices import Conflicts
from bundle.server.process import Server
from support.emulator import Cloud, Rules
from support.environment import seed_pools, when
from support.moving import bundle_of, import_into
from support.proxy import Fault, Script

Clouds = Callable[[Rules | None], Cloud]

SERVICE_ACCOUNT = "0b070000-0000-4000-8000-000000000005"
SCHEDULE = "05c00000-0000-4000-8000-000000000006"
ONLY_CLOUD = {
    "email": {"type": "send-email-notification", "emails": ["a@b.test"], "subject": "s", "body": "{{ flow.name }}"},
    "incident": {"type": "declare-incident"},
    "pause": {"type": "pause-schedule-for-flow-run"},
    "resume": {"type": "resume-schedule-for-flow-run", "schedule_id": SCHEDULE},
}
METRIC = {
    "type": "metric",
    "posture": "Metric",
    "match": {},
    "match_related": {},
    "metric": {"name": "successes", "threshold": 0.9, "operator": "<", "range": 3600.0, "firing_for": 300.0},
}


def post(cloud: Cloud, path: str, **body: Any) -> str:
    with cloud.client() as client:
        answer = client.post(path, json=body)
        answer.raise_for_status()
        return str(answer.json()["id"])


def plant(cloud: Cloud) -> None:
    """A workspace with webhooks, and automations that use what only Cloud has."""
    flow = post(cloud, "/flows/", name="etl")
    deployment = post(cloud, "/deployments/", name="nightly", flow_id=flow)
    label = {"prefect.resource.id": f"prefect.deployment.{deployment}"}
    hook = post(cloud, "/webhooks/", name="in~coming", template=msgspec.json.encode({"resource": label}).decode())
    post(cloud, "/webhooks/", name="twin", template="{}", enabled=False, description="first")
    post(cloud, "/webhooks/", name="twin", template="{}", service_account_id=SERVICE_ACCOUNT)
    called = when(match={"prefect.resource.id": f"prefect-cloud.webhook.{hook}"})
    for name, action in ONLY_CLOUD.items():
        post(cloud, "/automations/", name=name, trigger=called, actions=[action])
    nothing = [{"type": "do-nothing"}]
    inside = {"type": "compound", "require": "any", "within": 60.0, "triggers": [METRIC, when()]}
    post(cloud, "/automations/", name="metric", trigger=METRIC, actions=nothing)
    post(cloud, "/automations/", name="metric inside", trigger=inside, actions=nothing)
    elsewhere = when(match={"prefect.resource.id": f"prefect-cloud.workspace.{cloud.workspace}"})
    post(cloud, "/automations/", name="plain", trigger=elsewhere, actions=nothing)


def digests(bundle: Bundle) -> dict[Key, str]:
    return {each.record.key: each.record.digest for each in bundle.records}


@pytest.fixture
def source(cloud_factory: Clouds) -> Cloud:
    """A workspace in which everything is that only Cloud has."""
    cloud = cloud_factory(None)
    plant(cloud)
    return cloud


def test_all_of_it_goes_from_workspace_to_workspace(source: Cloud, cloud_factory: Clouds) -> None:
    """Webhooks, actions and triggers arrive whole, and refer to each other; a second import writes nothing."""
    bundle, destination = bundle_of(source.target), cloud_factory(None)

    first = import_into(destination.target, bundle)

    assert first.result.count("failed") == first.result.count("blocked") == 0
    assert digests(bundle_of(destination.target)) == digests(bundle)
    assert import_into(destination.target, bundle).sent.writes == 0
    with destination.client() as client:
        rows = {row["name"]: row for row in client.post("/automations/filter", json={}).json()}
    (hook,) = (row for row in destination.webhooks.values() if row["name"] == "in~coming")
    assert rows["email"]["trigger"]["match"] == {"prefect.resource.id": f"prefect-cloud.webhook.{hook['id']}"}
    assert rows["email"]["actions"] == [ONLY_CLOUD["email"]]
    assert rows["metric"]["trigger"]["metric"] == METRIC["metric"]


def test_the_address_of_a_webhook_stays_where_it_is(source: Cloud, cloud_factory: Clouds) -> None:
    """No URL of a webhook is in a bundle; each gets a new one where it is made, and the export says so."""
    bundle, destination = bundle_of(source.target), cloud_factory(None)
    import_into(destination.target, bundle)

    old, new = ({row["slug"] for row in cloud.webhooks.values()} for cloud in (source, destination))
    assert len(old | new) == 6
    assert not any(slug in msgspec.json.encode(bundle).decode() for slug in old)
    told = [each.key for each in bundle.manifest.findings if each.code == "new-address"]
    assert sorted(told) == sorted(key for key in digests(bundle) if key.startswith("webhook:"))


def test_elsewhere_it_is_skipped_with_the_reason(source: Cloud, destination_server: Server) -> None:
    """On a server, webhooks are not offered and automations that need Cloud are told as such; the rest arrives."""
    outcomes = import_into(destination_server.url, bundle_of(source.target)).by_key()

    reasons = {key: each.reason for key, each in outcomes.items()}
    names = [*ONLY_CLOUD, "metric", "metric inside"]
    assert {reasons[f"automation:{name}"] for name in names} == {"cloud-only"}
    assert {reason for key, reason in reasons.items() if key.startswith("webhook:")} == {"not-offered"}
    assert reasons["automation:plain"] == reasons["deployment:etl/nightly"] == "created"
    assert {each.state for each in outcomes.values()} == {"succeeded", "skipped"}


def test_a_webhook_is_updated_and_never_made_twice(source: Cloud, cloud_factory: Clouds) -> None:
    """A lost answer makes no second webhook, and an update gives an edited one its content back, whole."""
    bundle, destination = bundle_of(source.target), cloud_factory(None)
    import_into(destination.target, bundle)
    for row in destination.webhooks.values():
        row["template"] = "edited"
    destination.webhooks.pop(next(iter(destination.webhooks)))
    before = digests(bundle)

    destination.faults = Script({0: "answer-lost"})
    import_into(destination.target, bundle, on_conflict=Conflicts("update"), patience=Patience(settle_seconds=2))

    assert [each.fault for each in destination.writes if each.fault] == [Fault("answer-lost")]
    assert len(destination.webhooks) == 3
    assert digests(bundle_of(destination.target)) == before


def test_what_means_nothing_elsewhere_is_told(source: Cloud) -> None:
    """Ids of schedules, service accounts and the workspace itself are named as not portable, and as nothing else."""
    findings = [each for each in bundle_of(source.target).manifest.findings if each.code != "new-address"]
    assert {(each.code, each.key.partition("~")[0], each.pointer) for each in findings} == {
        ("not-portable", "automation:plain", "/trigger/match/prefect.resource.id"),
        ("not-portable", "automation:resume", "/actions/0/schedule_id"),
        ("not-portable", "webhook:twin", "/service_account_id"),
    }


def test_an_access_list_is_told_and_stays(cloud_factory: Clouds, destination_server: Server) -> None:
    """An export counts whom the list of a pool or deployment names; with a role that may not see it, it goes on."""
    cloud = cloud_factory(None)
    seed_pools(cloud.upstream_url, cloud_pools=False)
    with cloud.client() as client:
        deployments = {row["name"]: row["id"] for row in client.post("/deployments/filter", json={}).json()}
    ann, bob, team = ({"id": f"0ac70000-0000-4000-8000-00000000000{n}", "name": "n", "type": "t"} for n in (1, 2, 3))
    cloud.access["/work_pools/hybrid"] = {"manage_actors": [ann], "run_actors": [ann, bob], "view_actors": [team]}
    cloud.access[f"/deployments/{deployments['hybrid']}"] = {"manage_actors": [ann], "view_actors": [{"id": "*"}]}

    bundle = bundle_of(cloud.target)

    found = [each for each in bundle.manifest.findings if each.code == "access-list"]
    assert {(each.key, each.detail) for each in found} == {("deployment:etl/hybrid", "1"), ("work-pool:hybrid", "3")}
    assert ann["id"] not in msgspec.json.encode(bundle).decode()
    assert import_into(destination_server.url, bundle).result.count("failed") == 0
    cloud.rules = Rules(shows_access=False)
    assert not [each for each in bundle_of(cloud.target).manifest.findings if each.code == "access-list"]


@pytest.mark.parametrize("webhooks", ["whole", "absent"])
def test_webhooks_are_read_in_whatever_way_there_is(cloud_factory: Clouds, webhooks: str) -> None:
    """A list of webhooks that is answered whole is read once more plainly; a workspace without the route has none."""
    cloud = cloud_factory(None)
    post(cloud, "/webhooks/", name="one", template="{}")
    cloud.rules = Rules(webhooks=webhooks)
    assert len(digests(bundle_of(cloud.target))) == (webhooks == "whole")


def test_versions_of_deployments_are_left_to_cloud(source: Cloud, destination_server: Server) -> None:
    """A server keeps no version of a deployment: the report says that it was not sent, and it is no difference."""
    version = {"type": "prefect:simple", "version": "abc"}
    source.versions = {"version_info": version, "branch": "main"}
    bundle = bundle_of(source.target)

    first = import_into(destination_server.url, bundle).by_key()
    second = import_into(destination_server.url, bundle).by_key()

    (record,) = (each.record for each in bundle.records if each.record.kind == "deployment")
    assert (record.body["version_info"], record.body["branch"]) == (version, "main")
    assert first["deployment:etl/nightly"].dropped == ("/branch", "/version_info")
    assert second["deployment:etl/nightly"].reason == "exists-same"
