"""What a plan (tier) of Prefect Cloud does not allow is skipped with a clear reason, and what needs it is blocked."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Callable

import msgspec
import pytest

from bundle.container.reader import read_bundle
from bundle.errors import Conflict
from bundle.model import Bundle
from bundle.operations import saved_plan
from bundle.operations.export import Exported, export_state
from bundle.operations.import_ import Prepared, prepare
from bundle.operations.states import prepare_against
from bundle.plan.choices import Choices
from bundle.plan.server_state import ServerState, read_server_state, server_of
from bundle.server.client import PrefectApi
from bundle.server.tiers import TIERS
from support.emulator import HOBBY, Cloud, Rules
from support.moving import CREATED, import_into, written

Clouds = Callable[[Rules | None], Cloud]
AT_ONCE = 4


def test_what_the_plan_does_not_support_is_skipped(cloud_factory: Clouds, pools_bundle: Bundle) -> None:
    """Hybrid and push pools are skipped as tier-limit in Cloud's words; what needs them is blocked by name."""
    outcomes = import_into(cloud_factory(HOBBY).target, pools_bundle).by_key()

    for pool in ("hybrid", "push"):
        skipped = outcomes[f"work-pool:{pool}"]
        assert (skipped.state, skipped.reason) == ("skipped", "tier-limit")
        assert skipped.detail == "Your plan does not support hybrid work pools."
    assert outcomes["work-pool:managed"].reason == "managed-pool"
    blocked = outcomes["deployment:etl/hybrid"]
    assert (blocked.state, blocked.waits_for) == ("blocked", ("work-pool:hybrid", "work-queue:hybrid/default"))
    assert outcomes["automation:pauses hybrid"].waits_for == ("deployment:etl/hybrid",)
    assert "failed" not in {each.state for each in outcomes.values()}


def test_after_the_last_one_allowed_no_more_are_sent(cloud_factory: Clouds, pools_bundle: Bundle) -> None:
    """Once the workspace is full, only what was already on its way is refused; the rest is skipped unsent."""
    cloud = cloud_factory(Rules(deployments=2))
    outcomes = import_into(cloud.target, pools_bundle).by_key()

    limited = [each for each in outcomes.values() if each.reason == "tier-limit"]
    assert {each.kind for each in limited} == {"deployment"}
    assert {each.state for each in limited} == {"skipped"}
    assert {each.detail for each in limited} == {"You have reached the maximum number of deployments for your plan."}
    creates = cloud.creates("/deployments/")
    assert creates.count(201) == 2
    assert 1 <= creates.count(403) <= AT_ONCE
    assert len(limited) > AT_ONCE


def test_a_plan_with_the_tier_foresees_what_cloud_would_say(cloud_factory: Clouds, pools_bundle: Bundle) -> None:
    """Told the tier, an import skips and blocks the same resources, and nothing that it sends is refused."""
    by_the_server, foreseen = cloud_factory(HOBBY), cloud_factory(HOBBY)

    told = import_into(by_the_server.target, pools_bundle)
    planned = import_into(foreseen.target, pools_bundle, tier=TIERS["hobby"])

    assert planned.reasons() == told.reasons()
    assert by_the_server.creates("/work_pools/") == [403, 403]
    assert 403 not in {each.status for each in foreseen.requests}
    assert foreseen.creates("/deployments/") == [201] * 5


def test_a_state_of_a_workspace_foresees_it_too(cloud_factory: Clouds, pools_bundle: Bundle) -> None:
    """A lean state says the tier; a plan against it is done at that workspace, and refused at another tier."""
    cloud, tier = cloud_factory(HOBBY), TIERS["hobby"]

    async def read() -> tuple[Exported, Prepared, ServerState]:
        async with PrefectApi(cloud.target) as api:
            exported = await export_state(api, tier=tier, created=CREATED)
            prepared = await prepare(pools_bundle, api, Choices(tier=tier), is_deep=True)
            return exported, prepared, await read_server_state(api, tier)

    exported, prepared, server = asyncio.run(read())
    state = read_bundle(io.BytesIO(written(exported)))
    planned = prepare_against(pools_bundle, state, Choices(tier=TIERS[server_of(state.manifest).tier]))
    plan = saved_plan.made_offline(planned, state.manifest)

    assert {each.reason for each in planned.plan.actions} >= {"tier-limit", "managed-pool", "created"}
    saved_plan.check(plan, prepared, cloud.url, server)
    with pytest.raises(Conflict, match="tier: hobby, now pro"):
        saved_plan.check(plan, prepared, cloud.url, msgspec.structs.replace(server, tier="pro"))


def test_a_managed_pool_of_the_same_name_will_do(cloud_factory: Clouds, pools_bundle: Bundle) -> None:
    """Where somebody made a managed pool under the name of a hybrid one, its deployments fit the plan."""
    cloud = cloud_factory(Rules(pools=(":managed",)))
    with cloud.client() as client:
        client.post("/work_pools/", json={"name": "hybrid", "type": "prefect:managed"}).raise_for_status()

    outcomes = import_into(cloud.target, pools_bundle).by_key()

    assert outcomes["work-pool:hybrid"].reason == "exists-differs"
    assert outcomes["deployment:etl/hybrid"].reason == "created"


def test_room_is_used_by_the_next_run(cloud_factory: Clouds, pools_bundle: Bundle) -> None:
    """What was skipped for the plan's sake arrives when the plan allows it."""
    cloud = cloud_factory(Rules(deployments=2))
    import_into(cloud.target, pools_bundle)
    cloud.rules = Rules()

    again = import_into(cloud.target, pools_bundle)

    assert "tier-limit" not in again.reasons()
    assert again.result.count("failed") == 0
    assert import_into(cloud.target, pools_bundle).sent.writes == 0
