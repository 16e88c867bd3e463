"""Variables, limits and saved searches: values and names that are easily mistaken for something else."""

from __future__ import annotations

from support.environment.api import GONE, Json
from support.environment.planted import Environment


def plant_variables(environment: Environment) -> None:
    values: dict[str, Json] = {
        "region": "eu-central-1",
        "a_number": 42,
        "a_float": 0.1,
        "big_integer": 2**63 - 1,
        "negative": -(2**63),
        "tiny": 1e-300,
        "truth": True,
        "nothing": None,
        "empty_text": "",
        "empty_list": [],
        "empty_object": {},
        "nested": {
            "list": [1, "two", None, {"three": [3.5, False]}],
            "key with space": {"": "empty key", "~/": "pointer"},
        },
        "unicode": "Grüße ☃ \U0001f680 \u202eright to left",
        "control": "tab\tline\nreturn\r\x1b[31mred\x1b[0m\x7f",
        "separators": "line\u2028paragraph\u2029end",
        "large": "x" * 4900,
        "mask_look_alike": "********",
        "template_look_alike": "{{ secret }}",
        "block_template_look_alike": "{{ prefect.blocks.secret.no-such-block }}",
        "variable_template_look_alike": "{{ prefect.variables.no_such_variable }}",
        "ref_look_alike": {"$ref": {"block_document_id": GONE}},
        "name_look_alike": {"$ref": {"block_document_slug": "secret/db-password"}},
        "placeholder_look_alike": {"__placeholder__": "secret", "__reference__": "flow:etl", "pointer": "/data/value"},
        "kind_look_alike": {"__prefect_kind": "json", "value": "{}"},
        "number_as_text": "007",
        "with-dash": "dash",
        "v" * 200: "long name",
    }
    for name, value in values.items():
        environment.variable(name, value)
    environment.variable("tagged", "value", "b", "a", "tag with space", "ünïcode")
    environment.variable("deploy_token", f"ghp_{environment.canaries.show()}", "token")


def plant_limits(environment: Environment) -> None:
    environment.limit("db", 5)
    environment.limit("decaying", 10, slot_decay_per_second=0.25)
    environment.limit("inactive", 3, active=False)
    environment.limit("closed", 0)
    environment.limit("Shared Limit", 2)
    environment.limit("ünï.limit (x)", 7)
    environment.limit("DB", 6)
    environment.tag_limit("heavy", 4)
    environment.tag_limit("tag with space", 1)
    environment.tag_limit("zero", 0)


def plant_saved_searches(environment: Environment) -> None:
    filters = [{"object": "flow", "property": "name", "type": "string", "operation": "equals", "value": "etl"}]
    environment.api.send("PUT", "/saved_searches/", {"name": "my search é", "filters": filters})
    environment.api.send("PUT", "/saved_searches/", {"name": "empty", "filters": []})
