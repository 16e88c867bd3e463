"""Block documents: secrets of every type, and documents in documents."""

from __future__ import annotations

import json

from support.environment.api import Json, reference
from support.environment.planted import Environment


def plant_secrets(environment: Environment) -> None:
    """The built-in Secret with a value of every JSON type."""
    canaries = environment.canaries
    values: dict[str, Json] = {
        "db-password": canaries.mask(),
        "api-keys": {"primary": canaries.mask(), "nested": {"deep": [canaries.mask(), 7]}},
        "key-list": [canaries.mask(), {"more": canaries.mask()}],
        "pin": canaries.mask_number(),
        "nothing": None,
        "empty-text": "",
        "empty-object": {},
        "flag": True,
        "json-text": json.dumps({"inner": canaries.mask(plain=True)}),
        "template": "{{ prefect.variables.region }} " + canaries.mask(plain=True),
    }
    for name, value in values.items():
        environment.block("secret", name, {"value": value})


def plant_built_in_blocks(environment: Environment) -> None:
    canaries = environment.canaries
    environment.block(
        "slack-webhook", "alerts", {"url": f"https://hooks.slack.com/services/{canaries.mask(plain=True)}"}
    )
    environment.block("local-file-system", "results", {"basepath": "/srv/results ünïcode"})
    environment.block("local-file-system", "empty", {})
    environment.block(
        "remote-file-system",
        "minio",
        {"basepath": "s3://bucket/prefix", "settings": {"key": "user", "secret": canaries.show(), "use_ssl": False}},
    )
    environment.block(
        "custom-webhook",
        "hook",
        {
            "name": "hook",
            "url": f"https://user:{canaries.show()}@example.invalid/hook",
            "method": "POST",
            "headers": {"Authorization": f"Bearer {canaries.show()}"},
            "json_data": {"text": "{{subject}} {{body}}"},
            "timeout": 2.5,
            "secrets": {"token": canaries.mask(), "other": canaries.mask()},
        },
    )
    environment.block(
        "aws-credentials",
        "main",
        {
            "aws_access_key_id": "AKIAIOSFODNN7EXAMPLE",
            "aws_secret_access_key": canaries.mask(),
            "region_name": "eu-west-1",
        },
    )
    environment.block("github-credentials", "bot", {"token": canaries.mask(plain=True)})
    environment.block(
        "docker-registry-credentials", "registry", {"username": "u", "password": canaries.mask(), "registry_url": "r"}
    )
    environment.block(
        "s3-bucket",
        "data",
        {
            "bucket_name": "data",
            "bucket_folder": "in",
            "credentials": reference(environment.blocks["aws-credentials/main"]),
        },
    )


def plant_custom_blocks(environment: Environment) -> None:
    canaries = environment.canaries
    environment.block("acme-child", "child", {"host": "db.example.invalid", "token": canaries.mask(), "port": 5432})
    environment.block(
        "acme-child", "old-schema", {"host": "old", "extra": "not in the schema"}, schema="acme-child/old"
    )
    environment.block(
        "acme-secretive",
        "everything",
        {
            "exact": canaries.mask(),
            "whole_object": {"user": "u", "password": canaries.mask()},
            "wildcard": {"one": canaries.mask(), "two": {"three": canaries.mask()}, "number": canaries.mask_number()},
            "login": {"user": "public user", "password": canaries.mask()},
            "logins": [{"user": "a", "password": canaries.mask()}, {"user": "b", "password": canaries.mask()}],
            "format_only": canaries.mask(),
            "write_only": canaries.mask(),
            "undeclared_login": {"user": "c", "password": canaries.mask()},
            "list": [canaries.mask(), canaries.mask()],
            "number": canaries.mask_number(),
            "public": "********",
        },
    )
    environment.block("acme-secretive", "sparse", {"public": "only this", "wildcard": {}, "exact": None})
    environment.block(
        "acme-store",
        "store",
        {"basepath": "/data", "token": canaries.mask(), "options": {"retries": 3, "key": canaries.mask()}},
    )
    environment.block(
        "acme-plain",
        "plain",
        {
            "value": [{"id": environment.blocks["acme-child/child"]}, "{{ prefect.variables.region }}", None, 1.5],
            "note": "********",
        },
    )


def plant_nested_blocks(environment: Environment) -> None:
    """Three levels of named documents, and anonymous ones below named ones."""
    canaries = environment.canaries
    blocks = environment.blocks
    environment.block("acme-middle", "middle", {"title": "middle", "child": reference(blocks["acme-child/child"])})
    environment.block(
        "acme-parent",
        "parent",
        {
            "middle": reference(blocks["acme-middle/middle"]),
            "either": reference(blocks["acme-store/store"]),
            "note": f"see {blocks['acme-middle/middle']}",
        },
    )
    environment.block("acme-parent", "other-parent", {"either": reference(blocks["acme-plain/plain"]), "note": "half"})
    anonymous_child = environment.anonymous_block("acme-child", {"host": "anonymous", "token": canaries.mask()})
    anonymous_middle = environment.anonymous_block("acme-middle", {"title": "?", "child": reference(anonymous_child)})
    environment.block("acme-parent", "of-anonymous", {"middle": reference(anonymous_middle)})
    environment.anonymous_block("acme-plain", {"value": "nobody refers to this"})
