"""What a workspace refuses, and for how long, ends where it belongs: one resource, or the whole run."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest

from bundle.errors import RequestRejected
from bundle.model import Bundle
from bundle.plan import compare
from bundle.plan.choices import Conflicts
from bundle.server.process import Server
from bundle.server.retry import RetryPolicy
from support import emulator
from support.emulator import ACCOUNT, Cloud, Rules
from support.environment import Api, Canaries, Environment, Size
from support.moving import bundle_of, export, import_into
from support.proxy import Recorded, Script

Clouds = Callable[[Rules | None], Cloud]
Factory = Callable[[Size | None], Server]

ANOTHER = "0acc0000-0000-4000-8000-00000000000f"


def test_a_missing_permission_concerns_its_resources_alone(cloud_factory: Clouds, pools_bundle: Bundle) -> None:
    """Where the role may not write one kind, that kind is denied, what needs it is blocked, and all else arrives."""
    cloud = cloud_factory(Rules(forbidden=("/work_pools/",)))

    outcomes = {each.key: each for each in import_into(cloud.target, pools_bundle).result.outcomes}

    assert (outcomes["work-pool:hybrid"].state, outcomes["work-pool:hybrid"].reason) == ("failed", "denied")
    assert outcomes["deployment:etl/hybrid"].state == "blocked"
    assert {outcomes[f"deployment:etl/served {number}"].state for number in range(7)} == {"succeeded"}
    assert "not-tried" not in {each.reason for each in outcomes.values()}


def test_a_key_that_is_refused_ends_the_run(cloud_factory: Clouds, pools_bundle: Bundle) -> None:
    """Once the key is no longer accepted, nothing more is tried."""
    cloud = cloud_factory(None)

    def revoke(_: Recorded) -> None:
        if len(cloud.writes) == 3:
            cloud.rules = Rules(key="pnu_another")

    cloud.on_request = revoke
    reasons = import_into(cloud.target, pools_bundle).reasons()

    assert reasons["denied"] >= 1
    assert reasons["not-tried"] >= 1
    assert len(cloud.writes) < 12


def test_one_request_that_fails_ends_no_run(cloud_factory: Clouds, pools_bundle: Bundle) -> None:
    """A workspace that does not answer one write is asked whether it lives; that it has no /health is an answer."""
    cloud = cloud_factory(None)
    cloud.faults = Script({0: "busy"})

    reasons = import_into(cloud.target, pools_bundle, retries=RetryPolicy(attempts=1, budget_seconds=0)).reasons()

    assert reasons["unreachable"] == 1
    assert "not-tried" not in reasons


def test_a_workspace_of_others_is_no_empty_environment(source_server: Server) -> None:
    """Cloud answers 404 to whoever is no member of a workspace: that is an error, not a bundle without content."""
    with Cloud(source_server.url) as cloud:
        elsewhere = msgspec.structs.replace(cloud.target, url=cloud.url.replace(ACCOUNT, ANOTHER))
        with pytest.raises(RequestRejected, match="status 404") as caught:
            export(elsewhere)
    assert "the owner of the API key is no member" in caught.value.hint


def test_fresh_objects_are_waited_for(cloud_factory: Clouds, pools_bundle: Bundle) -> None:
    """What was made a moment ago may not be found at first; an import tries again, and ends whole."""
    cloud = cloud_factory(Rules(lag_seconds=0.1))

    imported = import_into(cloud.target, pools_bundle)

    assert 404 in {each.status for each in cloud.writes}
    assert imported.result.count("failed") == 0
    assert import_into(cloud.target, pools_bundle).sent.writes == 0


def test_a_rate_is_kept_through_a_whole_round_trip(cloud_factory: Clouds, pools_bundle: Bundle) -> None:
    """Through 429s with the wait that they tell, an import and an export come out whole."""
    cloud = cloud_factory(Rules(rate=40))

    imported = import_into(cloud.target, pools_bundle)
    back = {each.record.key for each in bundle_of(cloud.target).records}

    assert 429 in {each.status for each in cloud.requests}
    assert imported.result.count("failed") == 0
    missing = {each.record.key for each in pools_bundle.records} - back
    assert missing == {"work-pool:managed", "work-queue:managed/default", "deployment:push flow/managed"}


def test_every_request_has_a_length_and_none_is_too_large(
    cloud_factory: Clouds, server_factory: Factory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is above the largest request is known before any write and fails alone; no request is a 411 or 413."""
    monkeypatch.setattr(compare, "LARGEST_REQUEST_BYTES", 20_000)
    monkeypatch.setattr(emulator, "LARGEST_BODY", 20_000)
    source, cloud = server_factory(None), cloud_factory(None)
    with Api(source.url) as api:
        environment = Environment(api, Canaries())
        environment.block_type("big", "Big")
        environment.schema("big", {"text": {"type": "string"}})
        environment.block("big", "large", {"text": "x" * 20_000})
        environment.block("big", "small", {"text": "x" * 19_000})

    imported = import_into(cloud.target, bundle_of(source.url))

    outcomes = {each.key: each for each in imported.result.outcomes}
    planned = {each.key: each.reason for each in imported.prepared.plan.actions}
    assert (outcomes["block:big/large"].state, outcomes["block:big/large"].reason) == ("failed", "too-large")
    assert planned["block:big/large"] == "too-large"
    assert outcomes["block:big/small"].state == "succeeded"
    assert not {411, 413} & {each.status for each in cloud.requests}


@pytest.mark.parametrize("is_shown", [True, False])
def test_a_mask_is_never_sent_back(cloud_factory: Clouds, pools_bundle: Bundle, *, is_shown: bool) -> None:
    """Where the role may not see secrets, a block is updated around the one that it holds, which stays."""
    cloud, slot = cloud_factory(Rules(masks=not is_shown)), "block:aws-credentials/main#/data/aws_secret_access_key"
    import_into(cloud.target, pools_bundle, secrets={slot: "live"})
    with Api(cloud.upstream_url) as api:
        (row,) = (each for each in api.read_all("/block_documents/filter") if each["name"] == "main")
        api.patch(f"/block_documents/{row['id']}", data={"region_name": "edited"})

        import_into(cloud.target, pools_bundle, on_conflict=Conflicts("update"))

        data = api.send("GET", f"/block_documents/{row['id']}?include_secrets=true")["data"]
    assert (data["aws_secret_access_key"], data["region_name"]) == ("live", "eu")
    assert not any(b"*****" in each.body for each in cloud.writes)
