"""The emulated Cloud keeps the rules that it names, and is a Prefect server in everything else."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from bundle.server.process import Server
from support.emulator import ACCOUNT, CLOUD_ACTIONS, HOBBY, LARGEST_BODY, Cloud, Rules
from support.environment import Size

Factory = Callable[[Size | None], Server]
EVENT = {"type": "event", "posture": "Reactive", "threshold": 1, "within": 0}
METRIC = {"type": "metric", "posture": "Metric", "metric": {"name": "successes"}}


@contextmanager
def answering(server: Server, rules: Rules | None = None) -> Iterator[tuple[Cloud, httpx.Client]]:
    with Cloud(server.url, rules) as cloud, cloud.client() as client:
        yield cloud, client


def test_only_the_right_key_and_workspace_are_answered(source_server: Server) -> None:
    """Another key is a 401, another workspace a 404, and what Cloud lacks a 404 too."""
    with answering(source_server) as (cloud, client):
        elsewhere = cloud.url.replace(ACCOUNT, "0acc0000-0000-4000-8000-00000000000f")
        assert httpx.post(f"{cloud.url}/flows/filter", json={}, trust_env=False).status_code == 401
        assert client.post(f"{elsewhere}/flows/filter", json={}).status_code == 404
        assert client.get("/admin/version").status_code == 404
        assert client.post("/flows/filter", json={}).status_code == 200


def test_rows_are_those_of_the_server_behind_and_more(source_server: Server) -> None:
    """A row has all that a server answers, and says whose it is."""
    with answering(source_server) as (_, client):
        rows = client.post("/variables/filter", json={}).json()
    plain = httpx.post(f"{source_server.url}/variables/filter", json={}, trust_env=False).json()
    assert [plain[place].items() <= row.items() for place, row in enumerate(rows)] == [True] * len(plain)
    assert {row["account_id"] for row in rows} == {ACCOUNT}


def test_lengths_are_demanded_and_bounded(source_server: Server) -> None:
    """A body without a length is a 411, one above 5 MiB a 413."""
    with answering(source_server) as (cloud, client):
        assert client.post("/variables/", content=b"x" * (LARGEST_BODY + 1)).status_code == 413
        parts = iter([b"{}"])
        assert client.post("/variables/", content=parts).status_code == 411
        assert [each.status for each in cloud.requests] == [413, 411]


def test_a_rate_is_kept_with_the_wait_told(source_server: Server) -> None:
    """The request after the last one allowed is a 429 that says how long to wait."""
    with answering(source_server, Rules(rate=2)) as (_, client):
        answers = [client.post("/flows/count", json={}) for _ in range(3)]
    assert [each.status_code for each in answers] == [200, 200, 429]
    assert answers[2].headers["retry-after"] == "1"


def test_hobby_takes_managed_pools_and_five_deployments(destination_server: Server) -> None:
    """What the plan does not support and what is too many are 403s with the words that Prefect's client looks for."""
    with answering(destination_server, HOBBY) as (_, client):
        pools = [client.post("/work_pools/", json={"name": each, "type": each}) for each in ("process", "ecs:push")]
        managed = client.post("/work_pools/", json={"name": "m", "type": "prefect:managed"})
        flow = client.post("/flows/", json={"name": "f"}).json()["id"]
        made = [client.post("/deployments/", json={"name": f"d{each}", "flow_id": flow}) for each in range(6)]
    assert [(each.status_code, "plan does not support" in each.text) for each in pools] == [(403, True)] * 2
    assert [each.status_code for each in (managed, *made)] == [201] * 6 + [403]
    assert "maximum number of deployments" in made[5].text


def test_fresh_objects_are_not_found_for_a_moment(destination_server: Server) -> None:
    """An object that was just made is a 404 to what names it, and then it is there."""
    with answering(destination_server, Rules(lag_seconds=0.3)) as (cloud, client):
        path = f"/variables/{client.post('/variables/', json={'name': 'v', 'value': 1}).json()['id']}"
        assert client.get(path).status_code == 404
        for until in cloud._fresh:
            cloud._fresh[until] -= 1
        assert client.get(path).status_code == 200


@pytest.mark.parametrize(
    "body", [{"actions": [{"type": each}]} for each in sorted(CLOUD_ACTIONS)] + [{"trigger": METRIC}]
)
def test_automations_that_only_cloud_takes_are_kept(destination_server: Server, body: dict[str, Any]) -> None:
    """An action or trigger that a server refuses is taken here, and answered as it was sent."""
    whole = {"name": "a", "trigger": EVENT, "actions": [{"type": "do-nothing"}], **body}
    assert httpx.post(f"{destination_server.url}/automations/", json=whole, trust_env=False).status_code == 422
    with answering(destination_server) as (_, client):
        made = client.post("/automations/", json=whole)
        (listed,) = client.post("/automations/filter", json={}).json()
    assert made.status_code == 201
    assert body.items() <= listed.items()


def test_webhooks_get_a_url_that_cannot_be_set(source_server: Server) -> None:
    """A webhook is kept and listed; its slug is assigned, and sending one is a 422."""
    with answering(source_server) as (_, client):
        hook = {"name": "w", "template": "{}"}
        assert client.post("/webhooks/", json={**hook, "slug": "mine"}).status_code == 422
        made = client.post("/webhooks/", json=hook).json()
        assert made["slug"]
        assert client.get("/webhooks/").json() == client.post("/webhooks/filter", json={}).json() == [made]
        assert client.post("/webhooks/filter", json={"offset": 1}).json() == []
        assert client.delete(f"/webhooks/{made['id']}").status_code == 204
        assert client.get(f"/webhooks/{made['id']}").status_code == 404


def test_a_role_may_be_missing_a_permission(source_server: Server) -> None:
    """What the role of a key may not write is a 403, and still read."""
    with answering(source_server, dataclasses.replace(HOBBY, forbidden=("/variables",))) as (_, client):
        assert client.post("/variables/", json={"name": "v", "value": 1}).status_code == 403
        assert client.post("/variables/filter", json={}).status_code == 200
