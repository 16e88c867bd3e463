"""Names of blocks and variables inside values, in Prefect's own language."""

from __future__ import annotations

from typing import Any

import pytest

from bundle.kinds.naming import renamed, template_names


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("{{ prefect.variables.region }}", ["variable:region"]),
        ("{{variables.region}}", ["variable:region"]),
        ("{{ prefect.variables.config.url }}", ["variable:config"]),
        ("a {{ prefect.blocks.secret.db.value }} b {{ prefect.variables.x }}", ["block:secret/db", "variable:x"]),
        ("{{ prefect.blocks.secret }}", []),
        ("{{ region }}", []),
        ("prefect.variables.region", []),
    ],
)
def test_templates_name_blocks_and_variables(text: str, keys: list[str]) -> None:
    """With or without ``prefect.``, with or without a part of the value; a block has a type and a name."""
    assert list(template_names({"a": [text]})) == [("/a/0", key) for key in keys]


def test_typed_values_name_them_too() -> None:
    """A parameter can be a variable, a default a block document."""
    value = {
        "day": {"__prefect_kind": "workspace_variable", "variable_name": "day"},
        "creds": {"$ref": {"block_document_slug": "aws/main"}},
        "other": {"$ref": {"block_document_id": ""}},
    }
    assert list(template_names(value)) == [("/day", "variable:day"), ("/creds", "block:aws/main")]


KEYS = {"variable:day": "variable:date", "block:aws/main": "block:aws/spare", "work-pool:k8s": "work-pool:gke"}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("{{ prefect.variables.day }} {{day}}", "{{ prefect.variables.date }} {{day}}"),
        ("{{ prefect.blocks.aws.main.key }}", "{{ prefect.blocks.aws.spare.key }}"),
        ("{{ prefect.blocks.gcp.main }}", "{{ prefect.blocks.gcp.main }}"),
        ("k8s", "gke"),
        ("k8s2", "k8s2"),
        (
            {"__prefect_kind": "workspace_variable", "variable_name": "day"},
            {"__prefect_kind": "workspace_variable", "variable_name": "date"},
        ),
        ({"$ref": {"block_document_slug": "aws/main"}}, {"$ref": {"block_document_slug": "aws/spare"}}),
        (
            {"pull": {"block_type_slug": "aws", "block_document_name": "main", "path": "/x"}},
            {"pull": {"block_type_slug": "aws", "block_document_name": "spare", "path": "/x"}},
        ),
        (7, 7),
    ],
)
def test_another_name_takes_the_place_of_one(value: Any, expected: Any) -> None:
    """Only the name changes, in each form in which Prefect has it; what is not renamed stays as it is."""
    assert renamed(value, KEYS, ["work-pool:k8s"]) == expected
