"""Work pools."""

from __future__ import annotations

from typing import Any

import pytest

from bundle.record.canonical import make_record
from bundle.server.tiers import ANY_TIER, TIERS
from support.one_kind import ID, Rows, Sent, deleted, kind, switched, updated

POOL = kind("work-pool")
MARK = Sent.mark


@pytest.mark.parametrize(
    ("type_", "elsewhere", "cloud"),
    [
        ("process", None, None),
        ("ecs:push", "push-pool", None),
        ("prefect:managed", "managed-pool", "managed-pool"),
    ],
)
def test_where_a_pool_can_be(type_: str, elsewhere: str | None, cloud: str | None) -> None:
    """Hybrid pools anywhere, push pools only on Cloud, managed ones nowhere."""
    body = {"name": "p", "type": type_}
    assert (POOL.unfit(body, is_cloud=False), POOL.unfit(body, is_cloud=True)) == (elsewhere, cloud)


def test_a_tier_may_have_managed_pools_only() -> None:
    """The Hobby tier refuses all others, in words."""
    assert POOL.beyond({"type": "process"}, TIERS["hobby"]) == "the Hobby tier has managed work pools only"
    assert POOL.beyond({"type": "process"}, ANY_TIER) is None


def test_it_carries_a_mark_until_its_queues_are_there() -> None:
    """The mark is in the description; a default that refers to nothing is left out meanwhile."""
    template: Any = {
        "variables": {"properties": {"a": {"default": {"$ref": {"block_document_id": ID}}}, "b": {"default": 1}}}
    }
    first = POOL.pending({"name": "p", "type": "process", "base_job_template": template}, MARK)
    assert first["description"] == MARK
    assert first["base_job_template"]["variables"]["properties"] == {"a": {}, "b": {"default": 1}}
    assert POOL.is_pending(first, {}, MARK, lambda _: False)


def test_what_travels() -> None:
    """Parts of the storage that are not set, and what the server finds out, do not."""
    row = {
        "id": ID,
        "name": "p",
        "type": "process",
        "status": "READY",
        "default_queue_id": ID,
        "storage_configuration": {"bundle_upload_step": None},
    }
    assert POOL.portable(row, Rows()) == {"name": "p", "type": "process"}


def test_names_of_blocks_and_variables_in_it() -> None:
    """Templates and the credentials of its storage name blocks."""
    body = {
        "base_job_template": {"variables": {"properties": {"a": {"default": "{{ prefect.variables.region }}"}}}},
        "storage_configuration": {"bundle_upload_step": {"f/g": {"gcp_credentials_block_name": "me"}}},
    }
    assert sorted(key for _, key in POOL.names(body)) == ["block:gcp-credentials/me", "variable:region"]


@pytest.mark.parametrize("step", ["bundle_upload_step", "bundle_execution_step"])
@pytest.mark.parametrize("slug", ["aws-credentials", "gcp-credentials", "azure-blob-storage-credentials"])
def test_every_step_names_its_credentials(step: str, slug: str) -> None:
    """Whatever the cloud, and whether bundles are brought or fetched."""
    field = f"{slug.replace('-', '_')}_block_name"
    body = {"storage_configuration": {step: {"f": {field: "me"}}}}
    assert list(POOL.names(body)) == [(f"/storage_configuration/{step}/f/{field}", f"block:{slug}/me")]


def test_it_is_changed_and_deleted_by_name() -> None:
    """``PATCH`` and ``DELETE`` take the name."""
    assert updated("work-pool", {"name": "p"}, {"concurrency_limit"}) == [
        ["PATCH", "/work_pools/p", {"concurrency_limit": None}]
    ]
    assert deleted("work-pool", {"name": "p"}) == [["DELETE", "/work_pools/p", None]]


def test_it_is_switched_by_name() -> None:
    """Also where the server protects its other fields."""
    assert switched("work-pool", {"is_paused": False}, {"name": "p"}) == [
        ["PATCH", "/work_pools/p", {"is_paused": True}]
    ]


def test_what_its_jobs_run() -> None:
    """Defaults of the template are listed, images and commands, and steps of its storage."""
    template = {
        "variables": {"properties": {"image": {"default": "me/etl:1"}, "name": {"default": "x"}, "env": {}}},
        "job_configuration": {"command": "{{ command }}", "privileged": True},
    }
    storage = {"bundle_upload_step": {"prefect_aws.upload": {"bucket": "mine"}}}
    body = {"base_job_template": template, "storage_configuration": storage}
    assert list(POOL.runs(make_record("work-pool:p", body, (), ())) or ()) == [
        ("image", "/base_job_template/variables/properties/image/default", "me/etl:1"),
        ("privilege", "/base_job_template/job_configuration/privileged", "true"),
        (
            "step",
            "/storage_configuration/bundle_upload_step/prefect_aws.upload",
            "prefect_aws.upload, bucket mine",
        ),
    ]


def test_agents_have_no_runtime() -> None:
    """A pool of agents is carried, but no worker of Prefect 3 uses it."""
    assert list(POOL.findings({"type": "prefect-agent"})) == [("no-runtime", "/type", "")]
    assert list(POOL.findings({"type": "process"})) == []
