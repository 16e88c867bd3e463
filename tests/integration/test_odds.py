"""Odd corners of real environments: each arrives, or is named with the reason why not."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bundle.server.process import Server
from support.compare import compare
from support.environment import Api, Canaries, Size, seed
from support.moving import bundle_of, import_into

Factory = Callable[[Size | None], Server]


def a_deployment_whose_pool_is_gone(api: Api) -> None:
    api.create("/work_pools/", name="going", type="process")
    api.post("/work_pools/going/queues", name="fast")
    flow = api.create("/flows/", name="left behind")
    api.create("/deployments/", name="d", flow_id=flow, work_pool_name="going", work_queue_name="fast")
    api.delete("/work_pools/going")


def a_queue_of_the_agent_days(api: Api) -> None:
    queue = api.create("/work_queues/", name="legacy", filter={"tags": ["x"], "deployment_ids": []})
    flow = api.create("/flows/", name="old")
    api.create("/deployments/", name="d", flow_id=flow, work_queue_name="legacy", description=queue)


def a_circle_of_a_variable_and_a_deployment(api: Api) -> None:
    api.create("/variables/", name="who", value="nobody")
    flow = api.create("/flows/", name="circular")
    deployment = api.create(
        "/deployments/",
        name="d",
        flow_id=flow,
        job_variables={"env": {"WHO": "{{ prefect.variables.who }}"}},
        schedules=[{"schedule": {"cron": "0 0 1 1 *"}, "active": True}],
    )
    api.patch("/variables/name/who", value={"runs": deployment, deployment: [deployment.replace("-", "")]})


def a_circle_through_a_block_and_a_pool(api: Api) -> None:
    block_type = api.create("/block_types/", name="Note", slug="note")
    fields = {"title": "Note", "type": "object", "properties": {"text": {"type": "string"}}, "block_type_slug": "note"}
    schema = api.create("/block_schemas/", block_type_id=block_type, fields=fields, capabilities=[], version="1")
    note = api.create(
        "/block_documents/", name="n", block_type_id=block_type, block_schema_id=schema, data={"text": "soon"}
    )
    properties = {"x": {"type": "object", "default": {"$ref": {"block_document_id": note}}}}
    template = {"job_configuration": {"x": "{{ x }}"}, "variables": {"type": "object", "properties": properties}}
    api.create("/work_pools/", name="p", type="process", base_job_template=template)
    flow = api.create("/flows/", name="f")
    deployment = api.create("/deployments/", name="d", flow_id=flow, work_pool_name="p")
    api.patch(f"/block_documents/{note}", data={"text": f"see deployment {deployment}"})


def names_like_keys(api: Api) -> None:
    for name in ("x", "x~deadbeef", "x~~", "~", "automation:x", "a/b#/c"):
        trigger = {"type": "event", "posture": "Reactive", "expect": ["e"], "threshold": 1, "within": 0}
        api.create("/automations/", name=name, trigger=trigger, actions=[{"type": "do-nothing"}])
    flow = api.create("/flows/", name="flow:a~1")
    api.create("/deployments/", name="x:y~0", flow_id=flow)
    api.create("/v2/concurrency_limits/", name="deployment:not-an-id", limit=1)


def twins_that_pause_each_other(api: Api) -> None:
    trigger = {"type": "event", "posture": "Reactive", "expect": ["e"], "threshold": 1, "within": 0}
    ids = [api.create("/automations/", name="twin", trigger=trigger, actions=[{"type": "do-nothing"}]) for _ in "ab"]
    for one, other in (ids, reversed(ids)):
        action = {"type": "pause-automation", "source": "selected", "automation_id": other}
        api.send("PUT", f"/automations/{one}", {"name": "twin", "trigger": trigger, "actions": [action]})


@pytest.mark.parametrize(
    "plant",
    [
        a_deployment_whose_pool_is_gone,
        a_queue_of_the_agent_days,
        a_circle_of_a_variable_and_a_deployment,
        a_circle_through_a_block_and_a_pool,
        names_like_keys,
        twins_that_pause_each_other,
    ],
)
def test_an_odd_corner_arrives(server_factory: Factory, plant: Callable[[Api], None]) -> None:
    """It arrives as it was, and a second import writes nothing."""
    source, destination = server_factory(None), server_factory(None)
    with Api(source.url) as api:
        plant(api)
    bundle = bundle_of(source.url)

    imported = import_into(destination.url, bundle)

    assert {outcome.state for outcome in imported.result.outcomes} <= {"succeeded", "skipped"}
    assert compare(source.url, destination.url, ignore=["deployment:left behind/d /work_queue_name"]) == []
    assert bundle_of(destination.url).manifest.content_digest == bundle.manifest.content_digest
    assert import_into(destination.url, bundle).sent.writes == 0


def test_pools_that_do_not_travel_are_named_with_what_needs_them(server_factory: Factory) -> None:
    """Push and managed pools are skipped with the reason; what needs them is blocked and says what it waits for."""
    source, destination = server_factory(None), server_factory(None)
    seed(source.url, size=Size.SMALL, cloud_pools=True)
    bundle = bundle_of(source.url)

    outcomes = {each.key: each for each in import_into(destination.url, bundle).result.outcomes}

    reasons = {each.reason for each in outcomes.values()}
    assert {"push-pool", "managed-pool", "waits-for"} <= reasons
    blocked = [each for each in outcomes.values() if each.state == "blocked"]
    assert blocked
    assert all(outcomes[key].state in {"skipped", "blocked"} for each in blocked for key in each.waits_for)
    assert "failed" not in {each.state for each in outcomes.values()}


def test_a_pool_of_the_same_name_satisfies_what_needs_it(server_factory: Factory) -> None:
    """Where the destination has a pool of that name already, what needs it arrives."""
    source, destination = server_factory(None), server_factory(None)
    for server, kind in ((source, "ecs:push"), (destination, "process")):
        with Api(server.url) as api:
            api.create("/work_pools/", name="cloudy", type=kind)
    with Api(source.url) as api:
        flow = api.create("/flows/", name="f")
        api.create("/deployments/", name="d", flow_id=flow, work_pool_name="cloudy")

    outcomes = {each.key: each for each in import_into(destination.url, bundle_of(source.url)).result.outcomes}

    assert outcomes["work-pool:cloudy"].reason == "exists-differs"
    assert outcomes["deployment:f/d"].reason == "created"


def test_no_secret_is_in_anything_that_is_printed_or_kept(
    source_server: Server, destination_server: Server, canaries: Canaries, tmp_path: Path
) -> None:
    """Whatever the command, the verbosity and the form: no planted secret is in output, log, receipt or bundle."""
    file = str(tmp_path / "env.pxb")
    commands = [
        ["-v", "export", "--from", source_server.url, "-o", file],
        ["-v", "inspect", file],
        ["-v", "verify", file, "--json"],
        ["-v", "plan", file, "--to", destination_server.url],
        ["-v", "import", file, "--to", destination_server.url],
        ["-v", "plan", file, "--to", destination_server.url, "--json"],
        ["-v", "import", file, "--to", destination_server.url, "--json"],
        ["-v", "secrets", "template", file],
        ["-v", "transfer", "--from", source_server.url, "--to", destination_server.url, "--json"],
    ]

    seen = asyncio.run(_run_all(commands))

    assert {code for code, _, _ in seen} == {0}
    kept = b"".join(each.read_bytes() for each in tmp_path.iterdir())
    assert canaries.search(b"".join(out + err for _, out, err in seen)) == []
    assert canaries.search(kept) == []


async def _run_all(commands: list[list[str]]) -> list[tuple[int | None, bytes, bytes]]:
    return [await _run(command) for command in commands]


async def _run(command: list[str]) -> Any:
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "bundle", *command, stdout=pipe, stderr=pipe)
    out, err = await process.communicate()
    return process.returncode, out, err
